"""The only file that prints.

Rules of the terminal:
- stdout carries the answer: text, or with --json exactly one JSON document.
- Everything else (progress, warnings, errors) goes to stderr with the prefix "packtrain:".
- Messages start in lower case and end without a full stop.
- On a terminal progress is a picture that is drawn over: bars, and of a training a chart; messages go by above it.
  Elsewhere, and where TERM is "dumb", it is one line every 30 seconds. --no-progress leaves out both, and nothing else.
- Errors are one line, with the hint on a second; a defect says how to see more.
- What a stage says is broken at its semicolons where it would fill a screen; what follows is indented.
- Words may come from a drive or a dossier: control characters are shown as \\uXXXX, never sent to the terminal.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import shlex
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from packtrain.cli.harmless import harmless
from packtrain.cli.host_lines import HostLines
from packtrain.cli.progress_lines import how_far, in_words, picture, summary
from packtrain.errors import KeyMissing, MoreDrivesWanted, PacktrainError
from packtrain.events import (
    DriveNamed,
    Event,
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
from packtrain.record.pace import Pace, PaceKeeper
from packtrain.units import counted, format_seconds

if TYPE_CHECKING:
    from packtrain.report.training_curve import TrainingCurve

COLUMNS: Final = 100
"""No line of ours is wider, however wide the window is."""
_LONG: Final = 300
"""Characters from which on a notice is broken at its semicolons."""
_QUIET_SECONDS: Final = 30.0
_LIVE_SECONDS: Final = 0.2
_CHART_SECONDS: Final = 0.5
_REDRAW_SECONDS: Final = 0.25
"""So often a picture is drawn though nothing was told: a stall shows by it."""

_hides_progress = False
_shown: Terminal | None = None


class Terminal:
    """Takes the events of the stages and shows them on stderr. Call it as a sink."""

    def __init__(self, training: TrainingCurve | None = None, epoch_samples: int = 0) -> None:
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        # Drawn as it grows where there is room: what earlier runs of this training did comes with it.
        self._training = training
        self._epoch_samples = epoch_samples
        self._total_steps = 0
        self._training_since = time.monotonic()
        # Of the lines that are drawn over, how wide each was.
        self._open_widths: list[int] = []
        self._last_progress = time.monotonic() if not self._live else 0.0
        self._line_is_open = False
        self._keeper = PaceKeeper()
        self._activity = ("", "")
        # When it started, what was done by then, and whether a line was told of it.
        self._activity_since = (0.0, 0)
        self._has_told = False
        self._note = ""
        # Stages tell from several threads, and one of our own draws while they are silent.
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._redrawing: threading.Thread | None = None
        self._hosts = HostLines()
        self._host_clock: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self._lock:
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case DriveNamed():
                pass
            case Progress() | TrainingStep() if _hides_progress:
                pass
            case StageStarted():
                if self._live and not _hides_progress:
                    self._replace_line(f"packtrain: {event.stage} …")
            case StageFinished():
                state = (
                    "up to date, nothing to do" if event.fresh else f"done in {format_seconds(event.elapsed_seconds)}"
                )
                if self._training is not None and self._open_widths and self._redrawing is None:
                    # The last picture stays.
                    self._last_progress = 0.0
                    self._draw_training(self._training)
                    self._open_widths, self._line_is_open = [], False
                self.close()
                self._say(f"{event.stage}: {state}")
            case Notice():
                text = event.text if len(event.text) <= _LONG else event.text.replace("; ", ";\n")
                self._say(f"{event.stage}: {'warning: ' if event.is_warning else ''}{text}")
            case Progress() if self._training is not None and self._live and event.stage == "train":
                self._total_steps = event.total_items
            case Progress():
                self._progress(event)
            case TrainingStep() if self._training is not None and self._live:
                elapsed_seconds = time.monotonic() - self._training_since
                self._training.add(event.attempt, event.step, event.loss, event.num_samples, elapsed_seconds)
                self._draw_training(self._training)
            case TrainingStep() if self._live and self._redrawing is not None:
                # A rehearsal trains in between: its steps stand below its own bar.
                self._note = f"attempt {event.attempt}  step {event.step}"
                self._keeper.heard(time.monotonic())
            case TrainingStep():
                loss = f"  loss {event.loss:.4f}" if event.loss is not None else ""
                self._tick(f"train  attempt {event.attempt}  step {event.step}{loss}")
            case WorkersStarted():
                self._say_of_hosts(event)
                on = f" on {counted(len(event.hosts), 'host')}" if event.hosts else ""
                self._say(f"train: attempt {event.attempt}: {len(event.pids):,} workers started{on}")
            case WorkerLost():
                if self._training is not None:
                    self._training.explain({event.attempt: event.reason})
                at = f" on {event.host}" if event.host else ""
                self._say(f"train: warning: attempt {event.attempt}: worker {event.rank}{at} lost: {event.reason}")
            case HostLost():
                if self._training is not None:
                    self._training.explain({event.attempt: event.reason})
                self._say_of_hosts(event)
            case HostsAwaited():
                self._say_of_hosts(event)

    def ask_passphrase(self, prompt: str, *, twice: bool) -> str:
        """Return a passphrase typed on the terminal, unseen; see the port for errors."""
        if not sys.stdin.isatty():
            raise KeyMissing(
                "a passphrase is needed, and no terminal is here to ask on",
                hint="name a passphrase_file or a passphrase_env in [keys] of voyage.toml",
            )
        self.close()
        typed: str = click.prompt(f"packtrain: {prompt}", hide_input=True, confirmation_prompt=twice, err=True)
        return typed

    def _say_of_hosts(self, event: HostLost | HostsAwaited | WorkersStarted) -> None:
        global _shown
        for line in self._hosts.take(event, time.monotonic()):
            self._say(f"train: {line}")
        if self._hosts.is_at_work and self._host_clock is None:
            _shown = self
            self._host_clock = threading.Thread(target=self._watch_hosts, daemon=True)
            self._host_clock.start()

    def _watch_hosts(self) -> None:
        """Say, and draw, of hosts while nothing is told of them."""
        while True:
            with self._lock:
                if not self._hosts.is_at_work:
                    self._host_clock = None
                    return
                now = time.monotonic()
                for line in self._hosts.due(now):
                    self._say(f"train: {line}")
                self._draw_hosts(now)
            time.sleep(_REDRAW_SECONDS)

    def _draw_hosts(self, now: float) -> None:
        line = self._hosts.drawn(now)
        if not line or not self._live or _hides_progress:
            return
        if self._redrawing is not None:
            self._note = line
        elif self._training is not None and self._training.num_lines:
            self._draw_training(self._training)
        else:
            self._replace_line(f"train  {line}")

    def _progress(self, event: Progress) -> None:
        global _shown
        now = time.monotonic()
        if (event.stage, event.activity) != self._activity:
            self._end_activity(now)
            self._activity, self._activity_since = (event.stage, event.activity), (now, event.done_bytes)
            self._note = ""
        self._keeper.take(event, now)
        _shown = self
        if self._redrawing is None:
            self._ended = threading.Event()
            self._redrawing = threading.Thread(target=self._redraw, args=(self._ended,), daemon=True)
            self._redrawing.start()
        self._tick_progress(now, _LIVE_SECONDS if self._live else _QUIET_SECONDS)

    def _tick_progress(self, now: float, every_seconds: float) -> None:
        pace = self._keeper.pace(now)
        if pace is None or now - self._last_progress < every_seconds:
            return
        self._last_progress = now
        if not self._live:
            self._has_told = True
            _tell(in_words(pace))
            return
        if self._note:
            told = dataclasses.replace(pace.progress, note=f"{pace.progress.note}  {self._note}".strip())
            pace = dataclasses.replace(pace, progress=told)
        columns, rows = shutil.get_terminal_size()
        self._draw(picture(pace, columns, rows, with_unicode=shows_unicode(sys.stderr)))

    def _redraw(self, ended: threading.Event) -> None:
        """Draw, or tell, while the stage is silent."""
        while not ended.wait(_REDRAW_SECONDS):
            with self._lock:
                if not ended.is_set():
                    self._tick_progress(time.monotonic(), _REDRAW_SECONDS if self._live else _QUIET_SECONDS)

    def _end_activity(self, now: float) -> None:
        """Off a terminal, close the lines of an activity with what came of it."""
        pace = self._keeper.pace(now)
        if self._has_told and pace is not None:
            since, before = self._activity_since
            _tell(summary(pace, now - since, pace.progress.done_bytes - before))
        self._has_told = False

    def close(self) -> None:
        """End what is drawn over: something else is shown now. What is told after that is drawn anew."""
        global _shown
        with self._lock:
            for line in self._hosts.end():
                self._say(f"train: {line}")
            if _shown is self:
                _shown = None
            self._ended.set()
            self._redrawing = None
            self._end_activity(time.monotonic())
            self._activity, self._keeper = ("", ""), PaceKeeper()
            self._close_lines()

    def so_far(self) -> Pace | None:
        """Return how far the stage is that is shown."""
        with self._lock:
            return self._keeper.pace(time.monotonic())

    def _draw(self, lines: Sequence[tuple[str, int]]) -> None:
        """Draw lines that are harmless, with their widths, over the older ones."""
        # One write, and every line over its older self: nothing is blank in between.
        text = "".join(f"\r{line}\x1b[K\n" for line, _ in lines)
        above = self._up() if self._open_widths else "\r\x1b[K"
        click.echo(f"{above}{text}\x1b[J", nl=False, err=True, color=True)
        self._open_widths, self._line_is_open = [width for _, width in lines], True

    def _draw_training(self, curve: TrainingCurve) -> None:
        from packtrain.report.training_text import chart_lines

        now = time.monotonic()
        if now - self._last_progress < _CHART_SECONDS:
            return
        self._last_progress = now
        columns, rows = shutil.get_terminal_size()
        lines = chart_lines(
            curve,
            columns - 1,
            total_steps=self._total_steps,
            epoch_samples=self._epoch_samples,
            with_unicode=shows_unicode(sys.stderr),
        )
        if awaited := self._hosts.drawn(now):
            lines.append(f"     {awaited}"[: columns - 1])
        if not lines or rows < len(lines) + 2:
            self._replace_line(f"train  attempt {curve.marks[-1].attempt}  step {curve.last_step}")
            return
        self._draw([(harmless(line), len(line)) for line in lines])

    def _up(self) -> str:
        """Return what moves to the first of the lines that are drawn over."""
        columns = max(shutil.get_terminal_size().columns, 1)
        # A window that became narrower has broken the wide ones.
        rows = sum(max(1, -(-width // columns)) for width in self._open_widths)
        self._open_widths = []
        up = f"\x1b[{rows}A" if rows else ""
        return f"{up}\r"

    def _tick(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_progress < (_LIVE_SECONDS if self._live else _QUIET_SECONDS):
            return
        self._last_progress = now
        if self._live:
            self._replace_line(text)
        else:
            _tell(text)

    def _say(self, text: str) -> None:
        self._close_lines()
        _tell(text)
        if self._live and self._redrawing is not None:
            self._last_progress = 0.0
            self._tick_progress(time.monotonic(), _LIVE_SECONDS)

    def _close_lines(self) -> None:
        """Clear what is drawn over: a message stands in its place."""
        if self._open_widths:
            click.echo(f"{self._up()}\x1b[J", nl=False, err=True)
        elif self._line_is_open:
            click.echo("\r\x1b[K", nl=False, err=True)
        self._line_is_open = False

    def _replace_line(self, text: str) -> None:
        if self._open_widths:
            self._close_lines()
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\x1b[K{harmless(text)[:width]}", nl=False, err=True)
        self._line_is_open = True


def answer(text: str, document: Mapping[str, Any] | Sequence[Any], *, as_json: bool) -> None:
    """Print the answer on stdout: `text`, or with --json `document` as one JSON document."""
    if _shown is not None:
        _shown.close()
    if as_json:
        _print_json(document)
    else:
        click.echo(harmless(text))


def shows_pictures() -> bool:
    """Return whether stdout is a terminal that can be drawn on, and not only a place where lines go."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def shows_colour() -> bool:
    """Return whether a person wants colour (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def terminal_columns() -> int:
    """Return how wide stdout is, in characters."""
    return shutil.get_terminal_size((100, 24)).columns


def show_picture(drawn: str) -> None:
    """Print what was drawn for a terminal; its words were made harmless when it was drawn."""
    click.echo(drawn)


def show_metrics(text: str) -> None:
    """Print metrics, which end in a newline, as UTF-8 whatever the locale: that is their format."""
    click.echo(text.encode("utf-8"), nl=False)


def redraw(draw: Callable[[], str], every_seconds: float) -> None:
    """Show on the other screen of the terminal what `draw` returns, over and over, until Ctrl-C.

    Of a picture that is longer than the screen the first lines are shown, and how many more there are.
    """
    click.echo("\x1b[?1049h\x1b[?25l", nl=False)
    try:
        while True:
            drawn, rows = draw().split("\n"), shutil.get_terminal_size((100, 24)).lines
            if len(drawn) > rows:
                hidden = len(drawn) - rows + 1
                drawn = [*drawn[: rows - 1], f"\x1b[0m… {hidden} more lines: a higher window shows them"]
            # One write, and every line over its older self: nothing is blank in between.
            click.echo("\x1b[H" + "".join(f"{line}\x1b[0m\x1b[K\r\n" for line in drawn[:-1]), nl=False)
            click.echo(f"{drawn[-1]}\x1b[0m\x1b[K\x1b[J", nl=False)
            time.sleep(every_seconds)
    except KeyboardInterrupt:
        pass
    finally:
        click.echo("\x1b[?25h\x1b[?1049l", nl=False)


def ask(told: str, question: str) -> str | None:
    """Show some lines and a question on stderr; return what a person types, None where nobody sits at a terminal."""
    if not asks_here():
        return None
    _end_line()
    _tell(told)
    typed: str = click.prompt(f"packtrain: {harmless(question)}", err=True, default="", show_default=False)
    return typed


def shows_unicode(stream: TextIO) -> bool:
    """Return whether characters beyond ASCII reach whoever reads a stream."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8" and os.environ.get("TERM") != "linux"


def asks_here() -> bool:
    """Return whether a person sits at this terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def tell_how_to_answer() -> None:
    """Say how the questions of a form are answered."""
    _tell(
        '"undisclosed" is an answer, and is shown as one; "none" says that there is none; ";" stands between the items '
        "of a list\nEnter takes what stands in brackets; Ctrl-C stops, and declaration.toml keeps what was answered: "
        "the same command proposes it again"
    )


def ask_field(field: str, told: str, *, choices: Sequence[str], default: str, fault: str) -> str:
    """Show a question of a form on stderr; return what is typed, "" for what is proposed.

    Args:
        field: its name, as the file spells it.
        told: a line of help.
        choices: the words that it may be, if there are some; they are numbered.
        default: what is proposed.
        fault: why the last answer is none.
    """
    if fault:
        _tell(f"no: {fault}")
    else:
        words = [f"{number} {word}" for number, word in enumerate(choices, 1)]
        _end_line()
        _tell("\n".join([*textwrap.wrap(told, COLUMNS - 4), *textwrap.wrap("; ".join(words), COLUMNS - 4)]))
    shown = f" [{harmless(default)}]" if default else ""
    typed: str = click.prompt(f"  {field}{shown}", err=True, default="", show_default=False)
    return typed


def print_error(error: PacktrainError, *, as_json: bool = False) -> None:
    """Print an error and its hint on stderr; with --json also as the one document on stdout."""
    _end_line()
    # The end of a wave is no fault: what was asked is done as far as these drives go.
    _tell(error.message if isinstance(error, MoreDrivesWanted) else f"error: {error.message}")
    if error.hint:
        _tell(f"hint: {error.hint}")
    if as_json:
        _print_json(error.to_dict())


def print_usage_error(error: click.ClickException, *, as_json: bool = False) -> None:
    """Print a wrong command line and where help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help" if context is not None else None
    # Verbs of one step take the folder as their argument, and so people try it where it is an option.
    is_surplus = isinstance(error, click.NoSuchCommand) or "unexpected extra argument" in error.message
    if context is not None and is_surplus and any("--voyage" in param.opts for param in context.command.params):
        hint = f"a voyage folder is named by --voyage here: {context.command_path} --voyage FOLDER; {hint}"
        if any("--drive" in param.opts for param in context.command.params):
            hint = f"each drive is named by --drive here: --drive PATH --drive PATH; {hint}"
    _end_line()
    _tell(f"error: {error.format_message()}")
    if hint:
        _tell(f"hint: {hint}")
    if as_json:
        where = context.command_path if context is not None else None
        _print_json(_as_document("UsageError", 2, error.format_message(), where, hint))


def print_help(error: click.ClickException) -> None:
    """Print the help of a command that was called without a verb; on stderr, since nobody asked for it."""
    click.echo(error.format_message(), err=True)


def reader_is_gone() -> bool:
    """Return whether the reader of stdout went away; if so, drop what it was still to be told."""
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return False
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    if not any(state & (select.POLLERR | select.POLLHUP) for _, state in poller.poll(0)):
        return False
    # The interpreter flushes once more at its end, and would complain: what is left goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return True


def print_stopped(command: Sequence[str], kept: str, *, exit_code: int, as_json: bool = False) -> None:
    """Say that the work was stopped, how far it was, what is kept, and how it goes on.

    Args:
        command: what was typed, without the program's name.
        kept: what the verb says of that, a sentence without its end.
        exit_code: by which signal: 130 of Ctrl-C, 143 of SIGTERM, 129 of SIGHUP.
        as_json: print it as the one document on stdout too.
    """
    pace = _shown.so_far() if _shown is not None else None
    _end_line()
    signum = signal.Signals(exit_code - 128)
    what = "stopped by Ctrl-C" if signum == signal.SIGINT else f"stopped by {signum.name}"
    what += f", {how_far(pace)}" if pace is not None else ""
    again = f"packtrain {shlex.join(command)}".rstrip()
    _tell(f"{what}: {kept}; to go on: {again}")
    if as_json:
        _print_json(_as_document("Stopped", exit_code, f"{what}: {kept}", None, again))


def print_defect(error: Exception, *, as_json: bool = False) -> None:
    """Say that packtrain itself failed."""
    what, hint = (
        f"defect in packtrain: {type(error).__name__}: {error}",
        "run with --debug for the traceback, and report it",
    )
    _end_line()
    _tell(f"error: {what}")
    _tell(f"hint: {hint}")
    if as_json:
        _print_json(_as_document("Defect", 1, what, None, hint))


def _as_document(name: str, exit_code: int, what: str, where: str | None, hint: str | None) -> dict[str, Any]:
    """Return the fields of `PacktrainError.to_dict` for what is none."""
    return {
        "error": name,
        "exit_code": exit_code,
        "what": what,
        "where": where,
        "expected": None,
        "found": None,
        "hint": hint,
    }


def _tell(text: str) -> None:
    # Later lines are indented, so that nothing within a message looks like a message of its own.
    click.echo("packtrain: " + harmless(text).replace("\n", "\n  "), err=True)


def _print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    # \uXXXX is JSON's own escape: the document says the same with it.
    click.echo(harmless(json.dumps(document, indent=2, ensure_ascii=False)))


def hide_progress(*, hidden: bool) -> None:
    """Leave out bars, charts and lines of progress from now on; messages, warnings and flags are shown as ever."""
    global _hides_progress
    _hides_progress = hidden


def _end_line() -> None:
    if _shown is not None:
        _shown.close()
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
