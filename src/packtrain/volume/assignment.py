"""Which entry goes into which data volume: decided once, from the list alone, before the first byte is written.

Entries keep their order. Volumes of a group are filled one after the other: volume v is column v mod k of stripe
v div k. Only a file that is larger than a volume is cut; its pieces follow each other, and all lie in one group. The
hard links to a file follow it in its volume; where they have no room there, or it is cut, the catalog alone has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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


class Piece(NamedTuple):
    """A piece of an entry in a volume; the offset in the tar is that of its content."""

    number: int
    num_pieces: int
    stripe: int
    column: int
    tar_offset: int
    file_offset: int
    bytes: int


class Placed(NamedTuple):
    """An entry, the position of its group, and its pieces in order: none where the catalog alone has the entry."""

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
    for entry, links in _sets(entries):
        while at.group < len(shares) - 1 and at.group_bytes + entry.size_bytes > limits[at.group]:
            # A group that would stay empty takes the entry all the same, unless nothing is to go there.
            if at.group_bytes == 0 and limits[at.group] > 0:
                break
            at = _Filling(at.group + 1)
        k = shares[at.group].k
        if links:
            _make_room(entry, links, at, room_bytes)
        pieces = () if entry.in_catalog_only else _cut(entry, at, k, room_bytes)
        at.group_bytes += entry.size_bytes
        yield Placed(entry, at.group, pieces)
        for link in links:
            header_bytes = _header_bytes(link, 1, 1, 0)
            fits = len(pieces) == 1 and at.used_bytes + header_bytes <= room_bytes
            yield Placed(link, at.group, (_put(at, k, header_bytes, 1, 1, 0, 0),) if fits else ())


def _header_bytes(entry: CargoEntry, number: int, count: int, size_bytes: int) -> int:
    """Return the length of the tar header of an entry, or of one piece of it."""
    return tar.header_bytes(
        entry.name if count == 1 else layout.piece_name(entry.name, number, count),
        entry.kind,
        size_bytes,
        entry.mtime_ns // 10**9,
        entry.link_target or b"",
        entry.uid,
        entry.gid,
        # Of a file that is cut the catalog alone has them: tar would set them on a piece.
        entry.xattrs if count == 1 else (),
    )


def _sets(entries: Iterable[CargoEntry]) -> Iterator[tuple[CargoEntry, list[CargoEntry]]]:
    """Yield every entry with the hard links that follow it."""
    head: CargoEntry | None = None
    links: list[CargoEntry] = []
    for entry in entries:
        if entry.kind == "hardlink":
            assert head is not None and entry.link_target == head.name, "a hard link follows its file in the list"
            links.append(entry)
            continue
        if head is not None:
            yield head, links
        head, links = entry, []
    if head is not None:
        yield head, links


def _make_room(entry: CargoEntry, links: list[CargoEntry], at: _Filling, room_bytes: int) -> None:
    """Begin another volume where a file and its links do not fit into this one, but would into an empty one."""
    needed = tar.padded_bytes(entry.size_bytes) + sum(
        _header_bytes(item, 1, 1, item.size_bytes) for item in (entry, *links)
    )
    if at.used_bytes + needed > room_bytes >= needed:
        at.volume, at.used_bytes = at.volume + 1, 0


def _cut(entry: CargoEntry, at: _Filling, k: int, room_bytes: int) -> tuple[Piece, ...]:
    header_bytes = _header_bytes(entry, 1, 1, entry.size_bytes)
    whole = header_bytes + tar.padded_bytes(entry.size_bytes)
    if whole <= room_bytes:
        if at.used_bytes + whole > room_bytes:
            at.volume, at.used_bytes = at.volume + 1, 0
        return (_put(at, k, header_bytes, 1, 1, 0, entry.size_bytes),)
    # All pieces' headers are equally long: numbers have fixed width, sizes are below 8 GiB.
    header_bytes = _header_bytes(entry, 1, 2, room_bytes)
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
        pieces.append(_put(at, k, header_bytes, number, count, offset, size_bytes))
        offset += size_bytes
    assert offset == entry.size_bytes
    return tuple(pieces)


def _put(at: _Filling, k: int, header_bytes: int, number: int, count: int, offset: int, size_bytes: int) -> Piece:
    stripe, column = divmod(at.volume, k)
    content_at = at.used_bytes + header_bytes
    at.used_bytes = content_at + tar.padded_bytes(size_bytes)
    return Piece(number, count, stripe, column, content_at, offset, size_bytes)
