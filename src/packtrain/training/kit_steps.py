"""Under which kit each attempt of a training ran, and so each step that led to the weights.

`kits.jsonl` lies beside the steps: a line for each attempt that began, [attempt, kit, number of the update that brought
it], written before its first step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from packtrain import durable
from packtrain.ports import ATTEMPTS_NAME, StepRecord

KITS_NAME: Final = "kits.jsonl"
_MAX_LOG_BYTES: Final = 64 << 20
_MAX_TEXT: Final = 4000
_REASON: Final = re.compile(
    r"it was interrupted|every worker ended|the program had marked itself done(; killed at exit: rank [0-9, ]{1,200})?"
    r"|no step and no checkpoint for [0-9.e+]{1,16} s"
    r"|rank [0-9]{1,6} (was asked to stop, and saved|ended with exit code [0-9]{1,3}"
    r"|was killed by (SIG[A-Z0-9+]{1,13}|signal [0-9]{1,3}))"
    r"|the host of rank [0-9]{1,6} was lost: (it did not answer for [0-9.e+]{1,16} s|what ran there for packtrain ended"
    r"|what it told does not fit its workers|it could not (start its workers|write its logs)|it ended without a word"
    r"|its task (ended before its workers had|did not start within [0-9.e+]{1,16} s"
    r"|ended without a word \(srun: exit code -?[0-9]{1,3}\)))"
    r"|the job's time ran out, and it was asked to save|Slurm ended it"
    r"( \((BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT)\))?"
)
"""What engines say. The log lies where the program can write, and what it says goes home in the clear: a search finds
known bytes alone, a sentence has no room for others."""
_OTHER_WORDS: Final = "noted in other words than an engine's, which stay here"


@dataclass(frozen=True, slots=True)
class NotedAttempt:
    """One attempt as the engine noted it; `kit` is the SHA-256 of kit.json, None where it was not noted."""

    attempt: int
    kit: str | None
    seconds: float
    reason: str


def note_attempt(log_folder: Path, attempt: int, kit: str, number: int) -> None:
    """Note under which kit an attempt begins, durably; `number` is that of its update, 0 of the kit that left."""
    durable.append_line(log_folder / KITS_NAME, json.dumps([attempt, kit, number]).encode("ascii"))


def kits_of_attempts(log_folder: Path) -> dict[int, tuple[str, int]]:
    """Return attempt -> kit and number of its update, of each attempt that was noted."""
    found: dict[int, tuple[str, int]] = {}
    for entry in _lines(log_folder / KITS_NAME):
        match entry:
            case [int(attempt), str(kit), int(number)]:
                found[attempt] = kit, number
            case _:
                continue
    return found


def attempts_of(log_folder: Path) -> list[NotedAttempt]:
    """Return the attempts that ended, in that order; one whose engine was killed is not noted."""
    kits = kits_of_attempts(log_folder)
    found: list[NotedAttempt] = []
    for entry in _lines(log_folder / ATTEMPTS_NAME):
        match entry:
            case {
                "attempt": int(attempt),
                "started_seconds": int() | float() as started,
                "ended_seconds": int() | float() as ended,
                "reason": str(reason),
            }:
                seconds = round(max(0.0, ended - started), 3)
                said = reason if _REASON.fullmatch(reason) else _OTHER_WORDS
                found.append(NotedAttempt(attempt, kits[attempt][0] if attempt in kits else None, seconds, said))
            case _:
                continue
    return found


def steps_by_update(records: Iterable[StepRecord], kits: Mapping[int, tuple[str, int]]) -> dict[int, list[int]]:
    """Return the steps that count by the number of the update whose kit they ran under.

    Attempts that nobody noted ran before there were updates: under the kit that left, number 0.

    Args:
        records: the steps that count: `steps_that_count`.
        kits: `kits_of_attempts`.
    """
    found: dict[int, list[int]] = {}
    for record in records:
        found.setdefault(kits.get(record.attempt, ("", 0))[1], []).append(record.step)
    return found


def spelled(steps: Sequence[int]) -> str:
    """Return steps as ranges: "1-400", "3, 17-18"; cut where it would be longer than a text of a document may be."""
    ordered = sorted(set(steps))
    if not ordered:
        return ""
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    text = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
    if len(text) <= _MAX_TEXT:
        return text
    return f"{text[:_MAX_TEXT].rpartition(', ')[0]} … ({len(ordered)} steps)"


def _lines(path: Path) -> Iterable[Any]:
    try:
        with path.open("rb") as stream:
            payload = stream.read(_MAX_LOG_BYTES)
    except FileNotFoundError:
        return
    for line in payload.split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue
