"""Parts for tests of faults: a tiny shipment on faulty drives, its way from pack to load, and deaths by the step."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from load_parts import Site
from packtrain import durable
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import KILLED, FaultyDrive, Orders
from packtrain.digest import sha256_file
from packtrain.errors import PacktrainError
from packtrain.ports import Drive
from packtrain.volume import layout
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, write_cargo

# Two stripes: a file that is cut over three volumes, small ones that share one, an empty one.
SIZES = {"cut": 600_000, "small": 5, "second": 200_000, "deep/er/empty": 0}
LABELS = ("A1", "B1", "C1")


def memory_folder() -> str | None:
    """Return a folder in memory where there is one: thousands of flushes to a disk are slow, and show no more."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder, in memory where that can be had."""
    with tempfile.TemporaryDirectory(prefix="packtrain-faults-", dir=memory_folder()) as folder:
        yield Path(folder)


@dataclass
class Voyage:
    """Three drives in three cases (2 + 1), packed from the same cargo again and again.

    Attributes:
        packing: what write_shipment is called with; its drives are the faulty ones.
        drives: the same drives by label.
    """

    root: Path
    packing: Packing
    drives: dict[str, FaultyDrive] = field(default_factory=dict[str, FaultyDrive])
    loads: int = 0

    def orders(self, label: str, orders: Orders) -> FaultyDrive:
        """Give a drive its orders, counting its calls from now on; return it."""
        planned = next(planned for planned in self.packing.plan.drives if planned.label == label)
        drive = FaultyDrive(DirectoryDrive(self.root / f"drive-{label}"), orders)
        self.drives[label] = self.packing.drives[planned.uuid] = drive
        return drive

    def heal(self) -> None:
        """Take back all orders."""
        for label in LABELS:
            self.orders(label, Orders())

    def wipe(self) -> None:
        """Empty the drives and forget the journal: the next pack starts from nothing."""
        shutil.rmtree(self.packing.journal_folder, ignore_errors=True)
        for label in LABELS:
            for path in (self.root / f"drive-{label}").iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.heal()

    def pack(self) -> ShipmentWritten:
        """Run write_shipment with the drives as they are."""
        return self.packing.write()

    def site(self, written: ShipmentWritten, *, lost: Collection[str] = ()) -> Site:
        """Return a site with a fresh store that the drives, as they are, are brought to."""
        self.loads += 1
        root = self.root / f"site-{self.loads}"
        root.mkdir()
        drives: dict[str, Drive] = {label: drive for label, drive in self.drives.items() if label not in lost}
        return Site(root, self.packing, written, drives)

    def assert_carried(self, written: ShipmentWritten, *, lost: Collection[str] = ()) -> None:
        """Load from the medium, past all orders, and compare every entry with its source."""
        self.heal()
        site = self.site(written, lost=lost)
        site.load()
        site.assert_loaded()
        shutil.rmtree(site.root)


def make_voyage(root: Path) -> Voyage:
    """Return a voyage below `root`, with a link, a second name of a file and an empty folder in its cargo."""
    cargo = write_cargo(root / "cargo", SIZES)
    (cargo / "link").symlink_to("deep/er/empty")
    (cargo / "twin").hardlink_to(cargo / "small")
    (cargo / "hollow").mkdir()
    voyage = Voyage(root, make_packing(root, cases=(1, 1, 1), groups=[(2, 1)]))
    voyage.heal()
    return voyage


@pytest.fixture
def voyage() -> Iterator[Voyage]:
    """A voyage in a folder of its own."""
    with scratch() as root:
        yield make_voyage(root)


def check_bags(packing: Packing) -> None:
    """Assert that every drive is a valid bag, with no file in data/ that its manifest does not name."""
    for drive in packing.drives.values():
        folder = Path(drive.location)
        assert not [path for path in folder.rglob("*" + durable.TEMPORARY_SUFFIX)]
        for line in [*(folder / layout.MANIFEST).open(), *(folder / layout.TAG_MANIFEST).open()]:
            digest, name = line.rstrip("\n").split("  ")
            assert sha256_file(folder / name) == digest, name
        on_drive = {path.name for path in (folder / "data").glob("*")}
        assert on_drive == {line.rstrip("\n").rsplit("/", 1)[1] for line in (folder / layout.MANIFEST).open()}


def is_clear(error: PacktrainError) -> bool:
    """Return whether an error says what is wrong, at which place, and what to do; and is no defect's."""
    return error.exit_code > 1 and bool(error.where) and bool(error.hint)


def fault_of(work: Callable[[], object]) -> PacktrainError | None:
    """Return the error that work ends with, None if it does not; anything but a clear error fails the test."""
    try:
        work()
    except PacktrainError as error:
        assert is_clear(error), repr(error.to_dict())
        return error
    return None


def run_in_child(work: Callable[[], object], die_at: int | None) -> tuple[int, int]:
    """Run `work` in a child that ends without clean-up at its n-th durable step; return (exit code, steps seen)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            seen = 0

            def count(_name: str) -> None:
                nonlocal seen
                seen += 1
                if seen == die_at:
                    # No exception handler, no `finally`, no flush: what a power cut leaves.
                    os._exit(KILLED)

            durable.observe_steps(count)
            work()
            os.write(writer, str(seen).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - a child of fork must never return into pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    seen = int(os.read(reader, 32) or b"0")
    os.close(reader)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen


@contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[None]:
    """Mount a file system in memory of this size at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def sampled(count: int, at_most: int) -> list[int]:
    """Return 1 to `count`, or about `at_most` of them: the first and last twenty and an even choice between."""
    if count <= at_most:
        return list(range(1, count + 1))
    edge = min(20, at_most // 4)
    stride = -(-(count - 2 * edge) // (at_most - 2 * edge))
    middle = range(edge + 1, count - edge + 1, stride)
    return sorted({*range(1, edge + 1), *middle, *range(count - edge + 1, count + 1)})
