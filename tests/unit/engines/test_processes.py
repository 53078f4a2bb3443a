import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dying_jobs import Job, healed, work
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import WorkerCrashed


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_job_gives_its_result(num_workers: int) -> None:
    jobs = [Job(number) for number in range(9)]
    assert sorted(result for _, result in ProcessMapper(num_workers).map(work, jobs)) == [n * n for n in range(9)]


def test_a_job_that_kills_its_process_is_changed_and_takes_no_other_with_it() -> None:
    jobs = [Job(number, dies=number in (2, 5)) for number in range(8)]
    found = dict(ProcessMapper(2).map(work, jobs, healed))
    assert sorted(found.values()) == [n * n for n in range(8)]


def test_a_job_whose_process_was_killed_from_outside_is_tried_again(tmp_path: Path) -> None:
    jobs = [Job(1), Job(2, deaths=tmp_path / "deaths", lives=2), Job(3)]
    assert sorted(result for _, result in ProcessMapper(2).map(work, jobs)) == [1, 4, 9]


def test_a_job_that_kills_every_process_is_an_error_in_words() -> None:
    with pytest.raises(WorkerCrashed, match="three times"):
        list(ProcessMapper(1).map(work, [Job(1, dies=True)]))


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from pathlib import Path\nfrom dying_jobs import sleep_and_tell\n"
        "from packtrain.engines.processes import ProcessMapper\n"
        f"if __name__ == '__main__': list(ProcessMapper(1).map(sleep_and_tell, [Path({str(told)!r})]))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(program)
    parent = subprocess.Popen([sys.executable, str(script)])
    try:
        _until(lambda: told.exists() and told.read_text() != "")
    finally:
        parent.kill()
        parent.wait()
    worker = int(told.read_text())
    _until(lambda: not _is_running(worker))


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.getpid() != process


def _until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
