"""Which entry goes into which data volume: decided once, from the list alone, before the first byte is written.

Entries keep their order. Volumes of a group are filled one after the other: volume v is column v mod k of stripe
v div k. Only a file that is larger than a volume is cut; its pieces follow each other, and all lie in one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.volume import layout, tar
from packtrain.volume.cargo import CargoEntry

# A piece smaller than this is not worth a header and a place in the catalog: the file then starts in the next volume.
_SMALLEST_PIECE_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class GroupShare:
    """A group and how much of the cargo it is to take.

    Attributes:
        k: data columns.
        weight: its part of the whole, in any unit (bytes of capacity).
    """

    k: int
    weight: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an entry in a volume; the offset in the tar is that of its content."""

    number: int
    count: int
    stripe: int
    column: int
    tar_offset: int
    file_offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry, the position of its group, and its pieces in order."""

    entry: CargoEntry
    group: int
    pieces: tuple[Piece, ...]


@dataclass(slots=True)
class _Filling:
    """The volume that is being filled, and what its group took so far."""

    group: int
    volume: int = 0
    used_bytes: int = 0
    group_bytes: int = 0


def assign(
    entries: Iterable[CargoEntry], shares: Sequence[GroupShare], total_bytes: int, target_bytes: int
) -> Iterator[Placed]:
    """Yield every entry with its place, in order.

    Args:
        entries: what is carried.
        shares: the groups in order; each takes its part by weight, the last takes the rest.
        total_bytes: sum of all entries' bytes, to measure the parts by.
        target_bytes: plaintext of a data volume at most (a volume is closed before an entry that would pass it).
    """
    assert shares and target_bytes >= layout.SMALLEST_VOLUME_BYTES, target_bytes
    total_weight = sum(share.weight for share in shares) or 1
    limits = [total_bytes * share.weight // total_weight for share in shares]
    room_bytes = target_bytes - len(tar.END_OF_ARCHIVE)
    at = _Filling(0)
    for entry in entries:
        while at.group < len(shares) - 1 and at.group_bytes + entry.size_bytes > limits[at.group]:
            # A group that would stay empty takes the entry all the same, unless nothing is to go there.
            if at.group_bytes == 0 and limits[at.group] > 0:
                break
            at = _Filling(at.group + 1)
        pieces = _cut(entry, at, shares[at.group].k, room_bytes)
        at.group_bytes += entry.size_bytes
        yield Placed(entry, at.group, pieces)


def member_header(entry: CargoEntry, number: int, count: int, size_bytes: int) -> bytes:
    """Return the tar header of an entry, or of one piece of it."""
    name = entry.name if count == 1 else layout.piece_name(entry.name, number, count)
    return tar.header(name, entry.kind, size_bytes, entry.mode, entry.mtime_ns // 10**9, entry.link_target or b"")


def _cut(entry: CargoEntry, at: _Filling, k: int, room_bytes: int) -> tuple[Piece, ...]:
    whole = len(member_header(entry, 1, 1, entry.size_bytes)) + tar.padded_bytes(entry.size_bytes)
    if whole <= room_bytes:
        if at.used_bytes + whole > room_bytes:
            at.volume, at.used_bytes = at.volume + 1, 0
        return (_put(entry, at, k, 1, 1, 0, entry.size_bytes),)
    # All pieces' headers are equally long: numbers have fixed width, sizes are below 8 GiB.
    header_bytes = len(member_header(entry, 1, 2, room_bytes))
    full_bytes = (room_bytes - header_bytes) // tar.BLOCK_BYTES * tar.BLOCK_BYTES
    first_bytes = (room_bytes - at.used_bytes - header_bytes) // tar.BLOCK_BYTES * tar.BLOCK_BYTES
    if first_bytes < _SMALLEST_PIECE_BYTES:
        at.volume, at.used_bytes = at.volume + (at.used_bytes > 0), 0
        first_bytes = full_bytes
    count = 1 + -(-(entry.size_bytes - first_bytes) // full_bytes)
    pieces: list[Piece] = []
    offset = 0
    for number in range(1, count + 1):
        size_bytes = min(first_bytes if number == 1 else full_bytes, entry.size_bytes - offset)
        if number > 1:
            at.volume, at.used_bytes = at.volume + 1, 0
        pieces.append(_put(entry, at, k, number, count, offset, size_bytes))
        offset += size_bytes
    assert offset == entry.size_bytes
    return tuple(pieces)


def _put(entry: CargoEntry, at: _Filling, k: int, number: int, count: int, offset: int, size_bytes: int) -> Piece:
    header_bytes = len(member_header(entry, number, count, size_bytes))
    piece = Piece(
        number=number,
        count=count,
        stripe=at.volume // k,
        column=at.volume % k,
        tar_offset=at.used_bytes + header_bytes,
        file_offset=offset,
        bytes=size_bytes,
    )
    at.used_bytes += header_bytes + tar.padded_bytes(size_bytes)
    return piece
