"""Who is owned by a listed party: shares added up tier by tier, never multiplied; what is not disclosed stays in sight.

A company of which listed parties together hold half counts as listed itself, and its whole share counts one tier
further down: "captured" is reset at each tier. 50 per cent of A and A's 50 per cent of B catch B; multiplying would say
25 per cent and miss it. Shares are exact fractions, because 49.99 per cent is not 50.

Source: OFAC FAQ 398 to 402 (the 50 per cent rule and its worked examples). The threshold of a regime is data.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

_NOTHING: Final = Fraction(0)
_WHOLE: Final = Fraction(1)
_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Holding:
    """A share of one party in another: between `low` and `high`, parts of 1; equal where it is known exactly."""

    owner: str
    owned: str
    low: Fraction
    high: Fraction

    def __post_init__(self) -> None:
        if not _NOTHING <= self.low <= self.high <= _WHOLE:
            raise ValueError(f"share of {self.owner} in {self.owned}: not 0 <= {self.low} <= {self.high} <= 1")
        if self.owner == self.owned:
            raise ValueError(f"{self.owner} holds a share in itself: leave treasury shares out, and scale the others")


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which share on a company counts as owned: "50 per cent or more" (US, EU) or "more than 50" (UK)."""

    share: Fraction = _HALF
    is_included: bool = True

    def is_reached(self, amount: Fraction | int, whole: int = 1) -> bool:
        """Return whether an amount is enough, given in units of which the whole has `whole`."""
        # Multiplied out: whole numbers compare many times as fast as fractions.
        found, enough = amount * self.share.denominator, self.share.numerator * whole
        return found >= enough if self.is_included else found > enough


@dataclass(frozen=True, slots=True)
class Caught:
    """Why a party counts as listed: the share that listed owners hold together, and who they are.

    `share` is None for a party that is listed itself.
    """

    share: Fraction | None
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """What the shares say, by party.

    Attributes:
        caught: listed, or owned by listed parties for certain.
        possible: not caught for certain, but it would be if ranges and undisclosed parts lay so; the largest share that
            listed parties may hold together.
        minority: listed parties hold a part for certain, and less than the threshold.
        undisclosed: the part of a party whose owner nobody named (only parties of which some owner is known, or that
            were asked for by `parties`).
        overfull: parties whose owners hold more than the whole for certain: the statements contradict each other.
    """

    caught: Mapping[str, Caught]
    possible: Mapping[str, Fraction]
    minority: Mapping[str, Fraction]
    undisclosed: Mapping[str, Fraction]
    overfull: Mapping[str, Fraction]


def capture(
    holdings: Iterable[Holding],
    listed: Collection[str],
    threshold: Threshold = Threshold(),
    parties: Collection[str] = (),
) -> Capture:
    """Return which parties count as listed, for certain and possibly. Time grows with the number of holdings.

    Args:
        holdings: all known shares; two of the same pair are added up.
        listed: parties that are on a list of the regime.
        threshold: of the regime.
        parties: further parties whose undisclosed part is asked for, though no owner of theirs is known.
    """
    stated = list(holdings)
    unit = _common_unit(stated)
    above: dict[str, list[_Edge]] = {party: [] for party in parties}
    below: dict[str, list[_Edge]] = {}
    known: dict[str, _Amount] = dict.fromkeys(parties, 0)
    for holding in stated:
        edge = (holding.owner, holding.owned, _in_units(holding.low, unit), holding.high > _NOTHING)
        above.setdefault(holding.owned, []).append(edge)
        below.setdefault(holding.owner, []).append(edge)
        known[holding.owned] = known.get(holding.owned, 0) + edge[2]

    def is_reached(amount: _Amount) -> bool:
        return threshold.is_reached(amount, unit)

    certain, sums = _spread(listed, below, is_reached)
    caught: dict[str, Caught] = {}
    for party in certain:
        if party in listed:
            caught[party] = Caught(None, ())
        else:
            owners = dict.fromkeys(owner for owner, _, _, _ in above[party] if owner in certain)
            caught[party] = Caught(Fraction(sums[party]) / unit, tuple(owners))
    free = {party: max(unit - amount, 0) for party, amount in known.items()}
    possible = _possible(certain, free, below, is_reached)
    return Capture(
        caught=caught,
        possible={party: min(Fraction(amount) / unit, _WHOLE) for party, amount in possible.items()},
        minority={party: Fraction(amount) / unit for party, amount in sums.items() if party not in certain and amount},
        undisclosed={party: Fraction(rest) / unit for party, rest in free.items() if rest},
        overfull={party: Fraction(amount) / unit for party, amount in known.items() if amount > unit},
    )


_Amount = int | Fraction
_Edge = tuple[str, str, _Amount, bool]
"""Owner, owned, the least share in units of the whole, and whether it may be more than nothing."""

# Percentages have denominators of ten; whole numbers add ten times as fast as fractions. Beyond this the statements
# have denominators that nobody writes, and fractions it is.
_LARGEST_UNIT: Final = 10**30


def _common_unit(holdings: Sequence[Holding]) -> int:
    """Return how many units the whole has, so that every share is a whole number of them; 1 where that is too many."""
    unit = 1
    for denominator in {each.low.denominator for each in holdings}:
        unit = math.lcm(unit, denominator)
        if unit > _LARGEST_UNIT:
            return 1
    return unit


def _in_units(share: Fraction, unit: int) -> _Amount:
    scaled, rest = divmod(share.numerator * unit, share.denominator)
    return share * unit if rest else scaled


def _spread(
    listed: Collection[str], below: Mapping[str, Sequence[_Edge]], is_reached: Callable[[_Amount], bool]
) -> tuple[dict[str, None], dict[str, _Amount]]:
    """Return the parties caught for certain, in the order they were, and what caught owners hold of each party.

    Each party enters the queue once, when it is caught; each holding is added once. The least fixed point: two
    companies that own each other do not catch each other out of nothing.
    """
    caught = dict.fromkeys(listed)
    sums: dict[str, _Amount] = {}
    queue = deque(caught)
    while queue:
        for _, owned, low, _ in below.get(queue.popleft(), ()):
            sums[owned] = sums.get(owned, 0) + low
            if owned not in caught and is_reached(sums[owned]):
                caught[owned] = None
                queue.append(owned)
    return caught, sums


def _possible(
    certain: Collection[str],
    free: Mapping[str, _Amount],
    below: Mapping[str, Sequence[_Edge]],
    is_reached: Callable[[_Amount], bool],
) -> dict[str, _Amount]:
    """Return the parties that may be caught besides, with the largest share that listed parties may hold of each.

    That share is all but what the other owners hold at least: whatever a range or a silence leaves open may belong to
    the listed ones. Silence alone makes nobody possible: some owner must be caught, or possible, already.
    """
    may = dict.fromkeys(certain)
    most: dict[str, _Amount] = {}
    queue = deque(may)
    while queue:
        for _, owned, low, is_more_than_nothing in below.get(queue.popleft(), ()):
            if not is_more_than_nothing:
                continue
            most[owned] = most.get(owned, free[owned]) + low
            if owned not in may and is_reached(most[owned]):
                may[owned] = None
                queue.append(owned)
    return {party: most[party] for party in may if party not in certain}


@dataclass(frozen=True, slots=True)
class Walk:
    """The way from a party up to who controls it in the end.

    Attributes:
        chain: the party first, then each parent.
        end: "top": nobody is above the last of the chain; "undisclosed": half or more of it has no named owner, or a
            range leaves open who has the majority; "cycle": its parents own each other.
    """

    chain: tuple[str, ...]
    end: Literal["top", "undisclosed", "cycle"]


def walk_up(
    party: str,
    holdings: Iterable[Holding],
    parents: Mapping[str, str] | None = None,
    dispersed: Collection[str] = (),
) -> Walk:
    """Return the chain of parents: the declared one where there is one, else the owner of more than half.

    Dispersed ownership (nobody can have more than half) ends the walk at the top: headquarters are then its own.

    Args:
        party: where to begin.
        holdings: all known shares.
        parents: declared parents by party; they outweigh shares, because control needs none.
        dispersed: owners that stand for many of whom none has more than half: their shares are known, and nobody's.
    """
    above: dict[str, list[Holding]] = {}
    for holding in holdings:
        above.setdefault(holding.owned, []).append(holding)
    chain = [party]
    while True:
        here = chain[-1]
        parent = (parents or {}).get(here)
        if parent is None:
            owners = above.get(here, [])
            held = _by_owner(owners)
            parent = next((owner for owner, (low, _) in held.items() if low > _HALF and owner not in dispersed), None)
            if parent is None:
                rest = _WHOLE - sum((low for low, _ in held.values()), _NOTHING)
                is_open = bool(owners) and (
                    rest >= _HALF or any(high > _HALF for owner, (_, high) in held.items() if owner not in dispersed)
                )
                return Walk(tuple(chain), "undisclosed" if is_open else "top")
        if parent in chain:
            return Walk((*chain, parent), "cycle")
        chain.append(parent)


def _by_owner(holdings: Sequence[Holding]) -> dict[str, tuple[Fraction, Fraction]]:
    held: dict[str, tuple[Fraction, Fraction]] = {}
    for each in holdings:
        low, high = held.get(each.owner, (_NOTHING, _NOTHING))
        held[each.owner] = (low + each.low, high + each.high)
    return held
