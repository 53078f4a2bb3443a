"""What a load knows of a group, and which drives it wants next.

Pass 1 takes every drive once, in any order: a data volume that is whole proves itself. What is damaged, or on a drive
that will not come, needs k columns of its stripe at once: pass 2 asks for a smallest set of drives that are mounted
together. Nothing is read here; all of it follows from group.json and the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Group, Volume
from packtrain.volume.block_list import num_blocks
from packtrain.volume.ranges import Ranges

Place = tuple[int, int]
"""Stripe and column."""
BadBlocks = Ranges | None
"""Blocks of a volume that are known to be bad; None for all of them."""
# 0.2 s on an old machine. Damage that needs more is spread over dozens of drives.
_MAX_SEARCH_STEPS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Need:
    """At least `count` of these drives, mounted together, make one kind of row of a stripe good."""

    drives: frozenset[str]
    count: int


@dataclass(slots=True)
class Knowledge:
    """What is known of one group.

    Attributes:
        done: data volumes whose files are in the store.
        refused: data volumes that are proven and hostile; no drive makes them better.
        salvaged: data volumes beyond repair of which every file that could be proven is in the store.
        bad: blocks that were found bad, by volume.
        seen: drives (by the UUID of the plan) of which every data volume was tried.
        lost: drives that will not come.
    """

    group: Group
    done: Collection[Place] = ()
    refused: Collection[Place] = ()
    salvaged: Collection[Place] = ()
    bad: Mapping[Place, BadBlocks] = field(default_factory=dict[Place, BadBlocks])
    seen: Collection[str] = ()
    lost: Collection[str] = ()

    def stripe(self, stripe: int) -> Sequence[Volume]:
        """Return the n volumes of a stripe."""
        n = self.group.k + self.group.m
        return self.group.volumes[stripe * n : stripe * n + n]

    def open_in(self, stripe: int) -> list[Volume]:
        """Return the data volumes of a stripe that are still to be restored."""
        return [
            volume
            for volume in self.stripe(stripe)[: self.group.k]
            if volume.bytes and (stripe, volume.column) not in self.done and (stripe, volume.column) not in self.refused
        ]

    def open(self) -> list[Volume]:
        """Return all data volumes of the group that are still to be restored."""
        return [volume for stripe in range(self.group.num_stripes) for volume in self.open_in(stripe)]

    def needs_of(self, volume: Volume, *, is_on_drive: bool = True) -> Iterator[Need]:
        """Yield what must be mounted together so that all blocks of a volume can be had.

        Args:
            volume: a data volume.
            is_on_drive: take what is good on its own drive from there; False: rebuild all of it from the others.
        """
        own = self.bad.get((volume.stripe, volume.column), Ranges())
        # Row 0 stands for all rows without damage: the later ones need no more, because volumes only end.
        is_whole_bad = own is None or volume.drive in self.lost or not is_on_drive
        if not own and not is_whole_bad:
            return
        asked = [bad for bad in self.bad_in(volume.stripe) if is_whole_bad or bad is own]
        seen: set[Need] = set()
        for row in self.rows_that_differ(volume.stripe):
            if (
                row < num_blocks(volume.bytes)
                and ((is_whole_bad and row == 0) or any(row in bad for bad in asked))
                and (need := self._need(volume.stripe, row, volume.column)) not in seen
            ):
                seen.add(need)
                yield need

    def bad_in(self, stripe: int) -> list[Ranges]:
        """Return the bad blocks of those volumes of a stripe of which not all are bad."""
        found = (self.bad.get((volume.stripe, volume.column)) for volume in self.stripe(stripe))
        return [bad for bad in found if bad is not None]

    def rows_that_differ(self, stripe: int) -> list[int]:
        """Return the rows of a stripe in which another set of columns is good, or is left, than in the row before."""
        ends = {num_blocks(volume.bytes) for volume in self.stripe(stripe)}
        return sorted({0} | ends | {row for bad in self.bad_in(stripe) for row in bad.turns()})

    def is_beyond_repair(self, volume: Volume) -> bool:
        """Return whether some block of a volume is lost for good, with every drive that is not lost."""
        return any(need.count > len(need.drives) for need in self.needs_of(volume))

    def can_be_rebuilt(self, volume: Volume, mounted: Collection[str]) -> bool:
        """Return whether the drives mounted give back a volume whose own drive is not among them."""
        return all(
            len(need.drives.intersection(mounted)) >= need.count for need in self.needs_of(volume, is_on_drive=False)
        )

    def unseen(self) -> list[str]:
        """Return the drives that pass 1 still wants: not tried, not lost, with volumes that are not restored."""
        waiting = {volume.drive for volume in self.open()}
        return [
            uuid for uuid in self.group.drives if uuid in waiting and uuid not in self.seen and uuid not in self.lost
        ]

    def needs(self) -> list[Need]:
        """Return what pass 2 needs together; each distinct need once."""
        found: dict[Need, None] = {}
        for volume in self.open():
            if not self.is_beyond_repair(volume):
                # A volume without known damage that is still open wants its own drive once more.
                own = Need(frozenset((volume.drive,)), 1)
                found.update(dict.fromkeys(tuple(self.needs_of(volume)) or (own,)))
            else:
                found.update(dict.fromkeys(self.salvage_needs(volume)))
        return list(found)

    def salvage_needs(self, volume: Volume) -> list[Need]:
        """Return what must be mounted to look for files in a volume beyond repair; nothing if no block of it is left.

        Nothing too if it was looked at already.
        """
        place = (volume.stripe, volume.column)
        if place in self.salvaged:
            return []
        needs = [need for need in self.needs_of(volume) if need.count <= len(need.drives)]
        bad = self.bad.get(place, Ranges())
        if volume.drive not in self.lost and bad is not None and len(bad) < num_blocks(volume.bytes):
            needs.append(Need(frozenset((volume.drive,)), 1))
        return needs

    def to_salvage(self, mounted: Collection[str]) -> list[Volume]:
        """Return the volumes beyond repair in which files can be looked for with these drives."""
        return [
            volume
            for volume in self.open()
            if self.is_beyond_repair(volume)
            and (needs := self.salvage_needs(volume))
            and all(len(need.drives.intersection(mounted)) >= need.count for need in needs)
        ]

    def num_proven(self) -> int:
        """Return the number of stripes of which every data volume is in the store."""
        return sum(
            not self.open_in(stripe) and not self._refused_in(stripe) for stripe in range(self.group.num_stripes)
        )

    def num_provable(self) -> int:
        """Return the number of stripes of which at least k columns are restored, or lie undamaged on drives seen."""
        return sum(self._is_provable(stripe) for stripe in range(self.group.num_stripes))

    def num_good_drives(self) -> int:
        """Return how many drives were seen without any damage."""
        damaged = {self.stripe(stripe)[column].drive for stripe, column in self.bad}
        return sum(uuid in self.seen and uuid not in damaged for uuid in self.group.drives)

    def _is_provable(self, stripe: int) -> bool:
        if not self.open_in(stripe):
            return not self._refused_in(stripe)
        good = sum(
            volume.bytes == 0
            or (stripe, volume.column) in self.done
            or (volume.drive in self.seen and (stripe, volume.column) not in self.bad)
            for volume in self.stripe(stripe)
        )
        return good >= self.group.k

    def _refused_in(self, stripe: int) -> bool:
        return any(place[0] == stripe for place in self.refused)

    def _need(self, stripe: int, row: int, column: int) -> Need:
        drives: set[str] = set()
        ended = 0
        for volume in self.stripe(stripe):
            if volume.bytes <= row * BLOCK_BYTES:
                ended += 1  # reads as zero, and costs nothing
                continue
            bad = self.bad.get((stripe, volume.column), Ranges())
            if volume.column != column and volume.drive not in self.lost and bad is not None and row not in bad:
                drives.add(volume.drive)
        return Need(frozenset(drives), self.group.k - ended)


def smallest_set(needs: Sequence[Need], drives: Sequence[str]) -> tuple[list[str], bool]:
    """Return a set of drives that fulfils all needs at once, and whether it is proven that none is smaller.

    Args:
        needs: each with at least as many drives as it counts.
        drives: candidates; of two that do the same the earlier is taken.

    Small cases are searched to their end; where that takes too many steps, the drive that helps most is taken again
    and again, and the set may be larger than it must be.
    """
    assert all(need.count <= len(need.drives) for need in needs), "beyond repair"
    # A drive that helps everywhere is never worse than another: take those first.
    everywhere = [uuid for uuid in drives if all(uuid in need.drives for need in needs)]
    chosen = everywhere[: max((need.count for need in needs), default=0)]
    left = [
        Need(need.drives.difference(chosen), rest)
        for need in needs
        if (rest := need.count - len(need.drives.intersection(chosen))) > 0
    ]
    if left:
        rest, is_smallest = _cover(left, [uuid for uuid in drives if uuid not in chosen])
        chosen += rest
    else:
        is_smallest = True
    order = {uuid: number for number, uuid in enumerate(drives)}
    return sorted(chosen, key=order.__getitem__), is_smallest


def _cover(needs: Sequence[Need], drives: Sequence[str]) -> tuple[list[str], bool]:
    bits = {uuid: 1 << number for number, uuid in enumerate(drives)}
    masks = [(sum(bits[uuid] for uuid in need.drives), need.count) for need in needs]
    steps = 0

    def search(at: int, taken: int, size: int) -> int | None:
        nonlocal steps
        steps += 1
        if steps > _MAX_SEARCH_STEPS:
            return None
        lacking = max(count - (mask & taken).bit_count() for mask, count in masks)
        if lacking <= 0:
            return taken
        if lacking > size or at == len(drives):
            return None
        # What is decided is out of reach: a need that the rest cannot fulfil ends this branch.
        rest = -1 << at
        if any((mask & (taken | rest)).bit_count() < count for mask, count in masks):
            return None
        found = search(at + 1, taken | 1 << at, size - 1)
        return found if found is not None else search(at + 1, taken, size)

    for size in range(max(count for _, count in masks), len(drives) + 1):
        found = search(0, 0, size)
        if found is not None:
            return [uuid for uuid in drives if found & bits[uuid]], True
        if steps > _MAX_SEARCH_STEPS:
            break
    return _greedy(needs, drives), False


def _greedy(needs: Sequence[Need], drives: Sequence[str]) -> list[str]:
    chosen: list[str] = []

    def lacking(need: Need) -> int:
        return need.count - len(need.drives.intersection(chosen))

    def helps(uuid: str) -> int:
        return sum(uuid in need.drives for need in needs if lacking(need) > 0)

    score: Callable[[str], int] = helps
    while any(lacking(need) > 0 for need in needs):
        chosen.append(max((uuid for uuid in drives if uuid not in chosen), key=score))
    return chosen
