"""What was set aside and why: a first-class table, and the rate that stops the job."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from packtrain.errors import TooManyRejects

RejectStage = Literal["walk", "read", "decode", "row"]
"""walk: no type we know, or no regular file; read: no bytes; decode: damaged; row: single lines, rows or sheets."""

_NAMED_IN_MESSAGE: Final = 3


class Reject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input set aside, or one part of it.

    Attributes:
        path: name of the source.
        sha256: digest of the whole source, or "" where it was not read.
        kind: table, image, clip, or "" where the type is unknown.
        place: which part ("line 17", "sheet data"), or "" for the whole source.
        error: why.
        bytes: length of what was set aside; 0 where it is not known.
    """

    path: str
    sha256: str
    kind: str
    stage: RejectStage
    place: str
    error: str
    bytes: int


class RejectRate:
    """The share of the sources that was set aside; a source of which one line in ten was bad counts a tenth.

    Files of a type that no kind reads are listed among the rejects but are no part of the rate: they are not damage.

    Args:
        num_sources: how many sources there are in all.
        max_rate: what the recipe allows, 0 to 1.
    """

    def __init__(self, num_sources: int, max_rate: float) -> None:
        self._num_sources = num_sources
        self._max_rate = max_rate
        self._lost_sources = 0.0
        self._first: list[Reject] = []

    def add(self, lost_sources: float, rejects: Iterable[Reject]) -> None:
        """Count what one unit set aside: whole sources and fractions of sources."""
        self._lost_sources += lost_sources
        for reject in rejects:
            if len(self._first) == _NAMED_IN_MESSAGE:
                break
            self._first.append(reject)

    def is_exceeded(self) -> bool:
        """Return whether the rate can no longer end below what the recipe allows."""
        # 1e-9: a sum of fractions must not stop a job that stands exactly at its limit.
        return self._lost_sources > self._max_rate * self._num_sources + 1e-9

    def error(self, rejects_file: Path) -> TooManyRejects:
        """Return the error that stops the job; it names the first few rejects."""
        named = "; ".join(f"{r.path}{' ' + r.place if r.place else ''}: {r.error}" for r in self._first)
        return TooManyRejects(
            f"too many inputs were set aside, first {named}",
            where=str(rejects_file),
            expected=f"at most {self._max_rate:.1%} of {self._num_sources} sources",
            found=f"{self._lost_sources / self._num_sources:.1%}",
            hint="mend or remove these sources, or raise max_reject_rate in [prepare]",
        )
