"""attempts.jsonl, read again: how each attempt ended, as the engine wrote it, and nothing that is out of bounds."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from packtrain.training.goodput.timeline import Number, Seconds, bounded_lines, shown

MOST_ATTEMPTS: Final = 10_000
_MAX_LINE_BYTES: Final = 1 << 20
_MOST_HOSTS: Final = 4096


class EndedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that ended, see `ports.AttemptRecord`; what an older line does not say is None or empty."""

    attempt: Number
    started_seconds: Seconds | None = None
    ended_seconds: Seconds | None = None
    reason: str = ""
    lost_rank: Number | None = None
    hosts: tuple[str, ...] = ()
    lost_host: str | None = None
    resumed_from: str = ""


_decoder: Final = msgspec.json.Decoder(EndedAttempt)


def read_attempts(path: Path) -> tuple[EndedAttempt, ...]:
    """Return the attempts that a log tells of, in its order: the last 10,000. Lines that are none are passed over."""
    found: deque[EndedAttempt] = deque(maxlen=MOST_ATTEMPTS)
    for line in bounded_lines(path, _MAX_LINE_BYTES):
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            ended = _decoder.decode(line)
            found.append(
                msgspec.structs.replace(
                    ended,
                    reason=shown(ended.reason),
                    hosts=tuple(shown(host) for host in ended.hosts[:_MOST_HOSTS]),
                    lost_host=shown(ended.lost_host) if ended.lost_host else None,
                    resumed_from=shown(ended.resumed_from),
                )
            )
    return tuple(found)
