import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract.mapper_suite import MapperContract
from dying_jobs import Job, work
from packtrain.engines.processes import ProcessMapper


class TestTwoProcesses(MapperContract):
    @pytest.fixture
    def mapper(self) -> ProcessMapper:
        return ProcessMapper(2)


def test_without_workers_every_job_is_done_here() -> None:
    assert dict(ProcessMapper(0).map(work, [Job(2), Job(3)])) == {Job(2): 4, Job(3): 9}


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
