"""What a group still survives, computed from what was really found: stripes that can be proven, what may yet go."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.erasure.placement import Group as PlacedGroup
from packtrain.erasure.placement import Placement, Survival, survives

# Distinct sets of drives that are damaged in one row of blocks. A shipment with more of them is a ruin, and is counted
# by the size of the sets alone.
_MAX_PATTERNS: Final = 512


@dataclass(frozen=True, slots=True)
class Erased:
    """Blocks of one volume that cannot be used.

    Attributes:
        drive: label of its drive.
        ranges: first and last block, both included; None for all of it.
        num_blocks: of the volume.
    """

    stripe: int
    drive: str
    ranges: tuple[tuple[int, int], ...] | None
    num_blocks: int


@dataclass(frozen=True, slots=True)
class GroupOutlook:
    """What is left of one group, counting drives that are not here as lost.

    Attributes:
        not_here: labels of its drives that were not given, or cannot be used.
        num_provable_stripes: stripes that the drives here give back whole.
        more_drives: how many drives more may be lost, whichever they are; -1 where a stripe is lost already.
        more_cases: how many cases more may be lost, whichever they are.
    """

    group: int
    k: int
    m: int
    num_stripes: int
    num_provable_stripes: int
    not_here: tuple[str, ...]
    more_drives: int
    more_cases: int

    def __str__(self) -> str:
        """Return the sentence that people read."""
        name = f"group {self.group} ({self.k} + {self.m})"
        gone = f" ({', '.join(self.not_here)} counted as lost)" if self.not_here else ""
        if self.num_provable_stripes < self.num_stripes:
            return (
                f"{name}: {self.num_provable_stripes} of {self.num_stripes} stripes can be proven from the drives "
                f"here{gone}; the others need a drive that is not here, or are lost"
            )
        every = f"every stripe of {self.num_stripes}" if self.num_stripes != 1 else "its one stripe"
        return f"{name}: {every} can be proven{gone}; {self._left()}"

    def _left(self) -> str:
        if not self.more_drives and not self.more_cases:
            return "no further loss of a drive is survivable"
        drives = f"any {self.more_drives} more drives" if self.more_drives > 1 else "any one more drive"
        if not self.more_cases:
            return f"{drives} may be lost, no case" if self.more_drives else "no further loss of a drive is survivable"
        cases = f"any {self.more_cases} more cases" if self.more_cases > 1 else "any one more case"
        return f"{drives}, or {cases}, may be lost"


def damaged_stripes(m: int, erased: Iterable[Erased]) -> tuple[int, int]:
    """Return how many stripes have damage, and how many of them the code of m parity volumes cannot rebuild."""
    by_stripe = _by_stripe(erased)
    lost = sum(max(map(len, _patterns(items))) > m for items in by_stripe.values())
    return len(by_stripe), lost


def outlook(group: Group, plan: Plan, erased: Iterable[Erased], not_here: Collection[str]) -> GroupOutlook:
    """Return what is left of a group.

    Args:
        group: its verified document.
        plan: the plan that it belongs to.
        erased: all that cannot be used of it; drives that are not here included, a volume each.
        not_here: labels of the drives of this group that are not here.
    """
    label_of = {drive.uuid: drive.label for drive in plan.drives}
    case_of = {drive.label: drive.case for drive in plan.drives}
    labels = tuple(label_of[uuid] for uuid in group.drives)
    by_stripe = _by_stripe(erased)
    sets = [_patterns(items) for items in by_stripe.values()]
    num_lost = sum(max(map(len, patterns)) > group.m for patterns in sets)
    patterns = {pattern for found in sets for pattern in found} or {frozenset[str]()}
    fullest = max(map(len, patterns))
    placement = Placement((PlacedGroup(group.k, group.m, labels),), Survival(0, 0))
    return GroupOutlook(
        group=group.group,
        k=group.k,
        m=group.m,
        num_stripes=group.num_stripes,
        num_provable_stripes=group.num_stripes - num_lost,
        not_here=tuple(sorted(not_here)),
        more_drives=max(min(group.m - fullest, len(labels) - fullest), -1),
        more_cases=_more_cases(placement, case_of, _largest(patterns), set(not_here)),
    )


def _by_stripe(erased: Iterable[Erased]) -> dict[int, list[Erased]]:
    by_stripe: dict[int, list[Erased]] = defaultdict(list)
    for item in erased:
        if item.num_blocks:
            by_stripe[item.stripe].append(item)
    return by_stripe


def _patterns(items: Sequence[Erased]) -> set[frozenset[str]]:
    """Return the sets of drives that are erased together in a row; a set is fullest where one of its ranges begins."""
    starts = {0} | {first for item in items for first, _ in item.ranges or ()}
    return {
        frozenset(
            item.drive
            for item in items
            if row < item.num_blocks
            and (item.ranges is None or any(first <= row <= last for first, last in item.ranges))
        )
        for row in starts
    }


def _largest(patterns: set[frozenset[str]]) -> list[frozenset[str]]:
    """Return the patterns that no other one contains."""
    kept: list[frozenset[str]] = []
    for pattern in sorted(patterns, key=len, reverse=True)[:_MAX_PATTERNS]:
        if not any(pattern <= other for other in kept):
            kept.append(pattern)
    return kept


def _more_cases(
    placement: Placement, case_of: Mapping[str, str], patterns: Sequence[frozenset[str]], not_here: set[str]
) -> int:
    """Return how many of the cases that still have a drive here may be lost, whichever they are."""
    labels = placement.groups[0].drives
    cases = sorted({case_of[label] for label in labels if label not in not_here})
    for count in range(len(cases) + 1):
        for lost in itertools.combinations(cases, count):
            if not all(survives(placement, case_of, pattern, lost) for pattern in patterns):
                return max(count - 1, 0)
    return len(cases)
