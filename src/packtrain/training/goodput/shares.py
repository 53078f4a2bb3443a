"""Where the time of a training went: a pure function of what its three logs say.

*Goodput* is the share of the time of a training that became steps that count. Each `packtrain train` is a command with
a clock of its own; of every command the time from its start to its end (to now, while it runs; to the last that it
told, where it was killed) is cut into five parts, so that each moment is in exactly one:

- *steps*: between two step lines of one attempt, where the later step counts: it led to the weights.
- *redone*: the same, where a restart took the step back; a later attempt made it once more.
- *waiting*: hosts were waited for that were not there. Never taken from between two step lines.
- *starting*: what else passed until an attempt's first step line: forming it, starting workers, reading a checkpoint,
  compiling, and its first step, whose own time nobody knows. So is the time between two attempts.
- *ending*: what else passed behind an attempt's last step line: a last save, a standstill, until a loss was noticed,
  until the others had stopped. Of an attempt that runs, the step that it is at.

Saving between two steps is part of the later step. The time between two commands is *away*: counted by the clocks of
their machines, and in no share. Goodput is steps / (steps + redone + waiting + starting + ending).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.record.receipts import moment as moment_of
from packtrain.training.goodput.attempts import EndedAttempt
from packtrain.training.goodput.tally import Stint
from packtrain.training.goodput.timeline import Moment

PARTS: Final[tuple[str, ...]] = ("steps", "redone", "waiting", "starting", "ending")
"""In the order in which they are shown; goodput is the share of the first."""

WORDS: Final[Mapping[str, str]] = {
    "steps": "steps that count",
    "redone": "steps made again",
    "waiting": "waiting for hosts",
    "starting": "starting",
    "ending": "ending and standstill",
}
"""What each part of `PARTS` is called where people read it."""

_TOLERANCE_SECONDS: Final = 1.0
"""Attempts and steps are timed from starts that lie some milliseconds apart."""


@dataclass(frozen=True, slots=True)
class Goodput:
    """Seconds by part.

    Attributes:
        seconds: of each of `PARTS`.
        away_seconds: between commands, by the clock on the wall; None where an old command did not note it.
        num_commands: how many `packtrain train` there were.
    """

    seconds: Mapping[str, float]
    away_seconds: float | None
    num_commands: int

    @property
    def total_seconds(self) -> float:
        """Return the time of all commands; what was away is not in it."""
        return sum(self.seconds.values())

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of each part, 1 together; zeros where no time passed."""
        total = self.total_seconds
        return {part: (self.seconds[part] / total if total > 0 else 0.0) for part in PARTS}

    @property
    def ratio(self) -> float | None:
        """Return the goodput, 0 to 1; None where no time passed."""
        return self.shares["steps"] if self.total_seconds > 0 else None


@dataclass(slots=True)
class _Attempt:
    number: int
    ended: EndedAttempt | None = None
    stints: list[Stint] = field(default_factory=list[Stint])
    told_at: list[float] = field(default_factory=list[float])

    @property
    def started(self) -> float | None:
        if self.ended is not None and self.ended.started_seconds is not None:
            return self.ended.started_seconds
        known = [*self.told_at, *(stint.first_at for stint in self.stints if stint.is_timed)]
        return min(known, default=None)

    @property
    def latest(self) -> float:
        """Return the last moment that anything tells of it."""
        ends = [self.ended.ended_seconds or 0.0] if self.ended is not None else []
        return max([*ends, *self.told_at, *(stint.last_at for stint in self.stints)], default=0.0)


@dataclass(slots=True)
class _Command:
    instant: str = ""
    ended_at: float | None = None
    last_told_at: float = 0.0
    attempts: list[_Attempt] = field(default_factory=list[_Attempt])
    waits: list[tuple[float, float | None]] = field(default_factory=list[tuple[float, float | None]])

    def length(self, now_seconds: float | None) -> float:
        latest = max([self.last_told_at, *(attempt.latest for attempt in self.attempts)])
        return max(latest, self.ended_at if self.ended_at is not None else (now_seconds or 0.0))


def goodput_of(
    stints: Sequence[Stint],
    attempts: Sequence[EndedAttempt],
    timeline: Sequence[Moment],
    now_seconds: float | None = None,
) -> Goodput | None:
    """Return where the time went; None where no log tells of any.

    Args:
        stints: the step lines by attempt: `StepTally.stints`.
        attempts: those that ended.
        timeline: of all commands; an older training has none: its commands are told apart by clocks that begin anew.
        now_seconds: how long the last command runs by now; None of one that does not run.
    """
    commands = _commands(stints, attempts, timeline)
    if not commands:
        return None
    seconds: dict[str, float] = {part: 0.0 for part in PARTS}
    lengths = [command.length(now_seconds if command is commands[-1] else None) for command in commands]
    for command, length in zip(commands, lengths, strict=True):
        for part, one in _parts(command, length).items():
            seconds[part] += one
    return Goodput(seconds, _away(commands, lengths), len(commands))


def parts_in_words(goodput: Goodput) -> str:
    """Return the shares of all parts that took time: "82 % steps that count, 6 % steps made again"."""
    shares = goodput.shares
    return ", ".join(f"{shares[part] * 100:.1f} % {WORDS[part]}" for part in PARTS if goodput.seconds[part] > 0)


def seconds_since(timeline: Sequence[Moment], now: str) -> float | None:
    """Return how long the last command runs by an instant; None where it ended, or did not note when it began."""
    for moment in reversed(timeline):
        if moment.told == "ended":
            return None
        if moment.told == "began":
            return _between(moment.words, now)
    return None


def _commands(stints: Iterable[Stint], attempts: Iterable[EndedAttempt], timeline: Iterable[Moment]) -> list[_Command]:
    """Return the commands in order, each with its attempts in order."""
    found: dict[int, _Attempt] = {}

    def attempt_of(number: int) -> _Attempt:
        return found.setdefault(number, _Attempt(number))

    noted: list[_Command] = []
    command_of: dict[int, _Command] = {}
    for moment in timeline:
        if moment.told == "began" or not noted:
            noted.append(_Command(instant=moment.words if moment.told == "began" else ""))
        command = noted[-1]
        command.last_told_at = max(command.last_told_at, moment.at)
        if moment.told == "ended":
            command.ended_at = moment.at
        elif moment.told == "absent":
            command.waits.append((moment.at, None))
        elif command.waits and command.waits[-1][1] is None and moment.told in ("workers", "awaits", "settled"):
            command.waits[-1] = (command.waits[-1][0], moment.at)
        if moment.attempt and moment.told != "began":
            command_of.setdefault(moment.attempt, command)
            if command_of[moment.attempt] is command:
                attempt_of(moment.attempt).told_at.append(moment.at)
    for ended in attempts:
        attempt_of(ended.attempt).ended = ended
    for stint in stints:
        attempt_of(stint.attempt).stints.append(stint)

    older: list[_Command] = []
    before: _Command | None = None
    for number in sorted(found):
        attempt = found[number]
        command = command_of.get(number)
        if command is None and before is not None and _goes_on(before, attempt):
            command = before
        if command is None:
            command = _Command()
            older.append(command)
        command.attempts.append(attempt)
        before = command
    return [*older, *noted]


def _goes_on(command: _Command, attempt: _Attempt) -> bool:
    """Return whether an attempt that no timeline names is of the same command as the one before it, by its clock."""
    if command.attempts[-1].ended is None or attempt.started is None:
        return False  # without its end it was killed: whatever follows is of another command
    is_over = command.ended_at is not None and attempt.started > command.ended_at + _TOLERANCE_SECONDS
    return not is_over and attempt.started >= command.attempts[-1].latest - _TOLERANCE_SECONDS


def _parts(command: _Command, length: float) -> dict[str, float]:
    """Return the seconds of each part of one command; together they are its length."""
    seconds: dict[str, float] = {part: 0.0 for part in PARTS}
    waits = _joined(command.waits, length)
    cursor = 0.0

    def pass_to(at: float, part: str) -> None:
        nonlocal cursor
        at = min(max(at, cursor), length)
        waited = sum(max(0.0, min(end, at) - max(start, cursor)) for start, end in waits)
        seconds["waiting"] += waited
        seconds[part] += max(0.0, at - cursor - waited)
        cursor = at

    for place, attempt in enumerate(command.attempts):
        timed = [stint for stint in attempt.stints if stint.is_timed]
        for stint in timed:
            pass_to(stint.first_at, "starting" if stint is timed[0] else "ending")
            last = min(max(stint.last_at, cursor), length)
            redone = min(max(stint.redone_seconds, 0.0), last - cursor)
            seconds["redone"] += redone
            seconds["steps"] += last - cursor - redone
            cursor = last
        ended = attempt.ended.ended_seconds if attempt.ended is not None else None
        if ended is None:
            after = command.attempts[place + 1].started if place + 1 < len(command.attempts) else None
            ended = length if after is None else after
        pass_to(ended, "ending" if timed else "starting")
    pass_to(length, "ending" if command.attempts else "starting")
    return seconds


def _joined(waits: Iterable[tuple[float, float | None]], length: float) -> list[tuple[float, float]]:
    """Return stretches of waiting that do not overlap."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted((start, length if end is None else end) for start, end in waits):
        begins = max(start, joined[-1][1] if joined else 0.0)
        if end > begins:
            joined.append((begins, end))
    return joined


def _away(commands: Sequence[_Command], lengths: Sequence[float]) -> float | None:
    away = 0.0
    for before, length, after in zip(commands, lengths, commands[1:], strict=False):
        between = _between(before.instant, after.instant)
        if between is None:
            return None
        away += max(0.0, between - length)
    return away


def _between(before: str, after: str) -> float | None:
    try:
        return max(0.0, (moment_of(after) - moment_of(before)).total_seconds())
    except (ValueError, OverflowError):
        return None
