"""The timeline of a command that ends well, fails, or is killed, and the counts in the receipt."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.errors import TrainingFailed
from packtrain.events import HostLost, HostsAwaited, WorkerLost, WorkersStarted
from packtrain.training.goodput.timeline import Timeline, read_timeline

KILLED = """
import os, signal, sys
from pathlib import Path
from packtrain.events import WorkersStarted
from packtrain.training.goodput.timeline import Timeline

timeline = Timeline(Path(sys.argv[1]))
with timeline.command():
    timeline.take(WorkersStarted(1, (10, 11), ("h1", "h2")))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _told(path: Path) -> list[tuple[str, str]]:
    return [(moment.told, moment.words) for moment in read_timeline(path) if moment.told != "began"]


def test_how_a_command_ended_is_noted_and_the_error_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "train" / "timeline.jsonl"
    with Timeline(path).command():
        pass
    with pytest.raises(TrainingFailed), Timeline(path).command():
        raise TrainingFailed("rank 1 ended", hint="read its log")
    with pytest.raises(KeyboardInterrupt), Timeline(path).command():
        raise KeyboardInterrupt
    assert _told(path) == [("ended", "done"), ("ended", "failed"), ("ended", "stopped")]


def test_a_command_that_was_killed_has_no_end_and_the_next_begins_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    tree = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run([sys.executable, "-c", KILLED, path], env={**os.environ, "PYTHONPATH": tree}, check=False)
    assert done.returncode == -signal.SIGKILL
    with Timeline(path).command():
        pass
    assert [moment.told for moment in read_timeline(path)] == ["began", "workers", "began", "ended"]


def test_what_is_told_of_hosts_is_kept_a_line_for_each_kind_of_waiting(tmp_path: Path) -> None:
    clock = iter(float(number) for number in range(100))
    timeline = Timeline(tmp_path / "timeline.jsonl", lambda: next(clock))
    timeline.take(HostsAwaited(1, (), "1 more host"))
    timeline.take(HostsAwaited(1, (), "1 more host"))
    timeline.take(HostsAwaited(1, ("h2",), "its workers to start"))
    timeline.take(WorkersStarted(1, (10, 11), ("h1", "h2")))
    timeline.take(WorkerLost(1, 1, "killed by SIGKILL", "h2"))
    timeline.take(HostLost(1, "h2", "it did not answer for 10 s"))
    found = read_timeline(tmp_path / "timeline.jsonl")
    assert [moment.told for moment in found] == ["absent", "awaits", "workers", "worker lost", "host lost"]
    assert [moment.at for moment in found] == sorted(moment.at for moment in found)
    assert found[2].hosts == ("h1", "h2") and found[2].ranks == 2
    assert (found[3].rank, found[3].hosts) == (1, ("h2",))


def test_a_timeline_that_cannot_be_written_stops_no_training(tmp_path: Path) -> None:
    (tmp_path / "timeline.jsonl").mkdir()
    timeline = Timeline(tmp_path / "timeline.jsonl")
    with timeline.command():
        timeline.take(HostLost(1, "h2", "it is silent"))
    assert read_timeline(tmp_path / "timeline.jsonl") == ()
