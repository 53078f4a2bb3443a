"""Packing in waves, and a replacement, killed at durable steps: run again, it ends as if it had never stopped."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import DuplicateDrive, MoreDrivesWanted
from packtrain.events import discard
from packtrain.volume import layout
from packtrain.volume.scrub import scrub
from wave_parts import Home, copy_home, make_home

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    shared = Path("/dev/shm")
    place = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="packtrain-waves-", dir=place) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def at_home(root: Path) -> Home:
    """One wave done, the drives of the second in the bays."""
    home = make_home(root / "at-home")
    assert isinstance(home.pack_wave("d1", "d2", "d3"), MoreDrivesWanted)
    home.plug("d4", "d5", "d6")
    return home


@pytest.fixture(scope="module")
def with_a_failed_drive(root: Path, at_home: Home) -> Home:
    """Two waves done, B1 lost, an empty drive and the rest of its group in the bays."""
    home = copy_home(at_home, root / "failed")
    assert isinstance(home.pack_wave("d4", "d5", "d6"), MoreDrivesWanted)
    home.unplug()
    shutil.rmtree(home.shelf("d2"))
    home.empty_drive("new")
    home.plug("d1", "new", "d3")
    return home


def chosen(steps: int) -> list[int]:
    """Return every step of the beginning and of the end, and some between, which repeat themselves."""
    return sorted({*range(1, 16, 2), *range(16, steps, max(1, steps // 14)), *range(max(1, steps - 12), steps + 1, 2)})


def finish(home: Home, *waves: tuple[str, ...]) -> None:
    """Pack what is left; assert that the shipment is whole, by its signatures and every block."""
    ended: MoreDrivesWanted | Receipt | None = None
    for names in waves:
        ended = home.pack_wave(*names)
    assert isinstance(ended, Receipt)
    home.unplug()
    paths = [path for path in sorted((home.root / "shelf").iterdir())]
    report = scrub(
        [DirectoryDrive(path) for path in paths],
        home.folder.trust(),
        discard,
        shipment=home.folder.read_signed(Shipment),
    )
    assert report.verdict == "whole"
    assert not any(drive.findings for drive in report.drives if drive.is_usable)
    assert all(drive.is_usable for drive in report.drives)
    assert len(report.drives) == 9


def pack_and_end(home: Home, replace: tuple[str, Path] | None = None) -> None:
    try:
        home.pack(replace)
    except MoreDrivesWanted:
        return


def test_a_wave_killed_at_any_step_goes_on_with_its_drives_in_other_bays(root: Path, at_home: Home) -> None:
    whole = copy_home(at_home, root / "counted")
    code, steps = run_in_child(lambda: pack_and_end(whole), None)
    assert code == 0
    for die_at in chosen(steps):
        home = copy_home(at_home, root / "killed")
        code, _ = run_in_child(lambda home=home: pack_and_end(home), die_at)  # type: ignore[misc]
        assert code in (KILLED, 0), f"step {die_at}"
        finish(home, ("d6", "d4", "d5"), ("d7", "d8", "d9"))
        shutil.rmtree(home.root)


def test_a_wave_killed_and_followed_by_another_comes_back_to_its_own(root: Path, at_home: Home) -> None:
    for die_at in (30, 90, 150):
        home = copy_home(at_home, root / "killed")
        code, _ = run_in_child(lambda home=home: pack_and_end(home), die_at)  # type: ignore[misc]
        assert code == KILLED
        assert isinstance(home.pack_wave("d7", "d8", "d9"), MoreDrivesWanted)
        finish(home, ("d5", "d6", "d4"))
        shutil.rmtree(home.root)


def uuids_on(home: Home) -> dict[str, str]:
    """Return which drive each drive of the shelf says it is: by its plan and the first entry of its custody log."""
    found: dict[str, str] = {}
    for shelf in sorted((home.root / "shelf").iterdir()):
        if (shelf / layout.PLAN).exists():
            first = (shelf / layout.CUSTODY).read_bytes().split(b"\n", 1)[0]
            found[shelf.name] = json.loads(json.loads(first)["entry"])["drives"][0]
    return found


@pytest.fixture(scope="module")
def at_the_start(root: Path) -> Home:
    home = make_home(root / "at-the-start")
    home.plug("d1", "d2", "d3")
    return home


def test_drives_taken_out_after_a_kill_while_they_are_made_ready_never_have_a_double(
    root: Path, at_the_start: Home
) -> None:
    """Killed between what is written on a drive and what is noted of it; then another is in its bay."""
    for die_at in range(36, 54):  # from the first drive that is begun to the second
        home = copy_home(at_the_start, root / "killed")
        code, _ = run_in_child(lambda home=home: pack_and_end(home), die_at)  # type: ignore[misc]
        assert code == KILLED
        for names in (("d4", "d2", "d3"), ("d1", "d5", "d6"), ("d1", "d2", "d3"), ("d4", "d5", "d6")):
            home.pack_wave(*names)
            home.unplug()
            uuids = uuids_on(home)
            assert len(set(uuids.values())) == len(uuids), f"step {die_at}, {names}: {uuids}"
        shutil.rmtree(home.root)


def test_two_drives_of_one_uuid_are_both_named_and_the_emptier_one_is_to_be_cleared(
    root: Path, at_the_start: Home
) -> None:
    home = copy_home(at_the_start, root / "doubled")
    code, steps = run_in_child(lambda: pack_and_end(home), None)
    assert code == 0 and steps > 60
    shutil.copytree(home.bay(1) / "packtrain", home.shelf("d4") / "packtrain")
    home.plug("d1", "d4", "d5")
    with pytest.raises(DuplicateDrive) as caught:
        home.pack()
    assert str(caught.value.where).endswith("bays/2")
    assert str(caught.value.found).endswith("bays/1")
    assert "packtrain drives clear" in str(caught.value.hint) and 'bays/2"' in str(caught.value.hint)


@pytest.mark.parametrize("names_it_again", [True, False])
def test_a_replacement_killed_at_any_step_is_taken_up(
    root: Path, with_a_failed_drive: Home, names_it_again: bool
) -> None:
    def replaced(home: Home) -> tuple[str, Path]:
        return "B1", home.bay(2)

    whole = copy_home(with_a_failed_drive, root / "counted-too")
    code, steps = run_in_child(lambda: pack_and_end(whole, replaced(whole)), None)
    assert code == 0
    shutil.rmtree(whole.root)
    shutil.rmtree(root / "killed", ignore_errors=True)
    # Half of the kills each: both ways on are the same but for how the drive is known again.
    for die_at in chosen(steps)[names_it_again::2]:
        home = copy_home(with_a_failed_drive, root / "killed")
        code, _ = run_in_child(lambda home=home: pack_and_end(home, replaced(home)), die_at)  # type: ignore[misc]
        assert code in (KILLED, 0), f"step {die_at}"
        # Without its name it is known by what is on it, or by where it stood; before that was noted, nothing was done.
        if names_it_again or not home.custody("replaced"):
            pack_and_end(home, replaced(home))
        else:
            pack_and_end(home)
        assert len(home.custody("replaced")) == 1, f"step {die_at}"
        finish(home, ("d7", "d8", "d9"))
        shutil.rmtree(home.root)
