"""What is filled into a volume, whatever the size of files beside that of the buffer."""

import hashlib
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from packtrain.errors import SourceUnreadable
from packtrain.units import KIB
from packtrain.volume import tar
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.folder_scan import scan
from packtrain.volume.journal import Journal, Member
from packtrain.volume.sealing import Filler, Found
from packtrain.volume.turns import Turn
from shipment_parts import content, write_cargo

CAPACITY = 128 * KIB
SIZES = {
    "a": 0,
    "b": 511,
    "c": 70 * KIB,
    "d": 60 * KIB,  # does not fit behind c
    "e": 3 * CAPACITY + 7,
    "f": 1,
    "g" * 120: CAPACITY,
    "h": 40,
}


class Filling:
    """A filler and all that it gave."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.pieces: list[bytes] = []
        self.found: list[Found] = []
        buffer = memoryview(bytearray(b"\xa5" * CAPACITY))
        self.filler = Filler(self.turn, buffer, self.take, self.found.extend, lambda _: ((b"user.a", b"1"),))

    def take(self, piece: memoryview) -> None:
        assert not self.turn.lock.locked(), "others may fill while this is encrypted"
        self.pieces.append(bytes(piece))


def members(tmp_path: Path, entries: Sequence[CargoEntry], target_bytes: int = 1 << 30) -> list[list[Member]]:
    with Journal(tmp_path / "journal") as journal:
        journal.write_list(assign(entries, [GroupShare(2, 1)], 0, target_bytes), {})
        columns = [
            (stripe, column) for stripe in range(journal.num_stripes(0)) for column in journal.tar_bytes(0, stripe)
        ]
        return [list(journal.members_in(0, *column)) for column in columns]


def test_every_size_beside_the_buffer_comes_out_as_a_tar(tmp_path: Path) -> None:
    root = write_cargo(tmp_path / "cargo", SIZES)
    (volume,) = members(tmp_path, list(scan(root)))
    filling = Filling()
    filling.filler.fill(volume)
    assert {len(piece) for piece in filling.pieces[:-1]} == {CAPACITY}
    with tarfile.open(fileobj=io.BytesIO(b"".join(filling.pieces))) as opened:
        read = {item.name: opened.extractfile(item) for item in opened}
        assert {name: stream and stream.read() for name, stream in read.items()} == {
            name: content(size, number) for number, (name, size) in enumerate(SIZES.items())
        }
    expected = [hashlib.sha256(content(size, number)).hexdigest() for number, size in enumerate(SIZES.values())]
    assert filling.found == [(number, sha256, None) for number, sha256 in enumerate(expected, 1)]


def test_pieces_of_a_cut_file_join_and_have_no_digest_of_their_own(tmp_path: Path) -> None:
    root = write_cargo(tmp_path / "cargo", {"big": 700 * KIB, "small": 3})
    volumes = members(tmp_path, list(scan(root)), 256 * KIB)
    parts: list[bytes] = []
    for volume in volumes:
        filling = Filling()
        filling.filler.fill(volume)
        with tarfile.open(fileobj=io.BytesIO(b"".join(filling.pieces))) as opened:
            streams = [opened.extractfile(item) for item in opened if item.name.startswith("big.")]
            parts += [stream.read() for stream in streams if stream is not None]
        assert len(filling.found) == sum(member.num_pieces == 1 for member in volume)
    assert b"".join(parts) == content(700 * KIB, 0)


@pytest.mark.parametrize("name", ["d", "e", "h"], ids=["small", "larger than the buffer", "tiny"])
def test_a_file_that_shrank_is_filled_with_zeros_and_named(tmp_path: Path, name: str) -> None:
    root = write_cargo(tmp_path / "cargo", SIZES)
    (volume,) = members(tmp_path, list(scan(root)))
    os.truncate(root / name, 5)
    filling = Filling()
    filling.filler.fill(volume)
    with tarfile.open(fileobj=io.BytesIO(b"".join(filling.pieces))) as opened:
        stream = opened.extractfile(name)
        number = list(SIZES).index(name)
        assert stream is not None
        assert stream.read() == content(SIZES[name], number)[:5].ljust(SIZES[name], b"\0")
    assert [how for _, _, how in filling.found if how] == [f"5 bytes instead of {SIZES[name]}"]


@pytest.mark.parametrize("name", ["b", "e"])
def test_a_file_that_is_gone_is_named_and_others_get_their_turn(tmp_path: Path, name: str) -> None:
    root = write_cargo(tmp_path / "cargo", SIZES)
    (volume,) = members(tmp_path, list(scan(root)))
    (root / name).unlink()
    filling = Filling()
    with pytest.raises(SourceUnreadable) as caught:
        filling.filler.fill(volume)
    assert caught.value.where == str(root / name)
    assert not filling.turn.lock.locked()


def test_a_link_that_took_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    root = write_cargo(tmp_path / "cargo", {"a": 3})
    (volume,) = members(tmp_path, list(scan(root)))
    (root / "a").unlink()
    (root / "a").symlink_to("/etc/passwd")
    with pytest.raises(SourceUnreadable):
        Filling().filler.fill(volume)


def test_a_header_longer_than_the_room_left_goes_over_the_edge(tmp_path: Path) -> None:
    root = write_cargo(tmp_path / "cargo", {"a": CAPACITY - 1024, "b" * 200 + "1": 5, "c": 1})
    (volume,) = members(tmp_path, list(scan(root)))
    filling = Filling()
    filling.filler.fill(volume)
    assert b"".join(filling.pieces).endswith(tar.END_OF_ARCHIVE)
    with tarfile.open(fileobj=io.BytesIO(b"".join(filling.pieces))) as opened:
        assert opened.getnames() == ["a", "b" * 200 + "1", "c"]
