"""Drives and disks that fail during a load: parity stands in, or a message says what is wrong; the next run arrives."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence

import pytest

from fault_parts import LABELS, Voyage, fault_of, make_voyage, run_in_child, sampled, scratch, small_disk
from load_parts import Site
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.errors import BeyondRepair, DriveFailed, DriveFull, PacktrainError
from packtrain.volume.writer import ShipmentWritten

pytestmark = pytest.mark.long

MOST_CALLS = 40
Packed = tuple[Voyage, ShipmentWritten]


@pytest.fixture(scope="module")
def packed() -> Iterator[Packed]:
    with scratch() as root:
        voyage = make_voyage(root)
        yield voyage, voyage.pack()


@pytest.fixture(scope="module")
def num_reads(packed: Packed) -> int:
    """How many reading calls a drive sees in an undisturbed load."""
    site = site_with(packed, "A1", Orders())
    site.load()
    drive = site.drives["A1"]
    assert isinstance(drive, FaultyDrive)
    assert drive.num_reads > 10
    return drive.num_reads


def site_with(packed: Packed, label: str, orders: Orders) -> Site:
    """Return a fresh site with one faulty drive."""
    voyage, written = packed
    voyage.heal()
    voyage.orders(label, orders)
    return voyage.site(written)


def assert_whole(site: Site) -> None:
    site.assert_loaded()
    shutil.rmtree(site.root)


def go_on(site: Site, packed: Packed, *, without: Sequence[str] = ()) -> None:
    """Load into the same store again, from drives that are well, and compare everything."""
    voyage, _ = packed
    voyage.heal()
    site.drives = {label: voyage.drives[label] for label in LABELS if label not in without}
    site.load()
    assert_whole(site)


@pytest.mark.parametrize("label", ["A1", "C1"])
def test_an_io_error_at_any_read_costs_nothing_that_parity_has(packed: Packed, num_reads: int, label: str) -> None:
    whole_at_once = 0
    for call in sampled(num_reads, MOST_CALLS):
        site = site_with(packed, label, Orders(fail_reads=frozenset({call})))
        if fault_of(site.load) is None:
            whole_at_once += 1
            assert_whole(site)
        else:
            go_on(site, packed, without=[label])
    assert whole_at_once > 5


@pytest.mark.parametrize("label", ["A1", "B1"])
def test_a_drive_that_is_pulled_during_a_load_may_stay_away_or_come_back(
    packed: Packed, num_reads: int, label: str
) -> None:
    for call in sampled(num_reads, MOST_CALLS):
        site = site_with(packed, label, Orders(pulled_at=call))
        if fault_of(site.load) is None:
            assert_whole(site)
        else:
            go_on(site, packed, without=[label] if call % 2 else [])


def test_two_drives_that_are_pulled_leave_nothing_half_and_come_back(packed: Packed, num_reads: int) -> None:
    stopped = 0
    for call in sampled(num_reads, 25):
        site = site_with(packed, "A1", Orders(pulled_at=call))
        voyage, _ = packed
        site.drives["B1"] = voyage.orders("B1", Orders(pulled_at=call + 3))
        stopped += fault_of(site.load) is not None or not is_whole(site)
        go_on(site, packed)
    assert stopped > 10


def is_whole(site: Site) -> bool:
    try:
        site.assert_loaded()
    except (AssertionError, OSError):
        return False
    return True


def names_on(voyage: Voyage, label: str) -> list[str]:
    folder = voyage.root / f"drive-{label}"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("once", [True, False], ids=["once", "always"])
def test_a_bit_that_flips_on_reading_any_file_never_reaches_the_store(packed: Packed, once: bool) -> None:
    voyage, _ = packed
    for name in names_on(voyage, "A1"):
        length = (voyage.root / "drive-A1" / name).stat().st_size
        site = site_with(packed, "A1", Orders(flip_on_read={name: length // 2}, flip_once=once))
        if fault_of(site.load) is None:
            assert_whole(site)
        else:
            assert not name.startswith("data/"), f"{name}: parity should have stood in"
            go_on(site, packed, without=["A1"])


@pytest.mark.parametrize("label", ["A1", "C1"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_bit_that_flipped_on_the_medium_never_reaches_the_store(packed: Packed, label: str, place: str) -> None:
    voyage, written = packed
    for name in names_on(voyage, label):
        path = voyage.root / f"drive-{label}" / name
        length = path.stat().st_size
        if not length:
            continue
        voyage.heal()
        at = {"first": 0, "middle": length // 2, "last": length - 1}[place]
        voyage.drives[label].flip(name, at)
        try:
            site = voyage.site(written)
            if fault_of(site.load) is None:
                assert_whole(site)
            else:
                assert not name.startswith("data/"), f"{name}: parity should have stood in"
                go_on(site, packed, without=[label])
        finally:
            voyage.drives[label].flip(name, at)


def test_every_volume_cut_or_gone_on_one_drive_is_made_again(packed: Packed) -> None:
    voyage, written = packed
    for name in names_on(voyage, "B1"):
        if not name.startswith("data/"):
            continue
        path = voyage.root / "drive-B1" / name
        payload = path.read_bytes()
        try:
            for left in (payload[: len(payload) // 2], payload[:-1], b"", payload + b"x", None):
                path.unlink(missing_ok=True)
                if left is not None:
                    path.write_bytes(left)
                voyage.heal()
                site = voyage.site(written)
                site.load()
                assert_whole(site)
        finally:
            path.write_bytes(payload)


def test_short_reads_are_no_end_of_a_file(packed: Packed) -> None:
    site = site_with(packed, "A1", Orders(short_reads=True))
    if fault_of(site.load) is None:
        assert_whole(site)
    else:
        go_on(site, packed, without=["A1"])


def test_a_drive_that_is_slow_holds_the_load_up_and_breaks_nothing(packed: Packed) -> None:
    gate = threading.Event()
    site = site_with(packed, "B1", Orders(reads_wait_for=gate))
    ended: list[PacktrainError | None] = []
    thread = threading.Thread(target=lambda: ended.append(fault_of(site.load)))
    thread.start()
    gate.set()
    thread.join(timeout=60)
    assert ended == [None]
    assert_whole(site)


@pytest.mark.parametrize("lost", [("A1", "B1"), ("A1", "C1"), ("B1", "C1")])
def test_more_lost_drives_than_parity_stands_for_are_named_and_come_back(packed: Packed, lost: tuple[str, str]) -> None:
    voyage, written = packed
    voyage.heal()
    site = voyage.site(written, lost=lost)
    error = fault_of(site.load)
    assert error is None or isinstance(error, BeyondRepair)
    assert not is_whole(site)
    go_on(site, packed)


# --- the site's own disks --------------------------------------------------------------------------------------------


def named_as_full(site: Site) -> None:
    error = fault_of(site.load)
    assert error is None or isinstance(error, DriveFull | DriveFailed)
    assert error is None or "room" in (error.hint or "")


@pytest.mark.root
@pytest.mark.parametrize("lost", [(), ("A1",)], ids=["all drives", "one drive lost"])
@pytest.mark.parametrize("size_kib", [4, 64, 128, 256, 320, 384, 512, 640, 900])
def test_a_full_store_is_named_and_loading_goes_on(packed: Packed, size_kib: int, lost: tuple[str, ...]) -> None:
    voyage, written = packed
    voyage.heal()
    site = voyage.site(written, lost=lost)
    store = site.root / "store"
    with small_disk(store, size_kib):
        code, _ = run_in_child(lambda: named_as_full(site), None)
        assert code == 0
        subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)
        site.load()
        site.assert_loaded()


@pytest.mark.root
@pytest.mark.parametrize("size_kib", [4, 8, 16, 24, 32, 48])
def test_a_full_disk_under_the_journal_of_loading_is_named(packed: Packed, size_kib: int) -> None:
    voyage, written = packed
    voyage.heal()
    site = voyage.site(written, lost=["C1"])
    store = voyage.root / f"store-{voyage.loads}"
    store.mkdir()
    # Journal and catalog lie beside each other in the site's root; the store is elsewhere and has room.
    with small_disk(site.root, size_kib):
        (site.root / "store").symlink_to(store)
        code, _ = run_in_child(lambda: named_as_full(site), None)
        assert code == 0
        subprocess.run(["mount", "-o", "remount,size=64m", str(site.root)], check=True)
        site.load()
        site.assert_loaded()
