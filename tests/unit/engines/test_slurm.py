import os
from pathlib import Path

import pytest

from dying_jobs import Job, work
from packtrain.engines.job_lots import lot_path, write_lot
from packtrain.engines.shared_folders import shared_folders
from packtrain.engines.slurm import _nodes_meant, _ranges, _Task, open_slurm, states_of_nodes
from packtrain.errors import VoyageFileError
from packtrain.events import discard


def test_of_a_lot_no_more_is_read_than_the_jobs_that_are_asked_for(tmp_path: Path) -> None:
    jobs = [Job(number) for number in range(4)]
    with shared_folders(tmp_path / "hosts", [], []) as shared:
        task = _Task(tmp_path, 3, write_lot(tmp_path, 3, work, jobs, shared))
    assert list(task.jobs([0, 2])) == [jobs[0], jobs[2]]
    assert list(task.jobs(range(4))) == jobs
    lot = lot_path(tmp_path, 3)
    # The last record is no pickle any more: whoever reads on fails.
    lot.write_bytes(lot.read_bytes()[:-1] + b"?")
    assert list(task.jobs([0, 2])) == [jobs[0], jobs[2]]
    lot.unlink()
    assert list(task.jobs([])) == []


@pytest.mark.parametrize(
    ("numbers", "spelled"), [([4], "4"), ([0, 1, 2, 3], "0-3"), ([0, 2, 3, 7, 9, 10], "0,2-3,7,9-10")]
)
def test_runs_of_tasks_are_spelled_as_ranges(numbers: list[int], spelled: str) -> None:
    assert _ranges(numbers) == spelled


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], []),
        (["--time=5", "-n", "1"], []),
        (["-p", "gpu", "--partition=cpu"], ["--partition=cpu"]),
        (["-pgpu", "-w", "n[1-3]"], ["--partition=gpu", "--nodes=n[1-3]"]),
        (["--nodelist", "n1,n2", "-p"], ["--nodes=n1,n2"]),
    ],
)
def test_nodes_are_asked_for_as_the_options_name_them(arguments: list[str], asked: list[str]) -> None:
    assert _nodes_meant(arguments) == asked


def test_options_that_would_number_the_tasks_otherwise_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with shared_folders(tmp_path / "hosts", [], []) as shared:
        for stage, setting in (("prepare", "[prepare]"), ("load", "[site]")):
            opened = open_slurm(tmp_path / "array", ("--array=1-3",), 2, shared, discard, stage)
            with pytest.raises(VoyageFileError) as caught, opened:
                pass
            assert caught.value.where == f"voyage.toml, {setting} slurm_arguments"
    assert not (tmp_path / "array").exists()


def test_nodes_with_names_that_are_none_take_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sinfo").write_text("#!/bin/sh\nprintf 'n1 idle\\n../../keys idle\\n--wrap=x idle\\nn2 down\\n'\n")
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert states_of_nodes(()) == {"n1": "idle"}
