"""Syndromes of a stripe in a scratch file: the sum of all columns that passed, enough to solve those that never come.

One file a stripe: m blocks a row, row after row, then which columns are in it. It is written anew and renamed for each
pass, so that a column is in the sums and in the list, or in neither. What lies in the scratch folder is ciphertext.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec

from packtrain import durable
from packtrain.digest import BLOCK_BYTES, sha256_bytes
from packtrain.documents.group import Group, Volume
from packtrain.volume.block_list import num_blocks
from packtrain.volume.ranges import Ranges
from packtrain.volume.wanted import Knowledge, Need

_LENGTH_BYTES: Final = 8
_DIGEST_BYTES: Final = 64
_Number = Annotated[int, msgspec.Meta(ge=0)]


class _Trailer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which columns are in the sums; of each the first and last of the blocks that were bad, and are not."""

    stripe: int
    counted: dict[int, tuple[tuple[_Number, _Number], ...]]


@dataclass(frozen=True, slots=True)
class Scratch:
    """The scratch folder of one group.

    Args:
        root: a folder for this shipment alone.
        group: the group.
    """

    root: Path
    group: Group

    def stripe(self, stripe: int) -> Syndromes:
        """Return the syndromes of a stripe as they are now; none counted where there is no file, or a damaged one."""
        path = self._path(stripe)
        n = self.group.k + self.group.m
        volumes = self.group.volumes[stripe * n : stripe * n + n]
        return Syndromes(path, stripe, volumes, self.group.m, _read_trailer(path, stripe))

    def partial(self, volume: Volume) -> Path:
        """Return where the good blocks of a damaged data volume are kept, each at its place."""
        return self.root / f"{self.group.group:04d}-{volume.stripe:07d}-{volume.column:03d}.partial"

    def has(self, stripe: int) -> bool:
        """Return whether anything of a stripe is counted."""
        return self._path(stripe).is_file()

    def remove(self, stripe: int) -> None:
        """Remove all of a stripe: nothing of it is open any more, or its sums are wrong."""
        prefix = f"{self.group.group:04d}-{stripe:07d}"
        for path in (*self.root.glob(f"{prefix}.syndromes*"), *self.root.glob(f"{prefix}-*.partial*")):
            path.unlink()

    def needs(self, knowledge: Knowledge) -> list[Need]:
        """Return how many more columns have to pass, in any order, until all can be solved that ever can."""
        found: dict[Need, None] = {}
        for stripe in range(self.group.num_stripes):
            open_here = knowledge.open_in(stripe)
            if open_here:
                found.update(dict.fromkeys(self.stripe(stripe).needs(knowledge, open_here)))
        return list(found)

    def _path(self, stripe: int) -> Path:
        return self.root / f"{self.group.group:04d}-{stripe:07d}.syndromes"


class Syndromes:
    """The syndromes of one stripe.

    Attributes:
        counted: columns that are in the sums, each with its blocks that are not because they were bad.
        num_rows: of the stripe.
    """

    def __init__(
        self, path: Path, stripe: int, volumes: Sequence[Volume], m: int, counted: Mapping[int, Ranges]
    ) -> None:
        self.counted = dict(counted)
        self._path = path
        self._stripe = stripe
        self._volumes = volumes
        self._m = m
        self._longest = max(volume.bytes for volume in volumes)
        self.num_rows = num_blocks(self._longest)

    def row_bytes(self, row: int) -> int:
        """Return the length of each syndrome in a row."""
        return min(BLOCK_BYTES, self._longest - row * BLOCK_BYTES)

    def unknown(self, row: int) -> list[int]:
        """Return the data columns that reach this row and are not in its sums."""
        k = len(self._volumes) - self._m
        return [v.column for v in self._volumes[:k] if v.bytes > row * BLOCK_BYTES and not self._has(v.column, row)]

    def known(self, row: int) -> list[int]:
        """Return the parity columns that are in the sums of this row."""
        k = len(self._volumes) - self._m
        return [v.column for v in self._volumes[k:] if self._has(v.column, row)]

    def can_solve(self, volumes: Sequence[Volume]) -> bool:
        """Return whether all blocks of these volumes can be had from here."""
        last = max((num_blocks(volume.bytes) for volume in volumes), default=0)
        ends = {num_blocks(volume.bytes) for volume in self._volumes}
        rows = {0} | ends | {row for bad in self.counted.values() for row in bad.turns()}
        return all(len(self.unknown(row)) <= len(self.known(row)) for row in rows if row < last)

    def needs(self, knowledge: Knowledge, volumes: Sequence[Volume]) -> Iterator[Need]:
        """Yield how many more columns must pass for these volumes; nothing for what can never be solved."""
        damaged = [*self.counted.values(), *knowledge.bad_in(self._stripe)]
        rows = {
            *knowledge.rows_that_differ(self._stripe),
            *(row for bad in self.counted.values() for row in bad.turns()),
        }
        last = max(num_blocks(volume.bytes) for volume in volumes)
        for row in sorted(row for row in rows if row < last):
            if row and not any(row in bad for bad in damaged):
                continue
            lacking = len(self.unknown(row)) - len(self.known(row))
            drives = frozenset(
                volume.drive
                for volume in self._volumes
                if volume.bytes > row * BLOCK_BYTES
                and volume.drive not in knowledge.lost
                and volume.column not in self.counted
                and not _is_bad(knowledge, volume, row)
            )
            if 0 < lacking <= len(drives):
                yield Need(drives, lacking)

    @contextlib.contextmanager
    def update(self) -> Iterator[Update]:
        """Yield the next version; it takes the place of this one when the context is left without an error.

        Raises:
            DriveFull: no space is left in the scratch folder.
        """
        with contextlib.ExitStack() as held:
            old = held.enter_context(self._path.open("rb", buffering=0)) if self.counted else None
            with durable.atomic_writer(self._path, mode=0o600) as stream:
                new = Update(self, old, stream)
                yield new
                trailer = msgspec.json.encode(
                    _Trailer(self._stripe, {column: tuple(bad.pairs()) for column, bad in new.counted.items()})
                )
                stream.write(
                    trailer + sha256_bytes(trailer).encode("ascii") + len(trailer).to_bytes(_LENGTH_BYTES, "big")
                )
        self.counted = new.counted

    @contextlib.contextmanager
    def reading(self) -> Iterator[BinaryIO]:
        """Yield the file, for `read_row`."""
        with self._path.open("rb", buffering=0) as stream:
            yield stream

    def read_row(self, stream: BinaryIO, row: int, syndromes: Sequence[memoryview]) -> None:
        """Fill m buffers with a row."""
        stream.seek(row * self._m * BLOCK_BYTES)
        length = self.row_bytes(row)
        for syndrome in syndromes:
            payload = stream.read(length)
            syndrome[: len(payload)] = payload

    def _has(self, column: int, row: int) -> bool:
        return column in self.counted and row not in self.counted[column]


class Update:
    """A version of the syndromes that is being written.

    Attributes:
        counted: as of `Syndromes`; set it before the context is left.
    """

    def __init__(self, syndromes: Syndromes, old: BinaryIO | None, stream: BinaryIO) -> None:
        self.counted = dict(syndromes.counted)
        self._syndromes = syndromes
        self._old = old
        self._stream = stream

    def read(self, row: int, into: Sequence[memoryview]) -> None:
        """Fill m buffers with a row of the version before, zeros where there is none."""
        if self._old is not None:
            self._syndromes.read_row(self._old, row, into)
            return
        length = self._syndromes.row_bytes(row)
        for syndrome in into:
            syndrome[:length] = bytes(length)

    def write(self, row: int, syndromes: Sequence[memoryview]) -> None:
        """Write a row; rows come in order."""
        for syndrome in syndromes:
            self._stream.write(syndrome[: self._syndromes.row_bytes(row)])


def _is_bad(knowledge: Knowledge, volume: Volume, row: int) -> bool:
    bad = knowledge.bad.get((volume.stripe, volume.column), Ranges())
    return bad is None or row in bad


def _read_trailer(path: Path, stripe: int) -> dict[int, Ranges]:
    """Return which columns a file counts; none where its end is not as it was written."""
    try:
        payload_end = path.stat().st_size - _LENGTH_BYTES - _DIGEST_BYTES
        with path.open("rb") as stream:
            stream.seek(max(payload_end, 0))
            digest = stream.read(_DIGEST_BYTES)
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
            if payload_end < 0 or length > payload_end:
                return {}
            stream.seek(payload_end - length)
            payload = stream.read(length)
    except FileNotFoundError:
        return {}
    if sha256_bytes(payload).encode("ascii") != digest:
        return {}
    try:
        trailer = msgspec.json.decode(payload, type=_Trailer)
    except msgspec.MsgspecError:
        return {}
    return {column: Ranges(bad) for column, bad in trailer.counted.items()} if trailer.stripe == stripe else {}
