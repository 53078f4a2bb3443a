"""A process that a library would not let end: it ends at once, with its code, and with what it had printed."""

import subprocess
import sys

import pytest

LEFT = """
import atexit, os, sys
from packtrain import process_end
from packtrain.cli import main
atexit.register(os.abort)
{note}
sys.argv = ["packtrain", {argument!r}]
main.main()
"""


@pytest.mark.parametrize(("argument", "code", "printed"), [("--version", 0, "packtrain"), ("no-such-verb", 2, "")])
def test_what_was_left_behind_is_not_waited_for(argument: str, code: int, printed: str) -> None:
    program = LEFT.format(note='process_end.leave_behind("ray")', argument=argument)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:9]) == (code, printed)
    assert bool(done.stderr) == (code != 0)


def test_with_nothing_left_behind_it_ends_in_order() -> None:
    program = LEFT.format(note="", argument="--version")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode < 0


@pytest.mark.parametrize(("code", "ended"), [("3", 3), ("None", 0), ("'words'", 1)])
def test_the_code_is_that_of_the_end(code: str, ended: int) -> None:
    program = f"from packtrain import process_end as p; p.leave_behind('x'); p.end_if_left_behind({code})"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == ended
