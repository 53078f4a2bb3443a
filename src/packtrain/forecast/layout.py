"""Groups, cases and vehicles as the odds of loss see them, and the odds once it is known which cases are lost.

Given which cases are lost, the drives that are left fail independently, so the groups do, and the rest is a product of
binomials. Both the exact sum and the drawing of lots stand on this.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from packtrain.erasure.placement import Placement


class Layout:
    """Which drives of which group lie in which case.

    Attributes:
        cases: in the order in which they share vehicles.
        groups: drives and parity of each.
        touched: by case, the groups that have drives in it, and how many.
        survives_cases: how many cases may be lost at the least, whichever they are.
    """

    def __init__(self, placement: Placement, case_of: Mapping[str, str]) -> None:
        self.cases = list(dict.fromkeys(case_of.values()))
        self.groups = [(len(group.drives), group.m) for group in placement.groups]
        self.survives_cases = placement.survive.cases
        self.touched: dict[str, list[tuple[int, int]]] = {case: [] for case in self.cases}
        self._place_of = {case: place for place, case in enumerate(self.cases)}
        self._cases_of = [Counter(case_of[label] for label in group.drives) for group in placement.groups]
        for number, members in enumerate(self._cases_of):
            for case, count in members.items():
                self.touched[case].append((number, count))

    def shape(self, case: str, cases_together: int) -> tuple[int, str, str]:
        """Return what a case is for the odds: cases of the same shape can stand for each other.

        That is its groups, and with which other cases, of its own vehicle or of others, it shares them.
        """
        shared: dict[str, list[tuple[int, int, int, int]]] = {}
        for number, count in self.touched[case]:
            for other, num_drives in self._cases_of[number].items():
                shared.setdefault(other, []).append((*self.groups[number], count, num_drives))
        at, place = self._place_of[case] // cases_together, self._place_of
        others = ((place[other] // cases_together == at, sorted(how)) for other, how in shared.items() if other != case)
        in_vehicle = min((at + 1) * cases_together, len(self.cases)) - at * cases_together
        return in_vehicle, repr(sorted(shared.get(case, ()))), repr(sorted(others))


class GivenCases:
    """The odds that something is lost once it is known which cases are.

    Args:
        layout: groups and cases.
        drive_loss: of one drive by itself.
    """

    def __init__(self, layout: Layout, drive_loss: float) -> None:
        self._layout = layout
        self._drive_loss = drive_loss
        # (drives left, spare losses) -> probability that more are lost, and the logarithm of that none is.
        self._logs: dict[tuple[int, int], float] = {}
        self._whole = [self._log(num_drives, m) for num_drives, m in layout.groups]
        self._whole_sum = math.fsum(self._whole)

    def odds(self, lost: Collection[str]) -> float:
        """Return the probability that some group loses more than its m once these cases are lost."""
        gone: Counter[int] = Counter()
        for case in lost:
            for number, count in self._layout.touched[case]:
                gone[number] += count
        if self._whole_sum == -math.inf:
            return 1.0
        log = self._whole_sum
        for number, count in gone.items():
            num_drives, m = self._layout.groups[number]
            if count > m:
                return 1.0
            # What a group had before is taken out. Its odds only grow when drives go, so no digits are lost by that.
            log += self._log(num_drives - count, m - count) - self._whole[number]
        # 1 - exp(x) by expm1: at one in a billion a plain difference would have no digits left.
        return min(1.0, max(0.0, -math.expm1(log)))

    def _log(self, num_drives: int, spare: int) -> float:
        key = (num_drives, spare)
        if key not in self._logs:
            tail = more_than(spare, num_drives, self._drive_loss)
            self._logs[key] = math.log1p(-tail) if tail < 1 else -math.inf
        return self._logs[key]


def more_than(spare: int, num_drives: int, probability: float) -> float:
    """Return the probability that more than `spare` of `num_drives` are lost, each with this probability."""
    if spare < 0:
        return 1.0
    return min(
        1.0,
        math.fsum(
            math.comb(num_drives, lost) * probability**lost * (1 - probability) ** (num_drives - lost)
            for lost in range(spare + 1, num_drives + 1)
        ),
    )


def vehicles(cases: Sequence[str], cases_together: int, lost: Collection[str] = ()) -> list[list[str]]:
    """Return the cases by vehicle, in order, `cases_together` in each; without those that are lost."""
    loads = (cases[start : start + cases_together] for start in range(0, len(cases), cases_together))
    left = ([case for case in load if case not in lost] for load in loads)
    return [load for load in left if load]
