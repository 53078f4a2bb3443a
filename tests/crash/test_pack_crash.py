"""Packs that are killed again and again, and attempts that follow one that was killed (see also test_every_step)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_parts import KILLED, check_bags, run_in_child, scratch
from packtrain.crypto import age
from packtrain.volume import layout
from packtrain.volume.catalog import Catalog
from shipment_parts import Packing, make_packing, write_cargo


def restored(packing: Packing, scratch: Path) -> dict[str, str]:
    """Return name -> SHA-256 as the catalog has it, after checking every volume against group.json by its manifest."""
    check_bags(packing)
    sealed = (Path(next(iter(packing.drives.values())).location) / layout.CATALOG).read_bytes()
    path = scratch / "catalog.sqlite"
    path.write_bytes(age.decrypt_bytes(sealed, [packing.identity]))
    with Catalog.open(path) as opened:
        return {file.path.decode(): file.sha256 or "" for file in opened.files()}


@pytest.fixture
def root() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


def make(root: Path) -> Packing:
    write_cargo(root / "cargo", {"one": 300_000, "two": 5, "three": 200_000})
    return make_packing(root, cases=(1, 1, 1), groups=[(2, 1)])


def wipe(packing: Packing) -> None:
    shutil.rmtree(packing.journal_folder, ignore_errors=True)
    for drive in packing.drives.values():
        for path in Path(drive.location).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_pack_killed_again_and_again_still_arrives(root: Path) -> None:
    packing = make(root)
    kills = 0
    while (found := run_in_child(packing.write, 45 + 10 * kills))[0] == KILLED:
        kills += 1
    assert found[0] == 0
    assert kills > 2
    assert set(restored(packing, root)) == {"one", "two", "three"}


def test_a_new_attempt_after_a_kill_clears_what_the_old_one_left(root: Path) -> None:
    packing = make(root)
    for die_at in (3, 9, 17, 30, 60, 110, 160, 200):
        wipe(packing)
        run_in_child(packing.write, die_at)
        again = make_packing(root, cases=(1, 1, 1), groups=[(2, 1)], attempt=2, shipment=packing.plan.shipment)
        shutil.rmtree(again.journal_folder, ignore_errors=True)
        code, _ = run_in_child(again.write, None)
        assert code == 0, f"after step {die_at}"
        assert set(restored(again, root)) == {"one", "two", "three"}


@pytest.mark.parametrize("die_at", [2, 6, 11, 23, 41])
def test_a_clearing_that_was_killed_is_taken_up(root: Path, die_at: int) -> None:
    packing = make(root)
    assert run_in_child(packing.write, None)[0] == 0
    again = make_packing(root, cases=(1, 1, 1), groups=[(2, 1)], attempt=2, shipment=packing.plan.shipment)
    run_in_child(again.write, die_at)
    assert run_in_child(again.write, None)[0] == 0
    assert set(restored(again, root)) == {"one", "two", "three"}
