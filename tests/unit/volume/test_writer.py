"""write_shipment: what it writes, what it refuses, how it goes on."""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn, cast

import pytest

from packtrain.crypto import age
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.digest import BLOCK_BYTES, sha256_file, xxh3_block
from packtrain.documents.codec import decode
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.group import Group
from packtrain.erasure.code import Code
from packtrain.errors import (
    DriveFailed,
    DriveFull,
    DriveMissing,
    DuplicateDrive,
    ForeignDrive,
    NothingToCarry,
    SourceChanged,
    SourceUnreadable,
)
from packtrain.ports import DriveWriter
from packtrain.record.trust import Trust
from packtrain.units import KIB, MIB
from packtrain.volume import formatting, layout, stripes
from packtrain.volume.catalog import Catalog
from packtrain.volume.journal import Journal, WrittenVolume
from shipment_parts import Packing, make_packing, write_cargo

SIZES = {"a/one": 300_000, "a/two": 10, "b/three": 900_000, "b/empty": 0, **{f"many/{n:02d}": 5000 for n in range(40)}}


@pytest.fixture
def packing(tmp_path: Path) -> Packing:
    write_cargo(tmp_path / "cargo", SIZES)
    return make_packing(tmp_path)


def everything(packing: Packing) -> dict[str, bytes]:
    """Return all files of all drives."""
    found: dict[str, bytes] = {}
    for planned in packing.plan.drives:
        root = Path(packing.drives[planned.uuid].location)
        found |= {f"{planned.label}/{p.relative_to(root)}": p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return found


class _Crowded(DirectoryDrive):
    """A drive with ten thousand files of somebody else, of which nobody may hold a list."""

    def names(self) -> Iterator[str]:
        yield from super().names()
        for number in reversed(range(10_000)):
            name = _Name(f"holiday-{number:05d}.jpg")
            yield name


class _Name(str):
    """A name that counts how many of its kind are there."""

    __slots__ = ()
    num_held = 0
    most_held = 0

    def __new__(cls, text: str) -> "_Name":
        cls.num_held += 1
        cls.most_held = max(cls.most_held, cls.num_held)
        return super().__new__(cls, text)

    def __del__(self) -> None:
        _Name.num_held -= 1


def test_a_drive_full_of_foreign_files_is_refused_with_a_count_and_no_list_of_them_is_held(packing: Packing) -> None:
    first = packing.plan.drives[0]
    packing.drives[first.uuid] = _Crowded(packing.folder(first.label))
    with pytest.raises(ForeignDrive, match="holds 10000 files") as caught:
        packing.write()
    assert caught.value.found == f"{', '.join(f'holiday-{n:05d}.jpg' for n in range(5))}, ..."
    assert 0 < _Name.most_held < 20


def test_more_names_than_packtrain_writes_are_foreign(packing: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_MOST_NAMES", 4)
    with pytest.raises(ForeignDrive, match="more than 4 files"):
        for _ in range(2):
            packing.write()


def test_the_volumes_of_a_group_are_gone_through_once_a_run_and_not_for_each_look_at_the_group(
    packing: Packing, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[int] = []
    written = Journal.written

    def counted(self: Journal, group: int, stripe: int | None = None) -> Iterator[WrittenVolume]:
        if stripe is None:
            whole.append(group)
        return written(self, group, stripe)

    monkeypatch.setattr(Journal, "written", counted)
    packing.write()
    packing.write()
    # The first run signs them; the second holds the drives against them.
    assert whole == [0, 0]


def the_group(packing: Packing, label: str = "A1") -> Group:
    payload = (packing.folder(label) / layout.GROUP).read_bytes()
    signature = (packing.folder(label) / (layout.GROUP + ".sig")).read_bytes()
    return Trust(packing.parties).open(Group, payload, signature, "group.json")


def test_every_volume_is_what_its_group_document_says(packing: Packing) -> None:
    packing.write()
    group = the_group(packing)
    assert len(group.volumes) == group.num_stripes * 4
    for volume in group.volumes:
        folder = Path(packing.drives[volume.drive].location)
        path = folder / layout.volume_name(volume.stripe, volume.column, group.k)
        if volume.bytes == 0:
            assert not path.exists()
            continue
        assert (path.stat().st_size, sha256_file(path)) == (volume.bytes, volume.sha256)
        lines = (folder / layout.blocks_name(volume.stripe, volume.column)).read_text().splitlines()
        payload = path.read_bytes()
        assert lines == [xxh3_block(payload[at : at + BLOCK_BYTES]) for at in range(0, len(payload), BLOCK_BYTES)]


def test_any_two_volumes_of_a_stripe_give_back_the_others(packing: Packing) -> None:
    packing.write()
    group = the_group(packing)
    by_stripe: dict[int, dict[int, bytes]] = {}
    for volume in group.volumes:
        path = Path(packing.drives[volume.drive].location, layout.volume_name(volume.stripe, volume.column, group.k))
        by_stripe.setdefault(volume.stripe, {})[volume.column] = path.read_bytes() if volume.bytes else b""
    code = Code(2, 2)
    for columns in by_stripe.values():
        length = len(columns[2])
        padded = {column: payload.ljust(length, b"\0") for column, payload in columns.items()}
        out = [bytearray(length), bytearray(length)]
        code.reconstruct({2: padded[2], 3: padded[3]}, [0, 1], out)
        assert [bytes(part) for part in out] == [padded[0], padded[1]]


def test_parity_is_as_long_as_the_longest_data_volume(packing: Packing) -> None:
    packing.write()
    for stripe in range(the_group(packing).num_stripes):
        lengths = {v.column: v.bytes for v in the_group(packing).volumes if v.stripe == stripe}
        assert lengths[2] == lengths[3] == max(lengths[0], lengths[1])


def test_the_columns_of_a_stripe_move_on_by_one_drive(packing: Packing) -> None:
    packing.write()
    assert (packing.folder("A1") / "data/0000000-00.tar.age").exists()
    assert (packing.folder("A2") / "data/0000001-00.tar.age").exists()


def test_missing_columns_of_the_last_stripe_have_length_zero_and_no_file(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"one": 1000})
    packing = make_packing(tmp_path, cases=(3, 3, 3), groups=[(6, 3)])
    written = packing.write()
    assert written.num_volumes == 1 + 3
    assert [v.bytes > 0 for v in written.groups[0].group.volumes] == [True] + [False] * 5 + [True] * 3


def test_the_catalog_is_the_same_on_every_drive_and_names_every_file(packing: Packing, tmp_path: Path) -> None:
    packing.write()
    sealed = {(packing.folder(label) / layout.CATALOG).read_bytes() for label in ("A1", "A2", "B1", "B2")}
    assert len(sealed) == 1
    (tmp_path / "catalog").write_bytes(age.decrypt_bytes(sealed.pop(), [packing.identity]))
    with Catalog.open(tmp_path / "catalog") as opened:
        files = {file.path.decode(): file for file in opened.files()}
        assert {name: file.bytes for name, file in files.items() if file.kind == "file"} == SIZES
        for name, file in files.items():
            assert file.sha256 == (sha256_file(tmp_path / "cargo" / name) if file.kind == "file" else None)


def test_the_closing_record_names_the_tag_manifest_and_that_names_all_else(packing: Packing) -> None:
    packing.write()
    folder = packing.folder("B2")
    record = decode(DriveDocument, (folder / layout.DRIVE).read_bytes(), "drive.json")
    assert record.tagmanifest == sha256_file(folder / layout.TAG_MANIFEST)
    listed = {line.split("  ")[1] for name in (layout.MANIFEST, layout.TAG_MANIFEST) for line in (folder / name).open()}
    on_drive = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert on_drive - {name.strip() for name in listed} == {
        layout.TAG_MANIFEST,
        layout.DRIVE,
        layout.DRIVE + ".sig",
        layout.SHIPMENT,
        layout.SHIPMENT + ".sig",
    }


def test_no_name_of_a_file_lies_on_a_drive_in_the_clear(packing: Packing) -> None:
    packing.write()
    assert not [name for name, payload in everything(packing).items() if b"three" in payload or b"many/" in payload]


def test_a_second_run_changes_nothing_and_returns_the_same(packing: Packing) -> None:
    first = packing.write()
    before = everything(packing)
    assert packing.write() == first
    assert everything(packing) == before


def test_extra_files_lie_on_their_drive_and_in_its_tag_manifest(packing: Packing, tmp_path: Path) -> None:
    (tmp_path / "wheel").write_bytes(b"wheel")
    first = packing.plan.drives[0].uuid
    packing.extra_files = {first: {"packtrain/kit/wheels/a.whl": tmp_path / "wheel", "packtrain/ready.json": b"{}"}}
    packing.write()
    tags = (packing.folder("A1") / layout.TAG_MANIFEST).read_text()
    assert "packtrain/kit/wheels/a.whl\n" in tags
    assert "packtrain/ready.json\n" in tags
    assert not (packing.folder("A2") / "packtrain/kit").exists()


def test_two_groups_share_the_cargo(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {f"{n:02d}": 50_000 for n in range(20)})
    written = make_packing(tmp_path, cases=(2, 2, 2, 2), groups=[(3, 1), (2, 2)]).write()
    shares = [signed.group.plaintext_bytes for signed in written.groups]
    assert sum(shares) == 1_000_000
    assert all(share >= 300_000 for share in shares)


# --- refusals ------------------------------------------------------------------------------------------------------


def test_an_empty_cargo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToCarry):
        make_packing(tmp_path, []).write()


def test_a_cut_file_whose_pieces_no_reader_would_take_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"n" * 250: 600_000, "w" * 255: 1000})
    packing = make_packing(tmp_path)
    with pytest.raises(SourceUnreadable, match="1 sources cannot be carried"):
        packing.write()
    assert not any(packing.folder("A1").iterdir())


def test_a_drive_that_is_not_mounted_is_named(packing: Packing) -> None:
    del packing.drives[packing.plan.drives[2].uuid]
    with pytest.raises(DriveMissing, match="B1"):
        packing.write()


@pytest.mark.parametrize("as_link", [False, True])
def test_the_same_folder_given_twice_is_refused(packing: Packing, tmp_path: Path, as_link: bool) -> None:
    path = packing.folder("A1")
    if as_link:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    packing.drives[packing.plan.drives[3].uuid] = type(packing.drives[packing.plan.drives[3].uuid])(path)  # type: ignore[call-arg]
    with pytest.raises(DuplicateDrive):
        packing.write()


def test_a_drive_with_other_peoples_files_is_refused_and_left_alone(packing: Packing) -> None:
    (packing.folder("B1") / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ForeignDrive, match=r"holiday\.jpg"):
        packing.write()
    assert [name for name in everything(packing)] == ["B1/holiday.jpg"]


def test_a_drive_of_another_shipment_is_refused_and_left_alone(packing: Packing, tmp_path: Path) -> None:
    other = make_packing(tmp_path, packing.entries, attempt=1)
    other.journal_folder = tmp_path / "other-journal"
    other.write()
    before = everything(other)
    with pytest.raises(ForeignDrive, match=other.plan.shipment):
        packing.write()
    assert everything(other) == before


def test_an_earlier_attempt_of_the_same_shipment_is_cleared(packing: Packing, tmp_path: Path) -> None:
    packing.write()
    again = make_packing(tmp_path, packing.entries[:3], attempt=2, shipment=packing.plan.shipment)
    written = again.write()
    assert written.num_files == 3
    record = decode(DriveDocument, (again.folder("A1") / layout.DRIVE).read_bytes(), "drive.json")
    assert record.attempt == 2
    assert record.uuid == again.plan.drives[0].uuid


def test_a_later_attempt_on_a_drive_is_not_overwritten(packing: Packing, tmp_path: Path) -> None:
    later = make_packing(tmp_path, packing.entries, attempt=2, shipment=packing.plan.shipment)
    later.write()
    with pytest.raises(ForeignDrive, match="attempt 2"):
        packing.write()


def test_an_earlier_attempt_by_another_key_is_foreign(packing: Packing, tmp_path: Path) -> None:
    packing.write()
    shutil.rmtree(tmp_path / "keys")
    stranger = make_packing(tmp_path, packing.entries, attempt=2, shipment=packing.plan.shipment)
    with pytest.raises(ForeignDrive, match="another key"):
        stranger.write()


def test_two_drives_in_each_others_place_are_refused(packing: Packing) -> None:
    packing.write()
    first, second = packing.plan.drives[0].uuid, packing.plan.drives[1].uuid
    packing.drives[first], packing.drives[second] = packing.drives[second], packing.drives[first]
    with pytest.raises(ForeignDrive, match="drive A1, found drive A2"):
        packing.write()


def test_a_drive_that_is_too_small_is_refused_before_the_first_byte(packing: Packing) -> None:
    class Small(FaultyDrive):
        def free_bytes(self) -> int:
            return 100_000

    for drive_uuid, drive in packing.drives.items():
        packing.drives[drive_uuid] = Small(drive, Orders())
    with pytest.raises(DriveFull, match="nothing was written"):
        packing.write()
    assert everything(packing) == {}


# --- faults while writing ------------------------------------------------------------------------------------------


def test_a_flipped_bit_in_the_read_back_names_drive_volume_and_block(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"one": 2_500_000})
    packing = make_packing(tmp_path, target_bytes=4 * MIB)
    first = packing.plan.drives[0].uuid
    packing.drives[first] = FaultyDrive(
        packing.drives[first], Orders(flip_on_read={"data/0000000-00.tar.age": MIB + 5})
    )
    with pytest.raises(DriveFailed, match=r"drive-A1: data/0000000-00\.tar\.age.*block 1"):
        packing.write()


def test_a_flipped_bit_in_parity_is_found_too(packing: Packing) -> None:
    third = packing.plan.drives[2].uuid
    packing.drives[third] = FaultyDrive(packing.drives[third], Orders(flip_on_read={"data/0000000-02.parity": 5}))
    with pytest.raises(DriveFailed, match=r"0000000-02\.parity"):
        packing.write()


def test_a_drive_that_wraps_is_found_at_closing(packing: Packing) -> None:
    first = packing.plan.drives[0].uuid
    faulty = FaultyDrive(packing.drives[first], Orders())
    packing.drives[first] = faulty
    real_write = faulty.write_bytes

    def write_bytes(name: str, payload: bytes) -> None:
        real_write(name, payload)
        if name.startswith("packtrain/blocks/0000001"):
            # What was written first is overwritten by what came later: seen only if it is read once more.
            faulty.orders.flip_on_read["data/0000000-00.tar.age"] = 100

    faulty.write_bytes = write_bytes  # type: ignore[method-assign]
    with pytest.raises(DriveFailed, match="at closing"):
        packing.write()
    assert not (packing.folder("A1") / layout.DRIVE).exists()


def test_a_drive_that_fills_up_can_go_on_after_room_was_made(packing: Packing) -> None:
    first = packing.plan.drives[0].uuid
    sound = packing.drives[first]
    packing.drives[first] = FaultyDrive(sound, Orders(full_after_bytes=400_000))
    with pytest.raises(DriveFull):
        packing.write()
    packing.drives[first] = sound
    assert packing.write().num_files == len(packing.entries)


def test_finished_stripes_are_kept_on_resuming(packing: Packing) -> None:
    last = packing.plan.drives[3].uuid
    sound = packing.drives[last]
    packing.drives[last] = FaultyDrive(sound, Orders(fail_writes_of=frozenset({"data/0000002-01.tar.age"})))
    with pytest.raises(DriveFailed):
        packing.write()
    before = (packing.folder("A1") / "data/0000000-00.tar.age").read_bytes()
    packing.drives[last] = sound
    packing.write()
    assert (packing.folder("A1") / "data/0000000-00.tar.age").read_bytes() == before


def test_a_stripe_whose_file_is_gone_is_written_anew(packing: Packing) -> None:
    packing.write()
    (packing.folder("A1") / "data/0000000-00.tar.age").unlink()
    packing.write()
    group = the_group(packing)
    volume = group.volumes[0]
    assert sha256_file(packing.folder("A1") / "data/0000000-00.tar.age") == volume.sha256


# --- sources that do not hold still --------------------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [299_999, 300_001, 0], ids=["shrunk", "grown", "emptied"])
def test_a_source_of_another_length_fails_the_run_at_its_end_by_name(
    packing: Packing, tmp_path: Path, size_bytes: int
) -> None:
    (tmp_path / "cargo/a/one").write_bytes(b"z" * size_bytes)
    with pytest.raises(SourceChanged, match=f"a/one: {size_bytes} bytes instead of 300000"):
        packing.write()
    assert not any(name.endswith("drive.json") for name in everything(packing))
    assert any(name.endswith(".parity") for name in everything(packing))


def test_a_source_that_was_touched_fails_the_run(packing: Packing, tmp_path: Path) -> None:
    os.utime(tmp_path / "cargo/many/07", ns=(1, 1))
    with pytest.raises(SourceChanged, match="many/07: written to"):
        packing.write()


@pytest.mark.parametrize("name", ["a/two", "b/three"], ids=["whole", "cut"])
def test_a_source_with_another_digest_than_listed_fails_the_run(packing: Packing, tmp_path: Path, name: str) -> None:
    entries = [e._replace(sha256="0" * 64) if e.name.decode() == name else e for e in packing.entries]
    with pytest.raises(SourceChanged, match=f"{name}: SHA-256"):
        make_packing(tmp_path, entries).write()


def test_a_source_that_is_gone_is_named(packing: Packing, tmp_path: Path) -> None:
    (tmp_path / "cargo/a/two").unlink()
    with pytest.raises(SourceUnreadable, match="a/two"):
        packing.write()


@pytest.mark.parametrize("after", ["the first write", "all is written"])
def test_a_cut_file_that_cannot_be_hashed_stops_its_stripe_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """The thread that hashes it fails, those that write and read back do not: they are told."""
    write_cargo(tmp_path / "cargo", {"cut": 12 * MIB})
    packing = make_packing(tmp_path, target_bytes=8 * MIB)
    begun, failed = threading.Event(), threading.Event()

    def fail(*_: object) -> NoReturn:
        begun.wait(20)
        failed.set()
        raise SourceUnreadable("source cannot be read", where="cut")

    class Watched(FaultyDrive):
        """Counts what is written and read after the failure; the failure comes when it has begun."""

        num_blocks = 0

        @contextlib.contextmanager
        def open_writer(self, name: str) -> Iterator[DriveWriter]:
            with super().open_writer(name) as writer:
                yield self._watch(writer) if name.startswith("data/") else writer
                if name.endswith(".age") and after == "all is written":
                    self._come_to_it()

        def _watch(self, writer: DriveWriter) -> DriveWriter:
            def write(data: bytes | bytearray | memoryview) -> None:
                if after == "the first write":
                    self._come_to_it()
                Watched.num_blocks += len(data) > 0
                writer.write(data)

            return cast("DriveWriter", SimpleNamespace(write=write))

        def _come_to_it(self) -> None:
            begun.set()
            assert failed.wait(20)
            time.sleep(0.05)  # from the raise to its end in that thread

    monkeypatch.setattr(stripes, "hash_whole", fail)
    packing.drives = {uuid: Watched(drive, Orders()) for uuid, drive in packing.drives.items()}
    with pytest.raises(SourceUnreadable, match="cut"):
        packing.write()
    written = 12 if after == "all is written" else 0
    assert Watched.num_blocks <= written + 6, "of 24 and more, in volumes and parity"
    assert not list((packing.folder("A1") / "data").glob("*.parity"))


def test_two_entries_of_the_same_name_are_refused(packing: Packing, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="same name"):
        make_packing(tmp_path, [*packing.entries, packing.entries[0]]).write()


def test_a_volume_of_many_blocks_is_coded_block_by_block(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"one": 5 * MIB + 77, "two": 3 * MIB, "three": 10 * KIB})
    packing = make_packing(tmp_path, target_bytes=8 * MIB)
    written = packing.write()
    columns = {}
    for volume in written.groups[0].group.volumes:
        path = Path(packing.drives[volume.drive].location, layout.volume_name(volume.stripe, volume.column, 2))
        columns[volume.column] = path.read_bytes() if volume.bytes else b""
    length = len(columns[2])
    parity = [bytearray(length), bytearray(length)]
    Code(2, 2).encode([columns[0].ljust(length, b"\0"), columns[1].ljust(length, b"\0")], parity)
    assert [bytes(p) for p in parity] == [columns[2], columns[3]]


def test_custody_on_the_drive_has_three_signed_events(packing: Packing) -> None:
    packing.write()
    lines = (packing.folder("A1") / layout.CUSTODY).read_bytes().splitlines()
    verbs = [json.loads(json.loads(line)["entry"])["verb"] for line in lines]
    assert verbs == ["formatted", "opened", "closed"]
