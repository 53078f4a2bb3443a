"""`prepare --engine slurm` on a real Slurm of one node: the same bytes, lost tasks, a driver that ends."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts_voyage import is_same, nothing_prepared, prepared_here, receipts
from netns_hosts import until
from packtrain.record.folder import VoyageFolder
from slurm_node import SlurmNode, slurm_node, why_no_slurm

UNITS_BEFORE = 4

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no such hosts; asked when a test is run, for asking makes a host."""
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `raw`, and with what a local run makes of it in `voyage`."""
    return prepared_here(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def node() -> Iterator[SlurmNode]:
    """Return a host with Slurm."""
    with slurm_node() as found:
        yield found


@pytest.fixture
def voyage(whole: Path, tmp_path: Path) -> VoyageFolder:
    """Return a voyage folder over the same sources, with nothing prepared."""
    return nothing_prepared(whole, tmp_path / "voyage", 'engine = "slurm"')


def test_an_array_gives_the_same_bytes_and_a_task_that_dies_is_handed_out_again(
    node: SlurmNode, voyage: VoyageFolder, whole: Path
) -> None:
    run = node.start_packtrain("prepare", str(voyage.root), "--workers", "2")
    until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, 120, "the first units")
    node.kill_worker()
    done_before = receipts(voyage)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 0, told
    assert "job array" in told
    assert "ended early" in told
    assert is_same(voyage, whole)
    done_after = receipts(voyage)
    assert {name: done_after[name] for name in done_before} == done_before
    assert not list(voyage.work.rglob("*.part"))
    assert not (voyage.work / "prepare" / "array").exists()


def test_a_killed_driver_leaves_what_a_second_run_finishes(node: SlurmNode, voyage: VoyageFolder, whole: Path) -> None:
    run = node.start_packtrain("prepare", str(voyage.root), "--workers", "2")
    until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, 120, "the first units")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    done_before = receipts(voyage)
    again = node.packtrain("prepare", str(voyage.root), "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert is_same(voyage, whole)
    done_after = receipts(voyage)
    assert {name: done_after[name] for name in done_before} == done_before


def test_an_interrupt_cancels_the_array(node: SlurmNode, voyage: VoyageFolder) -> None:
    run = node.start_packtrain("prepare", str(voyage.root))
    until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, 120, "the first units")
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "Traceback" not in told
    until(lambda: not node.tasks() and not node.workers(), 60, "the array to end")


def test_what_slurm_refuses_is_said_in_its_words(node: SlurmNode, voyage: VoyageFolder) -> None:
    with (voyage.root / "voyage.toml").open("a") as stream:
        stream.write('slurm_arguments = ["--partition=nowhere"]\n')
    done = node.packtrain("prepare", str(voyage.root))
    assert done.returncode == 27
    assert "Invalid partition" in done.stderr
    assert "slurm_arguments" in done.stderr


def test_an_error_of_a_task_comes_through_with_its_own_code(node: SlurmNode, voyage: VoyageFolder) -> None:
    (voyage.work / "prepare" / "units").mkdir(parents=True)
    # Where a unit's folder must be there is a file.
    for number in range(256):
        (voyage.work / "prepare" / "units" / f"{number:02x}").write_bytes(b"")
    done = node.packtrain("prepare", str(voyage.root), "--workers", "1")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


_DYING = """
import sys
from pathlib import Path

from dying_jobs import Job, healed, work
from packtrain.engines.shared_folders import shared_folders
from packtrain.engines.slurm import open_slurm
from packtrain.errors import WorkerCrashed

place = Path(sys.argv[1])
with shared_folders(place / "hosts", [], []) as shared:
    with open_slurm(place / "array", (), 2, shared, lambda event: None) as mapper:
        found = dict(mapper.map(work, [Job(number, dies=number == 2) for number in range(5)], healed))
        print(sorted(found.values()), any(job.dies for job in found))
    try:
        with open_slurm(place / "array", (), 2, shared, lambda event: None) as mapper:
            list(mapper.map(work, [Job(1), Job(2, dies=True)]))
    except WorkerCrashed as error:
        print(error.what)
"""


def test_a_job_that_kills_its_task_is_changed_and_one_that_does_so_again_and_again_is_an_error(
    node: SlurmNode, tmp_path: Path
) -> None:
    done = node.run(sys.executable, "-c", _DYING, str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "[0, 1, 4, 9, 16] False"
    assert "again and again" in second
