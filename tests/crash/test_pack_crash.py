"""A pack killed at any durable step goes on when it is run again, and ends where an undisturbed one ends."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packtrain import durable
from packtrain.crypto import age
from packtrain.digest import sha256_file
from packtrain.volume import layout
from packtrain.volume.catalog import Catalog
from shipment_parts import Packing, make_packing, write_cargo

KILLED = 77


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


def restored(packing: Packing, scratch: Path) -> dict[str, str]:
    """Return name -> SHA-256 as the catalog has it, after checking every volume against group.json by its manifest."""
    for drive in packing.drives.values():
        folder = Path(drive.location)
        assert not [path for path in folder.rglob("*.part")]
        for line in [*(folder / layout.MANIFEST).open(), *(folder / layout.TAG_MANIFEST).open()]:
            digest, name = line.rstrip("\n").split("  ")
            assert sha256_file(folder / name) == digest
        on_drive = {path.name for path in (folder / "data").glob("*")}
        assert on_drive == {line.rstrip("\n").rsplit("/", 1)[1] for line in (folder / layout.MANIFEST).open()}
    sealed = (Path(next(iter(packing.drives.values())).location) / layout.CATALOG).read_bytes()
    path = scratch / "catalog.sqlite"
    path.write_bytes(age.decrypt_bytes(sealed, [packing.identity]))
    with Catalog.open(path) as opened:
        return {file.path.decode(): file.sha256 or "" for file in opened.files()}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a killed process needs no medium, and thousands of flushes are slow."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="packtrain-crash-", dir=shared) as folder:
        yield Path(folder)


def make(root: Path) -> Packing:
    write_cargo(root / "cargo", {"one": 300_000, "two": 5, "three": 200_000})
    return make_packing(root, cases=(1, 1, 1), groups=[(2, 1)])


def wipe(packing: Packing) -> None:
    shutil.rmtree(packing.journal_folder, ignore_errors=True)
    for drive in packing.drives.values():
        for path in Path(drive.location).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_pack_killed_at_any_durable_step_ends_as_if_it_never_was(root: Path) -> None:
    packing = make(root)
    code, steps = run_in_child(packing.write, None)
    assert code == 0
    expected = restored(packing, root)
    assert steps > 100
    # Every step of formatting and of the last drive's closing, every fifth between: the middle repeats itself.
    chosen = sorted({*range(1, 20), *range(20, steps - 20, 5), *range(max(20, steps - 20), steps + 1)})
    for die_at in chosen:
        wipe(packing)
        code, _ = run_in_child(packing.write, die_at)
        # Threads reach their steps in another order each time, so the last few may not be reached.
        assert code in (KILLED, 0), f"step {die_at}"
        code, _ = run_in_child(packing.write, None)
        assert code == 0, f"after step {die_at}"
        assert restored(packing, root) == expected, f"after step {die_at}"


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
