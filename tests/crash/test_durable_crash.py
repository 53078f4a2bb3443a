"""A process is killed at each durable step; what is found afterwards is the old file or the new one, whole."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain import durable

OLD, NEW = b"old\n" * 1000, b"new\n" * 3000


def _killed_at(step: int, work: Callable[[], None]) -> bool:
    """Run `work` in a child that dies at its step number `step`; return whether it got that far."""
    child = os.fork()
    if child == 0:
        remaining = step

        def observe(_: str) -> None:
            nonlocal remaining
            if remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            remaining -= 1

        durable.observe_steps(observe)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("old", [None, OLD])
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one_whole(
    tmp_path: Path, step: int, old: bytes | None
) -> None:
    path = tmp_path / "a.json"
    if old is not None:
        path.write_bytes(old)

    assert _killed_at(step, lambda: durable.write_bytes(path, NEW))

    found = path.read_bytes() if path.exists() else None
    assert found == (NEW if step >= 2 else old)


@pytest.mark.parametrize("step", range(4))
def test_after_a_kill_the_same_write_succeeds_and_tidies_up(tmp_path: Path, step: int) -> None:
    path = tmp_path / "a.json"
    assert _killed_at(step, lambda: durable.write_bytes(path, NEW))

    durable.write_bytes(path, OLD)

    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_there_are_no_other_steps(tmp_path: Path) -> None:
    assert not _killed_at(4, lambda: durable.write_bytes(tmp_path / "a", NEW))


@pytest.mark.parametrize("step", range(4))
def test_a_kill_while_appending_leaves_whole_lines(tmp_path: Path, step: int) -> None:
    path = tmp_path / "log"
    durable.append_line(path, b"one")

    assert _killed_at(step, lambda: durable.append_line(path, b"two"))

    assert path.read_bytes() == (b"one\ntwo\n" if step >= 2 else b"one\n")
