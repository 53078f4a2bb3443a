import contextlib
import io
import json
import os
import pty
import sys
import time

import pytest

from packtrain.cli import terminal
from packtrain.cli.columns import columns, table
from packtrain.cli.host_lines import HostLines
from packtrain.cli.terminal import Terminal, answer, print_error
from packtrain.errors import DriveFull, KeyMissing
from packtrain.events import (
    DriveProgress,
    HostLost,
    HostsAwaited,
    Notice,
    Progress,
    StageFinished,
    StageStarted,
    TrainingStep,
    WorkerLost,
    WorkersStarted,
)
from packtrain.report.training_curve import TrainingCurve

HOSTILE = "drive \u061c\u2028\x1b]0;owned\x07\x1b[2J \u202egnp.exe \x9b1m \udcff"
SHOWN = "drive \\u061c\\u2028\\u001b]0;owned\\u0007\\u001b[2J \\u202egnp.exe \\u009b1m \\udcff"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_events_become_prefixed_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    sink = Terminal()
    sink(StageStarted("pack"))
    sink(Notice("pack", "read back past the cache"))
    sink(Notice("pack", "drive A1 is slow", is_warning=True))
    sink(WorkersStarted(1, (10, 11)))
    sink(WorkerLost(1, 1, "killed by signal 9"))
    sink(StageFinished("pack", 12.0, fresh=False))
    sink(StageFinished("plan", 1.0, fresh=True))

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "packtrain: pack: read back past the cache",
        "packtrain: pack: warning: drive A1 is slow",
        "packtrain: train: attempt 1: 2 workers started",
        "packtrain: train: warning: attempt 1: worker 1 lost: killed by signal 9",
        "packtrain: pack: done in 12 s",
        "packtrain: plan: up to date, nothing to do",
    ]


def test_off_a_terminal_progress_is_a_line_each_half_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    sink = Terminal()
    for second in range(61):
        now = 1000.0 + second
        sink(Progress("pack", "writing volumes", second * 10**9, 120 * 10**9, second, 120, "volumes"))
    sink.close()

    assert capsys.readouterr().err.splitlines() == [
        "packtrain: pack  writing volumes  30/120 volumes  30 GB of 120 GB  1 GB/s  about 1 min 30 s left",
        "packtrain: pack  writing volumes  60/120 volumes  60 GB of 120 GB  1 GB/s  about 1 min 0 s left",
        "packtrain: pack  writing volumes: 60 GB in 1 min 0 s, 1 GB/s on average",
    ]


def test_on_a_terminal_progress_is_one_live_line_that_a_message_replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    sink = Terminal()
    sink(TrainingStep(1, 7, 2.5, None))
    sink(Notice("train", "checkpoint written"))

    assert stream.getvalue() == (
        "\r\x1b[Ktrain  attempt 1  step 7  loss 2.5000\r\x1b[Kpacktrain: train: checkpoint written\n"
    )


def test_what_a_drive_says_does_not_reach_the_terminal_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal()(Notice("load", HOSTILE))
    print_error(DriveFull(HOSTILE, where=HOSTILE, hint=HOSTILE))
    answer(HOSTILE, {}, as_json=False)

    captured = capsys.readouterr()
    assert captured.out == f"{SHOWN}\n"
    assert captured.err.splitlines() == [
        f"packtrain: load: {SHOWN}",
        f"packtrain: error: {SHOWN}: {SHOWN}",
        f"packtrain: hint: {SHOWN}",
    ]


def test_a_live_line_is_as_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    sink = Terminal()
    sink(Progress("load", "\x1b[2Jreading", note="\x1b]0;owned\x07", drives=(DriveProgress("\x1b[1mA\n1", "\x9bx"),)))
    sink.close()

    shown = stream.getvalue()
    assert "\\u001b[2Jreading" in shown
    assert "\\u001b[1mA\\u000a1" in shown
    assert all(hostile not in shown for hostile in ("\x1b[2J", "\x1b]0", "\x07", "\x9b", "A\n1"))


def test_json_with_hostile_names_still_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    answer("", {"name": HOSTILE, "word": "Zürich \U0001f434"}, as_json=True)

    printed = capsys.readouterr().out
    assert "\x9b" not in printed
    assert "Zürich \U0001f434" in printed
    assert json.loads(printed)["name"] == HOSTILE


def test_a_second_line_of_a_message_cannot_pose_as_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal()(Notice("load", "first\npacktrain: everything is fine"))

    assert capsys.readouterr().err == "packtrain: load: first\n  packtrain: everything is fine\n"


def test_a_table_is_aligned() -> None:
    assert table([("a", "1"), ("long name", "2")]) == "  a          1\n  long name  2"
    assert table([]) == ""


@pytest.mark.parametrize(("window", "widest"), [("60", 60), ("200", 100)])
def test_a_table_is_broken_where_the_window_ends(monkeypatch: pytest.MonkeyPatch, window: str, widest: int) -> None:
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setenv("COLUMNS", window)
    monkeypatch.setenv("TERM", "xterm")
    told = table([("clock kept", "nobody keeps it but this machine by itself, " * 4)])
    assert widest - 10 < max(map(len, told.splitlines())) <= widest


def test_a_name_with_an_end_of_line_stays_in_its_column() -> None:
    assert columns([("a", "b"), ("x\ny\t", "1")]) == "a               b\nx\\u000ay\\u0009  1"


def test_a_passphrase_is_not_asked_for_where_nobody_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct mule battery staple\n"))
    with pytest.raises(KeyMissing, match="no terminal") as caught:
        Terminal().ask_passphrase("passphrase", twice=False)
    assert "passphrase_file" in (caught.value.hint or "")


def test_a_passphrase_is_typed_twice_and_never_shown() -> None:
    program = (
        "from packtrain.cli.terminal import Terminal\n"
        "print('typed', len(Terminal().ask_passphrase('new passphrase', twice=True)))"
    )
    child, screen = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    shown, asked = b"", 0
    # Typed wrongly once: it is asked for again, both times.
    for text in (b"correct mule", b"correct male", b"correct mule", b"correct mule"):
        while not shown[asked:].rstrip().endswith(b":"):
            shown += os.read(screen, 1000)
        asked = len(shown)
        time.sleep(0.2)  # it asks before it turns the echo off
        os.write(screen, text + b"\n")
    with contextlib.suppress(OSError):
        while piece := os.read(screen, 1000):
            shown += piece
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"packtrain: new passphrase" in shown
    assert b"typed 12" in shown
    assert b"correct" not in shown


def test_a_notice_that_would_fill_a_screen_is_broken_at_its_semicolons(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal()(Notice("admit", f"rules: {'x' * 200}; {'y' * 200}"))
    Terminal()(Notice("admit", "papers: good; all of them"))

    assert capsys.readouterr().err == (
        f"packtrain: admit: rules: {'x' * 200};\n  {'y' * 200}\npacktrain: admit: papers: good; all of them\n"
    )


def test_a_training_is_drawn_over_itself_and_a_message_stands_above_the_next_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda: os.terminal_size((80, 40)))
    now = 1000.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    sink = Terminal(TrainingCurve(), 1000)
    for step in range(1, 30):
        now += 1.0
        sink(TrainingStep(1, step, 3.0 / step, 8))
        sink(Progress("train", "training", 0, 0, step, 100, "steps"))
    before = stream.getvalue()
    sink(Notice("train", "checkpoint written"))

    pictures = before.split("\x1b[J")[1:-1]
    heights = [picture.count("\n") for picture in pictures]
    assert min(heights) > 6
    drawn_over = [before.split("\x1b[J")[0].count("\n"), *heights[:-1]]
    assert all(picture.startswith(f"\x1b[{height}A\r") for height, picture in zip(drawn_over, pictures, strict=True))
    num_lines = heights[-1]
    assert "step 29 of 100" in pictures[-1]
    assert stream.getvalue()[len(before) :] == f"\x1b[{num_lines}A\r\x1b[Jpacktrain: train: checkpoint written\n"


def test_the_picture_says_why_the_attempt_before_ended_as_soon_as_the_next_one_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda: os.terminal_size((80, 40)))
    now = 1000.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    sink = Terminal(TrainingCurve())
    sink(TrainingStep(1, 1, 3.0, 8))
    sink(WorkerLost(1, 1, "killed by\nsignal 9"))
    now += 1.0
    sink(TrainingStep(2, 1, 3.0, 8))

    assert "1 restart, 1 steps made again  last: killed by signal 9\x1b[K\n" in stream.getvalue()


def test_the_last_picture_of_a_training_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda: os.terminal_size((80, 40)))
    sink = Terminal(TrainingCurve())
    sink(TrainingStep(1, 1, 3.0, 8))
    sink(TrainingStep(1, 2, 2.5, 8))
    sink(StageFinished("train", 3.0, fresh=False))

    last = stream.getvalue().rsplit("A\r", 1)[-1]
    assert "step 2" in last
    assert last.endswith("\x1b[Jpacktrain: train: done in 3.0 s\n")


def test_off_a_terminal_a_training_is_the_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    sink = Terminal(TrainingCurve())
    sink._last_progress = 0.0
    sink(TrainingStep(1, 7, 2.5, 8))
    assert capsys.readouterr().err == "packtrain: train  attempt 1  step 7  loss 2.5000\n"


def test_a_wait_for_hosts_is_one_line_once_it_lasts_and_lost_hosts_are_no_flood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = HostLines()
    hosts = tuple(f"h{number}" for number in range(300))
    assert lines.take(HostsAwaited(2, hosts, "their workers to start"), 0.0) == []
    assert lines.due(4.0) == []
    assert lines.due(6.0) == ["attempt 2: waits for h0, h1, h2 and 297 more: their workers to start (6 s)"]
    for number in range(299, 1, -1):
        assert lines.take(HostsAwaited(2, hosts[:number], "their workers to start"), 7.0) == []
    assert lines.due(20.0) == []
    assert lines.drawn(20.0) == "waits for h0, h1: their workers to start (20 s)"
    assert lines.take(HostsAwaited(2, (), ""), 41.0) == ["attempt 2: waited 41 s for h0, h1: their workers to start"]
    lost = [line for host in hosts[:40] for line in lines.take(HostLost(3, host, "it is silent"), 50.0)]
    assert lost == [f"warning: attempt 3: host h{number} lost: it is silent" for number in range(3)]
    assert lines.due(52.0) == ["warning: attempt 3: 37 more hosts lost, the last h39: it is silent"]
    assert not lines.is_at_work

    sink = Terminal()
    sink(HostLost(4, "h\x1b[2J", "it is silent"))
    sink(WorkersStarted(5, (1, 2), ("h1", "h2")))
    assert capsys.readouterr().err.splitlines() == [
        "packtrain: train: warning: attempt 4: host h\\u001b[2J lost: it is silent",
        "packtrain: train: attempt 5: 2 workers started on 2 hosts",
    ]


def test_while_hosts_are_waited_for_one_line_is_drawn_over_and_goes_when_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    sink = Terminal()
    sink(HostsAwaited(2, ("h\x1b[2J",), "its workers to start"))
    deadline = time.monotonic() + 30
    while "waits for" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    drawn = stream.getvalue()
    assert "waits for h\\u001b[2J: its workers to start" in drawn
    assert "\n" not in drawn
    sink(WorkersStarted(2, (10, 11), ("h1", "h2")))
    sink.close()
    last = stream.getvalue().removeprefix(drawn)
    assert "packtrain: train: attempt 2: 2 workers started on 2 hosts\n" in last
