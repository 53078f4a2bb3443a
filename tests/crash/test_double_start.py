"""Two loads of one shipment at once, where the file system keeps no lock between them: work is wasted, no byte is lost.

As over NFS mounted with local locks: each process gets every lock it asks for. The first is held up at a durable step,
the second begins, and dies in the middle of a file or goes on to its end; then the first goes on.
"""

import fcntl
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault_parts import LABELS, Voyage, scratch
from load_parts import Site
from packtrain import durable
from packtrain.errors import PacktrainError
from packtrain.volume import extract
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import make_packing, write_cargo

pytestmark = pytest.mark.slow

DONE, FAILED, DIED = 0, 3, 9
# The steps at which the first is held up, each the n-th time.
STEPS = [("volumes staged", 1), ("volumes staged", 2), ("flushed store", 1), ("published", 1)]
_LARGE_BYTES = 5000


@pytest.fixture(scope="module")
def packed() -> Iterator[tuple[Voyage, ShipmentWritten]]:
    with scratch() as root:
        # A volume of its own for one file, so that all runs stage the same first.
        write_cargo(root / "cargo", {"large": 200_000, "cut": 600_000})
        voyage = Voyage(root, make_packing(root, cases=(1, 1, 1), groups=[(2, 1)]))
        voyage.heal()
        yield voyage, voyage.pack()


def forked(work: Callable[[], object]) -> int:
    """Run `work` in a child for which every lock is free; return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fcntl.flock = lambda descriptor, operation: None
            work()
            code = DONE
        except (PacktrainError, OSError):
            # The command tells of both: what was staged here is gone, for the other one cleared it.
            code = FAILED
        except BaseException:  # noqa: BLE001 - a child of fork must never return into pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stopped_at(site: Site, step: tuple[str, int]) -> int:
    """Begin a load that stops itself at a durable step; return its process id once it stands, or has ended."""

    def work() -> None:
        seen = 0

        def count(name: str) -> None:
            nonlocal seen
            seen += name == step[0]
            if (name, seen) == step:
                os.kill(os.getpid(), signal.SIGSTOP)

        durable.observe_steps(count)
        site.load()

    child = forked(work)
    os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return child


def half_a_file(site: Site) -> None:
    """Load, and die when half of a larger file is written."""

    def write(descriptor: int, view: memoryview) -> None:
        half = view[: len(view) // 2] if len(view) > _LARGE_BYTES else view
        os.write(descriptor, half)
        if len(half) < len(view):
            os._exit(DIED)

    extract._write_all = write
    site.load()


def assert_right(site: Site, step: tuple[str, int]) -> None:
    """Every file that stands in the store is its source."""
    for entry in site.packing.entries:
        copy = site.root / "store" / entry.name.decode()
        if entry.kind == "file" and copy.exists():
            assert copy.read_bytes() == Path(os.fsdecode(entry.source)).read_bytes(), (entry.name, step)


@pytest.mark.parametrize("second", ["dies", "ends"])
def test_a_double_start_without_locks_loses_nothing(packed: tuple[Voyage, ShipmentWritten], second: str) -> None:
    voyage, written = packed
    codes: list[int] = []
    for number, step in enumerate(STEPS):
        site = voyage.site(written, lost=LABELS[number % 3 : number % 3 + 1])
        first = stopped_at(site, step)
        other = code_of(forked((lambda site=site: half_a_file(site)) if second == "dies" else site.load))
        os.kill(first, signal.SIGCONT)
        codes.append(code_of(first))
        assert codes[-1] in (DONE, FAILED), step
        assert other in (DONE, FAILED, DIED), step
        assert_right(site, step)
        site.load()
        site.assert_loaded()
    # What one has staged the next clears: that costs work, and is told.
    assert FAILED in codes
