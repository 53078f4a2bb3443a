"""Drives that fail while they are packed: a clear message, or a shipment that is whole; and the next run arrives."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fault_parts import KILLED, Voyage, check_bags, fault_of, make_voyage, run_in_child, sampled, scratch, small_disk
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.errors import DriveFailed, DriveFull, PacktrainError
from packtrain.volume.writer import ShipmentWritten

pytestmark = pytest.mark.long

MOST_CALLS = 30


@pytest.fixture(scope="module")
def calls() -> Iterator[dict[str, FaultyDrive]]:
    """The drives after an undisturbed pack: they have counted their calls and bytes."""
    with scratch() as root:
        voyage = make_voyage(root)
        voyage.pack()
        yield dict(voyage.drives)


@pytest.fixture(scope="module")
def voyage() -> Iterator[Voyage]:
    with scratch() as root:
        yield make_voyage(root)


def pack_with(voyage: Voyage, label: str, orders: Orders) -> PacktrainError | None:
    """Pack anew with one faulty drive; return the error it ended with."""
    voyage.wipe()
    voyage.orders(label, orders)
    error = fault_of(voyage.pack)
    if error is not None:
        assert str(voyage.root / f"drive-{label}") in (error.where or ""), "the message names another drive"
    return error


def assert_goes_on(voyage: Voyage, *, lost: str = "") -> ShipmentWritten:
    """Heal the drives, run pack again, and compare what arrives."""
    voyage.heal()
    written = voyage.pack()
    check_bags(voyage.packing)
    voyage.assert_carried(written, lost=[lost] if lost else [])
    return written


@pytest.mark.parametrize("label", ["A1", "C1"])
def test_an_io_error_at_any_write_is_named_and_the_next_run_arrives(
    voyage: Voyage, calls: dict[str, FaultyDrive], label: str
) -> None:
    for call in sampled(calls[label].num_writes, MOST_CALLS):
        error = pack_with(voyage, label, Orders(fail_writes=frozenset({call})))
        assert isinstance(error, DriveFailed), f"write {call}"
        assert_goes_on(voyage, lost="A1" if call % 2 else "")


@pytest.mark.parametrize("label", ["B1"])
def test_an_io_error_at_any_read_is_named_and_the_next_run_arrives(
    voyage: Voyage, calls: dict[str, FaultyDrive], label: str
) -> None:
    for call in sampled(calls[label].num_reads, MOST_CALLS):
        error = pack_with(voyage, label, Orders(fail_reads=frozenset({call})))
        assert error is None or isinstance(error, DriveFailed), f"read {call}"
        assert_goes_on(voyage, lost="C1" if call % 2 else "")


def test_a_full_drive_is_named_and_packing_goes_on_when_there_is_room(
    voyage: Voyage, calls: dict[str, FaultyDrive]
) -> None:
    total_bytes = calls["B1"].written_bytes
    for part in range(20):
        error = pack_with(voyage, "B1", Orders(full_after_bytes=total_bytes * part // 20))
        assert isinstance(error, DriveFull), f"{part} of 20"
        assert_goes_on(voyage, lost="A1" if part % 2 else "")


def test_a_torn_write_at_any_call_is_written_again(voyage: Voyage, calls: dict[str, FaultyDrive]) -> None:
    torn = 0
    for call in sampled(calls["A1"].num_writes, MOST_CALLS):
        voyage.wipe()
        voyage.orders("A1", Orders(torn_write=call))
        code, _ = run_in_child(voyage.pack, None)
        assert code in (0, KILLED), f"write {call}"
        torn += code == KILLED
        assert_goes_on(voyage, lost="B1" if call % 2 else "")
    assert torn > 4


def names_on(voyage: Voyage, label: str) -> list[str]:
    folder = voyage.root / f"drive-{label}"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("label", ["A1", "C1"])
def test_a_bit_that_flips_as_a_file_is_written_is_found_or_does_no_harm(voyage: Voyage, label: str) -> None:
    voyage.wipe()
    voyage.pack()
    for name in names_on(voyage, label):
        length = (voyage.root / f"drive-{label}" / name).stat().st_size
        error = pack_with(voyage, label, Orders(flip_when_finished={name: length // 2}) if length else Orders())
        if error is None:
            # Found by nobody while packing: then it must do no harm to who loads.
            assert not name.startswith("data/"), "a volume was not read back"
            assert_carried_by_others(voyage, label)
        assert_goes_on(voyage)


def assert_carried_by_others(voyage: Voyage, label: str) -> None:
    """Load the shipment as it is: whole with the damaged drive, or a clear message and whole without it."""
    voyage.heal()
    written = voyage.pack()
    site = voyage.site(written)
    if fault_of(site.load) is not None:
        site = voyage.site(written, lost=[label])
        site.load()
    site.assert_loaded()


def test_a_bit_that_flips_on_reading_back_stops_the_pack(voyage: Voyage) -> None:
    voyage.wipe()
    voyage.pack()
    for name in names_on(voyage, "B1"):
        if name.startswith("data/"):
            error = pack_with(voyage, "B1", Orders(flip_on_read={name: 100}))
            assert isinstance(error, DriveFailed), name
            assert_goes_on(voyage)


def test_short_reads_are_no_end_of_a_file(voyage: Voyage) -> None:
    error = pack_with(voyage, "B1", Orders(short_reads=True))
    assert isinstance(error, DriveFailed)
    assert_goes_on(voyage)


@pytest.mark.parametrize("label", ["A1", "C1"])
def test_a_drive_that_is_pulled_and_plugged_in_again_is_packed_on(
    voyage: Voyage, calls: dict[str, FaultyDrive], label: str
) -> None:
    for call in sampled(calls[label].num_reads + calls[label].num_writes, MOST_CALLS):
        error = pack_with(voyage, label, Orders(pulled_at=call))
        assert isinstance(error, DriveFailed), f"call {call}"
        voyage.drives[label].plug_in()
        written = voyage.pack()
        check_bags(voyage.packing)
        voyage.assert_carried(written, lost=["B1"] if call % 2 else [])


def test_a_drive_that_is_pulled_again_and_again_is_packed_in_the_end(voyage: Voyage) -> None:
    voyage.wipe()
    drive = voyage.orders("A1", Orders(pulled_at=20))
    pulls = 0
    while fault_of(voyage.pack) is not None:
        pulls += 1
        assert pulls < 50
        drive.plug_in()
        drive.orders = Orders(pulled_at=drive.num_reads + drive.num_writes + 30 + 10 * pulls)
    assert pulls > 2
    assert_goes_on(voyage)


def test_a_mount_point_that_falls_back_to_an_empty_folder_is_found(
    voyage: Voyage, calls: dict[str, FaultyDrive]
) -> None:
    """What an unmounted drive leaves is the folder below it, on the system's own disk, which takes every write."""
    folder, away = voyage.root / "drive-B1", voyage.root / "drive-B1-elsewhere"

    class Slipping(FaultyDrive):
        slips_at = 0

        def before_reading(self, name: str) -> None:
            # Not before it is formatted: until then an empty folder is what was asked for.
            formatted = (folder / "packtrain" / "plan.json").exists()
            if self.num_reads + self.num_writes >= self.slips_at and formatted and not away.exists():
                folder.rename(away)
                folder.mkdir()
            super().before_reading(name)

    for call in sampled(calls["B1"].num_reads + calls["B1"].num_writes, 25):
        voyage.wipe()
        drive = voyage.orders("B1", Orders())
        drive.__class__ = Slipping
        assert isinstance(drive, Slipping)
        drive.slips_at = call
        error = fault_of(voyage.pack)
        if not away.exists():
            continue  # it slips at reading calls only, and none follows the last
        shutil.rmtree(folder)
        away.rename(folder)
        # At the very end only the copy of shipment.json is missing, which other drives and the dossier have too.
        closed = (folder / "packtrain" / "drive.json.sig").exists()
        assert error is not None or closed, f"call {call}: packed to a drive that was not there"
        assert_goes_on(voyage)


# --- a drive that lies about its capacity ----------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", ["wraps", "is lost"])
def test_a_drive_smaller_than_it_says_is_never_closed_with_bytes_missing(
    voyage: Voyage, calls: dict[str, FaultyDrive], beyond: str
) -> None:
    total_bytes = calls["A1"].written_bytes
    caught = 0
    for part in range(1, 20):
        lie = Orders(real_bytes=total_bytes * part // 20)
        lie = replace(lie, beyond=beyond)
        error = pack_with(voyage, "A1", lie)
        if error is not None:
            assert isinstance(error, DriveFailed)
            caught += 1
            # Trying again with the same drive does not make it larger.
            again = fault_of(voyage.pack)
            assert again is not None or data_is_whole(voyage, "A1"), f"{part} of 20"
        else:
            assert data_is_whole(voyage, "A1"), f"{part} of 20: closed, but a volume is not what was written"
        voyage.wipe()
        assert_goes_on(voyage)
    assert caught > 8


def data_is_whole(voyage: Voyage, label: str) -> bool:
    """Return whether the volumes of a drive are those that its manifest names."""
    folder = voyage.root / f"drive-{label}"
    done = subprocess.run(["sha256sum", "--quiet", "-c", "manifest-sha256.txt"], cwd=folder, capture_output=True)
    return done.returncode == 0


# --- the journal's disk ----------------------------------------------------------------------------------------------


def named_as_full(voyage: Voyage) -> None:
    error = fault_of(voyage.pack)
    # SQLite says "I/O error" where its shared memory finds no room; the hint then names room as well.
    assert error is None or isinstance(error, DriveFull | DriveFailed)
    assert error is None or "room" in (error.hint or "")


@pytest.mark.root
@pytest.mark.parametrize("size_kib", [4, 16, 32, 48, 64, 80, 96, 112, 128])
def test_a_full_disk_under_the_journal_is_named_and_packing_goes_on(voyage: Voyage, size_kib: int) -> None:
    voyage.wipe()
    disk = voyage.root / "disk"
    with small_disk(disk, size_kib):
        journal = voyage.packing.journal_folder
        voyage.packing.journal_folder = disk / "journal"
        try:
            # In a process of its own, as it is: SQLite keeps what it knows of a file as long as the process lives.
            code, _ = run_in_child(lambda: named_as_full(voyage), None)
            assert code == 0
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            voyage.heal()
            voyage.assert_carried(voyage.pack())
        finally:
            voyage.packing.journal_folder = journal
    assert os.path.ismount(disk) is False
