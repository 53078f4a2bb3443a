"""What a kind's reader is given and what it gives back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from packtrain.dataset.arrow import Table

Detail = Mapping[str, str | int | float | bool | list[int] | list[float] | list[str]]


@dataclass(frozen=True, slots=True)
class OpenSource:
    """One source, open for reading.

    Attributes:
        name: its name in the source manifest.
        suffix: of its name, in lower case, without the dot.
        stream: its bytes, seekable, at the beginning. It has a file descriptor.
        size_bytes: its length.
    """

    name: str
    suffix: str
    stream: BinaryIO
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One sample to be.

    Attributes:
        payload: what goes into the unit's blobs; None where the sample is the source file itself, byte for byte,
            or a block of a table.
        sha256: digest that makes it a duplicate of another sample; None to take that of the bytes.
        suffix: of the media member.
        group: which table of the source it belongs to, "" for images and clips. Blocks of a group share shards.
        num_rows: rows, for tables.
        detail: what is known about it, for its JSON member and the index.
        measures: what filters and histograms look at, by names that the kind's spec lists; finite numbers. They travel
            with no shard.
        fingerprint: what near-duplicates have nearly in common, by the recipe's method; empty where none is asked for
            or the sample has too little in it to be compared.
        block: the rows of a sample of a table, which has no payload: its bytes are made where it is stored.
        block_bytes: length of these rows as CSV, by which shards of tables are cut.
    """

    payload: bytes | None
    suffix: str
    detail: Detail
    sha256: str | None = None
    group: str = ""
    num_rows: int = 0
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    fingerprint: bytes = b""
    block: Table = None
    block_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Setback:
    """One part of a source that was set aside while the rest is kept: a line, a sheet."""

    place: str
    error: str
    num_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of a source was of use, told once at its end.

    Attributes:
        num_parts, num_lost: parts seen (rows, sheets), and how many of them were set aside.
        left_over: frames at a clip's end that fill no sample.
    """

    num_parts: int = 1
    num_lost: int = 0
    left_over: int = 0


@dataclass(slots=True)
class Setbacks:
    """Setbacks of one source, named one by one up to a limit and only counted after it.

    A table of a billion bad lines must not become a list of a billion errors.
    """

    limit: int = 1000
    num_seen: int = 0
    named: list[Setback] = field(default_factory=list[Setback])

    def add(self, place: str, error: str, num_bytes: int = 0) -> None:
        """Count one setback, and name it while there is room."""
        self.num_seen += 1
        if len(self.named) < self.limit:
            self.named.append(Setback(place, error, num_bytes))

    def all(self) -> list[Setback]:
        """Return the named ones and, if there are more, one line that says how many."""
        more = self.num_seen - len(self.named)
        return [*self.named, Setback("", f"and {more} more like these")] if more else list(self.named)


class Damaged(Exception):
    """A source that is of no use as a whole. It becomes a reject and never reaches the user as an error."""


_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")
_NO_STATE: Final = "state machine reached an invalid state"
"""What DuckDB says of lines that end in two ways."""


def one_line(error: BaseException, max_length: int = 300) -> str:
    """Return a library's message as one short line, with the error's type where it has no text.

    Without addresses in memory ("<_io.BytesIO object at 0x7f...>") and numbers of descriptors, which PyAV takes for the
    name of the file: the line goes into the data set, whose bytes are a function of the sources and the recipe alone.
    """
    told: object = getattr(error, "strerror", None) or error
    text = _ADDRESS.sub("", " ".join(str(told).split())) or type(error).__name__
    # DuckDB goes on with settings of its own that nobody can reach here, and with the number of a descriptor.
    text = text.partition(" Possible fixes:")[0]
    if _NO_STATE in text:
        text = "its lines seem to end in two ways, LF and CR LF: save it anew with one of them"
    return text if len(text) <= max_length else text[: max_length - 1] + "…"
