"""The cargo as a list that can be read more than once: in memory for a data set, in a file for a folder of any size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from packtrain import durable
from packtrain.units import KIB
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.cargo import CargoDigest, CargoEntry
from packtrain.volume.folder_scan import scan
from packtrain.volume.losses import LossReport

_LENGTH_BYTES: Final = 4
# Entries that are encoded together: some 0.1 MB, unless each has attributes of 64 KiB.
_BATCH_ENTRIES: Final = 256
# The names of pieces are 16 bytes longer than their file's, and only what is larger than a volume is cut.
_LONG_NAME_BYTES: Final = 239
_NEVER_CUT_BYTES: Final = 128 * KIB


@dataclass(frozen=True, slots=True)
class CargoList:
    """What is carried, in order.

    Attributes:
        entries: can be iterated any number of times, and gives the same each time.
        num_entries, num_files, total_bytes: all entries; regular files, and the bytes of these.
        digest: `cargo_digest` of the entries.
        has_long_names: the pieces of a file might have names that no reader takes.
    """

    entries: Iterable[CargoEntry]
    num_entries: int
    num_files: int
    total_bytes: int
    digest: str
    has_long_names: bool


@dataclass(frozen=True, slots=True)
class VolumeCount:
    """How many volumes a cargo makes: with data, and with parity."""

    data: int
    parity: int


def list_of(entries: Sequence[CargoEntry]) -> CargoList:
    """Return entries that are in memory as a list."""
    counted = _Counted()
    for _ in counted.through(entries):
        pass
    return counted.listed(entries)


def list_folder(
    root: Path, listing: Path, report: LossReport, tell: Callable[[int], None] = lambda _: None
) -> CargoList:
    """Scan a folder once; return its entries as a list that lies in a file.

    Args:
        root: the folder.
        listing: the file; it holds names in the clear, so it belongs where nobody else reads.
        report: takes what cannot be carried, and what is not carried whole.
        tell: takes how many entries were found by now, now and then.

    Raises:
        DriveFull: no space is left for the file.
    """
    counted = _Counted()
    encoder = msgspec.msgpack.Encoder()
    buffer = bytearray()
    entries = counted.through(scan(root, report=report))
    with durable.atomic_writer(listing, 0o600) as stream:
        while batch := list(itertools.islice(entries, _BATCH_ENTRIES)):
            encoder.encode_into(batch, buffer, _LENGTH_BYTES)
            buffer[:_LENGTH_BYTES] = (len(buffer) - _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "little")
            stream.write(buffer)
            tell(counted.num_entries)
    return counted.listed(_Listing(listing))


def look_at_folder(root: Path, report: LossReport) -> CargoList:
    """Scan a folder and write nothing: the list scans it again whenever it is read."""
    counted = _Counted()
    for _ in counted.through(scan(root, report=report)):
        pass
    return counted.listed(_Scanned(root))


def count_volumes(cargo: CargoList, groups: Sequence[tuple[GroupShare, int]], target_bytes: int) -> VolumeCount:
    """Return how many volumes a cargo makes, by placing it without writing anything.

    Args:
        cargo: what is carried.
        groups: share and number of parity columns of each group.
        target_bytes: plaintext of a data volume at most.
    """
    last: dict[int, tuple[int, int]] = {}
    for placed in assign(cargo.entries, [share for share, _ in groups], cargo.total_bytes, target_bytes):
        if placed.pieces:
            last[placed.group] = (placed.pieces[-1].stripe, placed.pieces[-1].column)
    return VolumeCount(
        sum(stripe * groups[group][0].k + column + 1 for group, (stripe, column) in last.items()),
        sum((stripe + 1) * groups[group][1] for group, (stripe, _) in last.items()),
    )


class _Counted:
    """Adds up what passes through."""

    def __init__(self) -> None:
        self.num_entries = self._num_files = self._total_bytes = 0
        self._has_long_names = False
        self._digest = CargoDigest()

    def through(self, entries: Iterable[CargoEntry]) -> Iterator[CargoEntry]:
        add = self._digest.add
        for entry in entries:
            self.num_entries += 1
            size_bytes = entry.size_bytes
            self._num_files += entry.kind == "file"
            self._total_bytes += size_bytes
            if size_bytes > _NEVER_CUT_BYTES and len(entry.name) > _LONG_NAME_BYTES:
                self._has_long_names = True
            add(entry)
            yield entry

    def listed(self, entries: Iterable[CargoEntry]) -> CargoList:
        return CargoList(
            entries,
            self.num_entries,
            self._num_files,
            self._total_bytes,
            self._digest.hexdigest(),
            self._has_long_names,
        )


@dataclass(frozen=True, slots=True)
class _Scanned:
    """Entries that are looked for anew each time."""

    root: Path

    def __iter__(self) -> Iterator[CargoEntry]:
        return scan(self.root, report=LossReport())


@dataclass(frozen=True, slots=True)
class _Listing:
    """Entries in a file: some hundred at a time, a length and their fields."""

    path: Path

    def __iter__(self) -> Iterator[CargoEntry]:
        decoder = msgspec.msgpack.Decoder(list[CargoEntry])
        with self.path.open("rb", buffering=1 << 20) as stream:
            while (payload := _next(stream)) is not None:
                yield from decoder.decode(payload)


def _next(stream: BinaryIO) -> bytes | None:
    head = stream.read(_LENGTH_BYTES)
    return stream.read(int.from_bytes(head, "little")) if head else None
