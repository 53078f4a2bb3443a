"""Which entry goes into which volume."""

from packtrain.units import KIB
from packtrain.volume import layout, tar
from packtrain.volume.assignment import GroupShare, Placed, assign
from packtrain.volume.cargo import CargoEntry

TARGET = 256 * KIB


def entries(*sizes: int) -> list[CargoEntry]:
    return [CargoEntry(b"f%04d" % n, b"/none", "file", size, 0o644, 0) for n, size in enumerate(sizes)]


def place(cargo: list[CargoEntry], *shares: GroupShare) -> list[Placed]:
    total = sum(entry.size_bytes for entry in cargo)
    return list(assign(cargo, shares or (GroupShare(2, 1),), total, TARGET))


def test_small_files_share_a_volume_and_stay_in_order() -> None:
    placed = place(entries(1000, 1000, 1000))
    assert {(p.pieces[0].stripe, p.pieces[0].column) for p in placed} == {(0, 0)}
    offsets = [p.pieces[0].tar_offset for p in placed]
    assert offsets == [512, 512 + 1024 + 512, 512 + 2 * 1536]


def test_a_file_that_fits_a_volume_is_never_cut() -> None:
    placed = place(entries(100_000, 200_000, 200_000))
    assert [(len(p.pieces), p.pieces[0].stripe, p.pieces[0].column) for p in placed] == [
        (1, 0, 0),
        (1, 0, 1),
        (1, 1, 0),
    ]


def test_a_large_file_is_cut_into_pieces_that_cover_it() -> None:
    (placed,) = place(entries(1_000_000))
    assert [p.number for p in placed.pieces] == [1, 2, 3, 4]
    assert {p.num_pieces for p in placed.pieces} == {4}
    assert sum(p.bytes for p in placed.pieces) == 1_000_000
    assert [(p.stripe, p.column) for p in placed.pieces] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_cut_file_begins_in_the_room_that_is_left() -> None:
    placed = place(entries(100_000, 400_000))
    assert placed[1].pieces[0].stripe == placed[1].pieces[0].column == 0
    assert placed[1].pieces[0].bytes < 160_000


def test_no_volume_is_longer_than_the_target() -> None:
    placed = place(entries(*[37_000 + n * 911 for n in range(60)], 700_000, 5))
    ends: dict[tuple[int, int], int] = {}
    for item in placed:
        for piece in item.pieces:
            ends[piece.stripe, piece.column] = piece.tar_offset + -(-piece.bytes // 512) * 512
    assert max(ends.values()) + 1024 <= TARGET


def test_groups_share_the_cargo_by_weight() -> None:
    placed = place(entries(*[10_000] * 100), GroupShare(2, 3), GroupShare(2, 1))
    assert sum(item.group == 0 for item in placed) == 75


def test_the_pieces_of_a_file_lie_in_one_group() -> None:
    placed = place(entries(600_000, 600_000), GroupShare(1, 1), GroupShare(1, 1))
    assert [item.group for item in placed] == [0, 1]


def test_offsets_are_those_of_the_headers_written() -> None:
    entry = CargoEntry(b"n" * 300, b"/none", "file", 900_000, 0o644, 0)
    (placed,) = place([entry])
    first = placed.pieces[0]
    name = layout.piece_name(entry.name, 1, first.num_pieces)
    assert first.tar_offset == len(tar.header(name, "file", first.bytes, 0o644, 0))


def linked(name: bytes, target: bytes) -> CargoEntry:
    return CargoEntry(name, b"/none", "hardlink", 0, 0o644, 0, link_target=target)


def place_of(item: Placed) -> tuple[int, int]:
    return item.pieces[0].stripe, item.pieces[0].column


def test_a_file_and_its_links_move_to_the_next_volume_together() -> None:
    first, file = entries(TARGET - 3000, 400)
    placed = place([first, file, *[linked(b"l%d" % n, file.name) for n in range(3)]])
    assert [place_of(item) for item in placed] == [(0, 0), *[(0, 1)] * 4]


def test_the_links_of_a_cut_file_are_in_the_catalog_alone() -> None:
    (file,) = entries(600_000)
    placed = place([file, linked(b"l", file.name)])
    assert [len(item.pieces) for item in placed] == [3, 0]


def test_links_that_have_no_room_beside_their_file_are_in_the_catalog_alone() -> None:
    file, after = entries(TARGET - 4096, 5)
    placed = place([file, *[linked(b"l%d" % n, file.name) for n in range(9)], after])
    assert [len(item.pieces) for item in placed] == [1] * 6 + [0] * 4 + [1]
    assert place_of(placed[-1]) == (0, 1)


def test_a_set_of_links_is_not_parted_over_groups() -> None:
    file, other = entries(300_000, 1000)
    placed = place([file, linked(b"l", file.name), other], GroupShare(1, 1), GroupShare(1, 1))
    assert [item.group for item in placed] == [0, 0, 1]


def test_a_folder_with_something_in_it_takes_no_place() -> None:
    folder = CargoEntry(b"d", b"/none", "directory", 0, 0o755, 0, in_catalog_only=True)
    placed = place([folder, *entries(1)])
    assert [len(item.pieces) for item in placed] == [0, 1]
    assert placed[1].pieces[0].tar_offset == 512
