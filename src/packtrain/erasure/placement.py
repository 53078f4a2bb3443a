"""Which drives are coded together, and what that survives.

The rule: in every group m >= (its drives in its `cases` fullest cases) + `drives`. Then any `cases` cases may be lost
and, beside them, any `drives` drives of each group.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from packtrain.errors import PlacementImpossible
from packtrain.units import format_bytes

MAX_GROUP_DRIVES: Final = 255

# Of each drive, for the file system's own records, block lists, catalog and signed documents; 2 % is what ext4 takes of
# an empty drive with `-T largefile4`, and more than the rest together.
RESERVE_DIVISOR: Final = 50

# Without a word on bays: the work a byte grows with m, and at 45 + 15 one core codes about 1 to 4 GB/s.
_LARGEST_UNASKED: Final = 64
_MAX_COMBINATIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Survival:
    """What is to be survived: any `cases` whole cases and, beside them, any `drives` drives of each group."""

    cases: int
    drives: int

    def __post_init__(self) -> None:
        if self.cases < 0 or self.drives < 0:
            raise ValueError(f"a survival of {self.cases} cases and {self.drives} drives")


@dataclass(frozen=True, slots=True)
class DriveSpec:
    """A drive to be placed; `capacity_bytes` is what it has free for cargo, the kit already taken off."""

    label: str
    case: str
    capacity_bytes: int


@dataclass(frozen=True, slots=True)
class Group:
    """Drives that are coded together: their labels in column order, k of them for data and m for parity a stripe."""

    k: int
    m: int
    drives: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.k < 1 or self.m < 0 or self.k + self.m != len(self.drives):
            raise ValueError(f"a group of {len(self.drives)} drives with k = {self.k} and m = {self.m}")


@dataclass(frozen=True, slots=True)
class Placement:
    """All groups of a shipment, and the survival they were made for."""

    groups: tuple[Group, ...]
    survive: Survival


def place(
    drives: Sequence[DriveSpec], survive: Survival, total_bytes: int | None = None, bays: int | None = None
) -> Placement:
    """Return the placement of all `drives` that holds the most data with what is to be survived.

    Like capacities come together, because a group is full when its smallest drive is. Of placements that hold the same,
    the one with the fewest and most equal groups is taken: a larger group survives more patterns of loss.

    Args:
        drives: at least one, with distinct labels.
        survive: what every group must survive.
        total_bytes: bytes of volumes to be held, or None if it is not known yet.
        bays: drives mounted at once; no group is larger. None: no group is larger than 64.

    Raises:
        PlacementImpossible: no grouping survives that, or it does not hold `total_bytes`.
        ValueError: no drives, a label twice, or no bays.
    """
    labels = [drive.label for drive in drives]
    if not drives or len(set(labels)) != len(labels):
        raise ValueError("a placement needs drives with distinct labels")
    if bays is not None and bays < 1:
        raise ValueError(f"{bays} bays")
    largest = min(len(drives), MAX_GROUP_DRIVES, bays or _LARGEST_UNASKED)
    # Like drives never have the same bytes free to the last; what differs by less than 2 % is alike, or a few kilobytes
    # would buy weaker groups.
    alike = _alike(drives)
    found = [_best_cuts(order(alike), survive, largest) for order in _ORDERS]
    segments = max((cuts for cuts in found if cuts is not None), key=lambda cuts: _score(cuts, survive), default=None)
    if segments is None:
        raise _impossible(drives, survive, largest)
    placement = Placement(tuple(_group(segment, survive) for segment in segments), survive)
    if total_bytes is not None:
        _check_capacity(placement, drives, total_bytes)
    return placement


def required_parity(case_of_drives: Sequence[str], survive: Survival) -> int:
    """Return the smallest m of a group whose drives lie in these cases (one entry a drive)."""
    return _worst_loss(case_of_drives, survive.cases) + survive.drives


def capacity_bytes(placement: Placement, capacity_of: Mapping[str, int]) -> int:
    """Return the bytes of data volumes that fit: k times the smallest drive, summed over the groups, less 2 %.

    Args:
        placement: the groups.
        capacity_of: free bytes of each drive, by label.
    """
    return sum(group.k * _usable(min(capacity_of[label] for label in group.drives)) for group in placement.groups)


def survives(
    placement: Placement,
    case_of: Mapping[str, str],
    lost_drives: Collection[str] = (),
    lost_cases: Collection[str] = (),
) -> bool:
    """Return whether everything can be restored without these drives and without all drives of these cases.

    Raises:
        ValueError: a drive or a case is not of this placement.
    """
    labels = {label for group in placement.groups for label in group.drives}
    unknown = (set(lost_drives) - labels) | (set(lost_cases) - {case_of[label] for label in labels})
    if unknown:
        raise ValueError(f"not of this placement: {sorted(unknown)}")
    lost = set(lost_drives) | {label for label in labels if case_of[label] in lost_cases}
    return all(len(lost.intersection(group.drives)) <= group.m for group in placement.groups)


def survival_statement(placement: Placement, case_of: Mapping[str, str]) -> str:
    """Return in words what may be lost at worst, computed from m and where the drives lie.

    For example: "any one case; with no case lost any 3 drives of a group; a case and any 1 more drive of a group;
    a case and 2 more drives of a group are NOT survivable; two cases are NOT survivable". "NOT always" stands where it
    depends on which case is lost.
    """
    cases_of_groups = [[case_of[label] for label in group.drives] for group in placement.groups]
    num_cases = len({case for cases in cases_of_groups for case in cases})
    survived: list[int] = []  # of each number of lost cases: how many more drives of any group may go
    for lost_cases in range(num_cases):
        spare = min(
            group.m - _worst_loss(cases, lost_cases)
            for group, cases in zip(placement.groups, cases_of_groups, strict=True)
        )
        if spare < 0:
            break
        survived.append(spare)
    most_cases = len(survived) - 1
    parts = [f"any {_cases(most_cases)}"] if most_cases else [] if survived[0] else ["no loss at all"]
    if survived[0]:
        parts.append(f"with no case lost any {_drives(survived[0])} of a group")
    parts += [
        f"{_cases(count, 'a')} and any {spare} more {_plural(spare, 'drive')} of a group"
        for count, spare in enumerate(survived[1:], 1)
        if spare
    ]
    over = survived[-1] + 1
    never = "NOT" if _always_lost(placement, cases_of_groups, most_cases, over) else "NOT always"
    if most_cases:
        parts.append(
            f"{_cases(most_cases, 'a')} and {over} more {_plural(over, 'drive')} of a group"
            f" {'is' if most_cases == over == 1 else 'are'} {never} survivable"
        )
    else:
        parts.append(f"{_drives(over)} of a group {'is' if over == 1 else 'are'} {never} survivable")
    if most_cases < num_cases:
        never = "NOT" if _always_lost(placement, cases_of_groups, most_cases + 1, 0) else "NOT always"
        parts.append(f"{_cases(most_cases + 1)} {'are' if most_cases else 'is'} {never} survivable")
    return "; ".join(parts)


def _always_lost(
    placement: Placement, cases_of_groups: Sequence[Sequence[str]], num_lost: int, more_drives: int
) -> bool:
    """Return whether after the loss of any `num_lost` cases at all some group cannot lose `more_drives` more."""
    names = sorted({case for cases in cases_of_groups for case in cases})
    if math.comb(len(names), num_lost) > _MAX_COMBINATIONS:
        return False
    counts = [Counter(cases) for cases in cases_of_groups]
    return all(
        any(
            sum(in_case[case] for case in lost) + more_drives > group.m
            for group, in_case in zip(placement.groups, counts, strict=True)
        )
        for lost in itertools.combinations(names, num_lost)
    )


def _worst_loss(case_of_drives: Sequence[str], cases: int) -> int:
    return sum(sorted(Counter(case_of_drives).values(), reverse=True)[:cases])


def _alike(drives: Sequence[DriveSpec]) -> list[DriveSpec]:
    """Return the drives with capacities as the search sees them: up to 2 % above a smaller one, the smaller one's."""
    rounded: dict[str, int] = {}
    floor = 0
    for drive in sorted(drives, key=lambda each: each.capacity_bytes):
        if (drive.capacity_bytes - floor) * RESERVE_DIVISOR > floor:
            floor = drive.capacity_bytes
        rounded[drive.label] = floor
    return [replace(drive, capacity_bytes=rounded[drive.label]) for drive in drives]


def _usable(drive_bytes: int) -> int:
    return drive_bytes - drive_bytes // RESERVE_DIVISOR


# --- the search --------------------------------------------------------------------------------------------------
# Drives are put in a row and cut into groups; for a given row the best cuts are found exactly. Rows in which the cases
# alternate are where the good groups are, so a few such rows are enough.


def _by_capacity(drives: Sequence[DriveSpec]) -> list[DriveSpec]:
    """Large drives first, and among equal ones the cases in even alternation."""
    row: list[DriveSpec] = []
    largest_first = sorted(drives, key=lambda drive: -drive.capacity_bytes)
    for _, alike in itertools.groupby(largest_first, key=lambda drive: drive.capacity_bytes):
        row += _alternating(list(alike))
    return row


def _alternating(drives: Sequence[DriveSpec]) -> list[DriveSpec]:
    """Every case spread evenly over the whole row, its large drives first."""
    keyed = [
        ((position + 0.5) / len(of_case), case, drive)
        for case, of_case in _by_case(drives).items()
        for position, drive in enumerate(of_case)
    ]
    return [drive for _, _, drive in sorted(keyed, key=lambda entry: entry[:2])]


def _fullest_first(drives: Sequence[DriveSpec]) -> list[DriveSpec]:
    """In each round one drive of every case that has any left, the fullest case first."""
    left = _by_case(drives)
    row: list[DriveSpec] = []
    while left:
        for case in sorted(left, key=lambda name: (-len(left[name]), name)):
            row.append(left[case].pop(0))
        for case in [name for name, of_case in left.items() if not of_case]:
            del left[case]
    return row


def _fullest_last(drives: Sequence[DriveSpec]) -> list[DriveSpec]:
    return _fullest_first(drives)[::-1]


_ORDERS: Final[tuple[Callable[[Sequence[DriveSpec]], list[DriveSpec]], ...]] = (
    _by_capacity,
    _alternating,
    _fullest_first,
    _fullest_last,
)


def _by_case(drives: Sequence[DriveSpec]) -> dict[str, list[DriveSpec]]:
    cases: defaultdict[str, list[DriveSpec]] = defaultdict(list)
    for drive in sorted(drives, key=lambda drive: -drive.capacity_bytes):
        cases[drive.case].append(drive)
    return dict(sorted(cases.items()))


# What a grouping is worth: data bytes, then few groups, then equal ones (sum of squares). All are sums over the groups.
_Score = tuple[int, int, int]


def _segment_score(k: int, num_drives: int, smallest_bytes: int) -> _Score:
    return k * max(1, smallest_bytes), -1, -num_drives * num_drives


def _score(segments: Sequence[Sequence[DriveSpec]], survive: Survival) -> _Score:
    scores = [
        _segment_score(
            len(segment) - required_parity([drive.case for drive in segment], survive),
            len(segment),
            min(drive.capacity_bytes for drive in segment),
        )
        for segment in segments
    ]
    return sum(s[0] for s in scores), sum(s[1] for s in scores), sum(s[2] for s in scores)


def _best_cuts(row: Sequence[DriveSpec], survive: Survival, largest: int) -> list[Sequence[DriveSpec]] | None:
    """Return the groups that the best cuts of `row` give, or None if no cuts give groups that survive."""
    best: list[tuple[_Score, int] | None] = [((0, 0, 0), 0)] + [None] * len(row)
    for end in range(1, len(row) + 1):
        in_case: Counter[str] = Counter()
        most = 0
        smallest_bytes = row[end - 1].capacity_bytes
        for start in range(end - 1, max(-1, end - largest - 1), -1):
            in_case[row[start].case] += 1
            most = max(most, in_case[row[start].case])
            smallest_bytes = min(smallest_bytes, row[start].capacity_bytes)
            before = best[start]
            # One case is what most ask for; with many cases a sort at each step would be most of the search.
            fullest = (
                sum(sorted(in_case.values(), reverse=True)[: survive.cases])
                if survive.cases > 1
                else most * survive.cases
            )
            k = end - start - fullest - survive.drives
            if before is None or k < 1:
                continue
            gain = _segment_score(k, end - start, smallest_bytes)
            score = (before[0][0] + gain[0], before[0][1] + gain[1], before[0][2] + gain[2])
            known = best[end]
            if known is None or score > known[0]:
                best[end] = (score, start)
    segments: list[Sequence[DriveSpec]] = []
    end = len(row)
    while end:
        step = best[end]
        if step is None:
            return None
        segments.insert(0, row[step[1] : end])
        end = step[1]
    return segments


def _group(segment: Sequence[DriveSpec], survive: Survival) -> Group:
    m = required_parity([drive.case for drive in segment], survive)
    return Group(len(segment) - m, m, tuple(drive.label for drive in _fullest_first(segment)))


# --- refusals ----------------------------------------------------------------------------------------------------


def _impossible(drives: Sequence[DriveSpec], survive: Survival, largest: int) -> PlacementImpossible:
    in_case = Counter(drive.case for drive in drives)
    asked = f"groups that survive {_cases(survive.cases)} and {_drives(survive.drives)} more"
    counts = ", ".join(f"{case}: {count}" for case, count in sorted(in_case.items()))
    found = f"{_drives(len(drives))} in {_cases(len(in_case))} ({counts})"
    sizes = range(1, MAX_GROUP_DRIVES + 1)
    smallest = next((size for size in sizes if _even_k(size, len(in_case), survive) >= 1), None)
    if len(in_case) <= survive.cases:
        hint = f"spread the drives over at least {survive.cases + 1} cases, or ask to survive fewer"
    elif smallest is None or smallest > largest:
        needed = "no group" if smallest is None else f"a group of at least {smallest} drives"
        hint = (
            f"that takes {needed} over these cases, and {largest} is the most: use more bays or drives, or survive less"
        )
    else:
        hint = "spread the drives evenly over the cases, add some to the emptier ones, or ask to survive less"
    what = "no grouping of these drives survives what was asked"
    return PlacementImpossible(what, expected=asked, found=found, hint=hint)


def _even_k(num_drives: int, num_cases: int, survive: Survival) -> int:
    """Return k of a group that lies as evenly over the cases as it can."""
    return num_drives - required_parity([str(index % num_cases) for index in range(num_drives)], survive)


def _check_capacity(placement: Placement, drives: Sequence[DriveSpec], total_bytes: int) -> None:
    fits_bytes = capacity_bytes(placement, {drive.label: drive.capacity_bytes for drive in drives})
    if fits_bytes >= total_bytes:
        return
    num_data = sum(group.k for group in placement.groups)
    num_drives = len(drives)
    # All drives alike and the same ratio of data to parity: what each would have to hold, or how many there would be.
    each_bytes = math.ceil(total_bytes / num_data * RESERVE_DIVISOR / (RESERVE_DIVISOR - 1))
    more = math.ceil(num_drives * total_bytes / fits_bytes) - num_drives if fits_bytes else None
    raise PlacementImpossible(
        "the drives are too small for the data with this survival",
        expected=f"room for {format_bytes(total_bytes)} of volumes",
        found=f"room for {format_bytes(fits_bytes)} on {_drives(num_drives)}, {num_data} of them for data",
        hint=f"use drives of {format_bytes(each_bytes)} each"
        + (f", or about {more} more like these" if more else "")
        + ", or ask to survive less",
    )


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + "s"


def _drives(count: int) -> str:
    return f"{count} {_plural(count, 'drive')}"


def _cases(count: int, one: str = "one") -> str:
    words = {0: "no", 1: one, 2: "two", 3: "three", 4: "four"}
    return f"{words.get(count, str(count))} {_plural(count, 'case') if count else 'case'}"
