"""What a receipt of `train` says of hosts, attempts and goodput."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from packtrain.ports import ATTEMPTS_NAME, AttemptRecord, StepRecord
from packtrain.training.goodput.attempts import read_attempts
from packtrain.training.goodput.shares import goodput_of, parts_in_words
from packtrain.training.goodput.tally import StepTally
from packtrain.training.goodput.timeline import TIMELINE_NAME, read_timeline
from packtrain.units import format_seconds

_MAX_TEXT: Final = 4000
_SEPARATOR: Final = ", "


def counts_of(attempts: Sequence[AttemptRecord], logs: Path) -> dict[str, int]:
    """Return counts of the command that ended the training, and of all commands.

    Args:
        attempts: of this command, from its engine and not from the log, which the program can write.
        logs: where the log of all commands lies.
    """
    return {
        "hosts": len(_names(attempts)),
        "hosts_lost": sum(attempt.lost_host is not None and attempt.lost_rank is None for attempt in attempts),
        "attempts": max(len(read_attempts(logs / ATTEMPTS_NAME)), len(attempts)),
    }


def facts_of(attempts: Sequence[AttemptRecord], records: Iterable[StepRecord], logs: Path) -> dict[str, str]:
    """Return the names of the hosts of this command, and the goodput of all commands in words."""
    tally = StepTally()
    for record in records:
        tally.add(record.attempt, record.step, record.elapsed_seconds)
    found = goodput_of(tally.stints, read_attempts(logs / ATTEMPTS_NAME), read_timeline(logs / TIMELINE_NAME))
    told = "no time was told"
    if found is not None and found.ratio is not None:
        told = f"{found.ratio * 100:.1f} % of {format_seconds(found.total_seconds)}: {parts_in_words(found)}"
    return {"hosts": spelled(_names(attempts)), "goodput": told}


def spelled(hosts: Sequence[str]) -> str:
    """Return names as one text: "h1, h2"; of more than a fact holds the first ones, and how many there are."""
    text = _SEPARATOR.join(hosts)
    if len(text) <= _MAX_TEXT:
        return text
    return f"{text[:_MAX_TEXT].rpartition(_SEPARATOR)[0]}{_SEPARATOR}and others: {len(hosts)} in all"


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of a text that `spelled` made."""
    return tuple(name for name in text.split(_SEPARATOR) if name)


def _names(attempts: Iterable[AttemptRecord]) -> tuple[str, ...]:
    """Return each host once, in the order in which they took part; this one where the engine is of one machine."""
    names = dict.fromkeys(host for attempt in attempts for host in attempt.hosts)
    return tuple(names) or (platform.node() or "unnamed",)
