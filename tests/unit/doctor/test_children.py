"""Programs that answer, answer too much, too late, or not at all."""

import json
import resource
import sys
import time
from pathlib import Path

import pytest

from packtrain.doctor.children import Asked, ask

_SECONDS = 30.0


def _python(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", script]


def test_both_streams_and_the_status_come_back() -> None:
    answer = ask(_python("import sys; print('said'); print('why', file=sys.stderr); sys.exit(3)"), _SECONDS)

    assert (answer.status, answer.text, answer.complaint) == (3, "said\n", "why\n")


def test_what_is_told_may_be_larger_than_a_pipe() -> None:
    told = json.dumps(["x" * 1000] * 1000)

    answer = ask(_python("import sys; print(len(sys.stdin.read()))"), _SECONDS, told=told)

    assert answer.text == f"{len(told)}\n"


def test_a_program_that_reads_nothing_answers_all_the_same() -> None:
    answer = ask(_python("import os; os.close(0); print('here')"), _SECONDS, told="x" * 1_000_000)

    assert (answer.status, answer.text) == (0, "here\n")


def test_it_works_before_anybody_listens(tmp_path: Path) -> None:
    done = tmp_path / "done"
    asked = Asked(_python("import sys; open(sys.stdin.read(), 'w').write('so')"), told=str(done))

    ends = time.monotonic() + _SECONDS
    while not (done.exists() and done.read_text()) and time.monotonic() < ends:
        time.sleep(0.01)

    assert done.read_text() == "so"
    assert asked.answer(_SECONDS).status == 0


@pytest.mark.parametrize("stream", [1, 2])
def test_of_a_program_that_says_too_much_the_beginning_is_kept(stream: int) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = ask(_python(f"import os\nfor _ in range(500): os.write({stream}, b'y' * 1_000_000)"), _SECONDS)

    assert answer.status == 0
    assert (answer.text if stream == 1 else answer.complaint) == "y" * (1 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50_000


def test_a_program_that_hangs_is_given_up_with_what_it_said() -> None:
    answer = ask(_python("import time; print('first', flush=True); time.sleep(600)"), 2.0)

    assert (answer.status, answer.text, answer.complaint) == (None, "first\n", "no answer within 2 s")


def test_a_program_that_is_not_there_is_an_answer_too() -> None:
    assert ask(["/nowhere/program"], _SECONDS).complaint == "no such file or directory"
