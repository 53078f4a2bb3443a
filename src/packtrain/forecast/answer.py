"""The answer: both ways side by side, what they wait for, and what the codes cost."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from packtrain.erasure.placement import (
    RESERVE_DIVISOR,
    DriveSpec,
    Placement,
    Survival,
    capacity_bytes,
    place,
    survival_statement,
)
from packtrain.errors import PlacementImpossible
from packtrain.forecast.odds import MAX_EXACT_CASES, drawn_loss_probability, loss_probability
from packtrain.forecast.question import Days, Question

_DAY_SECONDS: Final = 86_400
_GB: Final = 10**9
# Machines are seldom faster than measured, and often slower: another job, a slow drive, a night without anyone to swap.
_MACHINE_SPREAD: Final = (0.95, 1.0, 1.3)
_NUM_DRAWS: Final = 4000
_SEED: Final = 20_250_101
_MOST_BYTES: Final = 10**19
# Codes to set beside the one that was asked for.
_OTHER_SURVIVALS: Final = (
    Survival(0, 1),
    Survival(0, 2),
    Survival(1, 0),
    Survival(1, 1),
    Survival(1, 2),
    Survival(2, 0),
)
LINK_RATES: Final = (50e6, 100e6, 200e6, 500e6, 1e9, 2e9, 5e9, 10e9, 40e9, 100e9)
"""Bits a second at which the break-even is told."""


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the time line.

    Attributes:
        days: how long it takes.
        start_days: when it begins, from the first day, if everything takes as long as is likely.
        limit: what it waits for: "drives", "cores", "source", "store", "link", or "people".
    """

    name: str
    days: Days
    start_days: float
    limit: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the site.

    Attributes:
        days: until the cargo is at the site, if everything takes as long as is likely.
        days_10, days_50, days_90: in so many of 100 voyages it is there by then.
        bottleneck: the longest step of this way, and what it waits for.
    """

    days: float
    days_10: float
    days_50: float
    days_90: float
    steps: tuple[Step, ...]
    bottleneck: str


@dataclass(frozen=True, slots=True)
class CodeChoice:
    """What one survival costs: raw bytes on the drives, the parity's part of the cargo, and the odds."""

    survive: Survival
    groups: tuple[tuple[int, int], ...]
    raw_bytes: int
    overhead: float
    loss_probability: float
    survives: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole answer.

    Attributes:
        send: None where there is no link.
        placement, k, m: the groups, and the code of most of them.
        raw_bytes: data and parity on all drives.
        bytes_a_drive: what a drive must hold, its file system's own records included.
        fits: whether the drives hold it; None where their capacity was not given.
        loss_probability: that something is lost for good on the way.
        loss_after_case: the same once one case is lost already, for the worst one.
        waves: how often drives are changed at home, the first time included.
        choices: other codes for the same drives.
        break_even: bits a second -> bytes from which on carrying is faster, or None where it never is.
    """

    carry: Route
    send: Route | None
    placement: Placement
    k: int
    m: int
    survives: str
    raw_bytes: int
    bytes_a_drive: int
    fits: bool | None
    loss_probability: float
    loss_after_case: float
    waves: int
    load_waves: int
    choices: tuple[CodeChoice, ...]
    break_even: Mapping[float, int | None]


def forecast(question: Question) -> Forecast:
    """Return days, odds and costs of carrying and of sending.

    Raises:
        PlacementImpossible: no grouping of these drives survives what is asked.
    """
    case_of = question.case_of
    placement = _place(question, question.survive)
    carry = _carry(question, placement)
    exposed_days = carry.days - sum(leg.days.likely for leg in question.before)
    drive_loss = question.risks.drive_loss(exposed_days)
    needed = _bytes_a_drive(question, placement)
    codes = Counter((group.k, group.m) for group in placement.groups)
    (k, m), _ = max(codes.items(), key=lambda item: (item[1], item[0]))
    return Forecast(
        carry=carry,
        send=_send(question),
        placement=placement,
        k=k,
        m=m,
        survives=survival_statement(placement, case_of),
        raw_bytes=_raw_bytes(question, placement),
        bytes_a_drive=needed,
        fits=None if question.drive_bytes is None else question.drive_bytes >= needed,
        loss_probability=_odds(question, placement, drive_loss),
        loss_after_case=max(_odds(question, placement, drive_loss, case) for case in dict.fromkeys(case_of.values())),
        waves=len(_waves(placement, question.pack_bays)),
        load_waves=len(_waves(placement, question.load_bays)),
        choices=tuple(_choices(question, drive_loss)),
        break_even={rate: _break_even(question, placement, rate) for rate in LINK_RATES},
    )


# --- drives and codes -----------------------------------------------------------------------------------------------


def _place(question: Question, survive: Survival) -> Placement:
    # Without a capacity all drives are alike, and how large they must be is part of the answer.
    size = question.drive_bytes or 10**12
    specs = [DriveSpec(label, case, size) for label, case in question.case_of.items()]
    return place(specs, survive, bays=question.pack_bays)


def _data_columns(placement: Placement) -> int:
    return sum(group.k for group in placement.groups)


def _raw_bytes(question: Question, placement: Placement) -> int:
    num_drives = sum(len(group.drives) for group in placement.groups)
    return -(-question.total_bytes * num_drives // _data_columns(placement))


def _bytes_a_drive(question: Question, placement: Placement) -> int:
    volumes = -(-question.total_bytes // _data_columns(placement))
    needed = volumes * RESERVE_DIVISOR // (RESERVE_DIVISOR - 1) + 1
    assert capacity_bytes(placement, dict.fromkeys(question.case_of, needed)) >= question.total_bytes
    return needed


def _odds(question: Question, placement: Placement, drive_loss: float, lost_case: str | None = None) -> float:
    case_of = question.case_of
    if question.num_cases <= MAX_EXACT_CASES:
        lost = () if lost_case is None else (lost_case,)
        return loss_probability(placement, case_of, drive_loss, question.risks.case_loss, lost)
    if lost_case is not None:
        # Drawn for the whole voyage alone: a case more would be drawn as a drive that is lost for certain.
        return math.nan
    return drawn_loss_probability(placement, case_of, drive_loss, question.risks.case_loss, 20_000, _SEED)


def _choices(question: Question, drive_loss: float) -> list[CodeChoice]:
    found: list[CodeChoice] = []
    for survive in dict.fromkeys((question.survive, *_OTHER_SURVIVALS)):
        try:
            placement = _place(question, survive)
        except PlacementImpossible:
            continue
        raw = _raw_bytes(question, placement)
        found.append(
            CodeChoice(
                survive=survive,
                groups=tuple((group.k, group.m) for group in placement.groups),
                raw_bytes=raw,
                overhead=raw / question.total_bytes - 1,
                loss_probability=_odds(question, placement, drive_loss),
                survives=survival_statement(placement, question.case_of),
            )
        )
    return found


# --- time -----------------------------------------------------------------------------------------------------------


def _waves(placement: Placement, bays: int) -> list[list[int]]:
    """Return the groups (their drives' numbers) that share a wave: in order, as many as fit; a large one is alone."""
    waves: list[list[int]] = []
    for group in placement.groups:
        size = len(group.drives)
        if waves and sum(waves[-1]) + size <= bays:
            waves[-1].append(size)
        else:
            waves.append([size])
        # A group that is wider than the bays is changed within itself.
        for _ in range(-(-size // bays) - 1):
            waves.append([size])
    return waves


def _slowest(seconds_of: Mapping[str, float | None]) -> tuple[float, str]:
    limit, seconds = max(((name, value) for name, value in seconds_of.items() if value), key=lambda item: item[1])
    return seconds, limit


def _machine(seconds: float, swaps: int, question: Question) -> Days:
    days = (seconds + swaps * question.swap_minutes * 60) / _DAY_SECONDS
    low, likely, high = _MACHINE_SPREAD
    return Days(days * low, days * likely, days * high)


def _carry(question: Question, placement: Placement) -> Route:
    return _route(_carry_parts(question, placement))


def _carry_parts(question: Question, placement: Placement) -> list[tuple[str, Days, str]]:
    a_drive = question.total_bytes / _data_columns(placement)
    pack_waves, load_waves = _waves(placement, question.pack_bays), _waves(placement, question.load_bays)
    cpu = question.total_bytes / _GB / question.cores
    pack_seconds, pack_limit = _slowest(
        {
            # Written, then read back: never both at the same time on one drive. The drives of a wave work side by side.
            "drives": len(pack_waves) * (a_drive / question.write_rate + a_drive / question.read_rate),
            "cores": cpu * question.pack_cpu_seconds_per_gb,
            "source": question.total_bytes / question.source_rate if question.source_rate else None,
        }
    )
    data_part = question.total_bytes / _raw_bytes(question, placement)
    load_seconds, load_limit = _slowest(
        {
            "drives": len(load_waves) * a_drive * data_part / question.read_rate,
            "cores": cpu * question.load_cpu_seconds_per_gb,
            "store": question.total_bytes / question.store_rate if question.store_rate else None,
        }
    )
    parts = [(leg.name, leg.days, "people") for leg in question.before]
    parts.append(("pack", _machine(pack_seconds, len(pack_waves), question), pack_limit))
    parts += [(leg.name, leg.days, "people") for leg in question.legs]
    parts.append(("load", _machine(load_seconds, len(load_waves), question), load_limit))
    return parts


def _send(question: Question) -> Route | None:
    if question.link_rate is None:
        return None
    seconds = question.total_bytes * 8 / (question.link_rate * question.link_free)
    parts = [(leg.name, leg.days, "people") for leg in question.before]
    parts.append(("send", _machine(seconds, 0, question), "link"))
    return _route(parts)


def _route(parts: Sequence[tuple[str, Days, str]]) -> Route:
    steps: list[Step] = []
    start = 0.0
    for name, days, limit in parts:
        steps.append(Step(name, days, start, limit))
        start += days.likely
    rng = random.Random(_SEED)
    sums = sorted(sum(days.draw(rng) for _, days, _ in parts) for _ in range(_NUM_DRAWS))
    longest = max(steps, key=lambda step: step.days.likely)
    return Route(
        days=start,
        days_10=sums[_NUM_DRAWS // 10],
        days_50=sums[_NUM_DRAWS // 2],
        days_90=sums[_NUM_DRAWS * 9 // 10],
        steps=tuple(steps),
        bottleneck=f"{longest.name}: {longest.limit}",
    )


def _break_even(question: Question, placement: Placement, link_rate: float) -> int | None:
    """Return the bytes from which on the same drives and legs are faster than this link, or None if they never are."""

    def carry_wins(total_bytes: int) -> bool:
        asked = replace(question, total_bytes=total_bytes, before=())
        send = total_bytes * 8 / (link_rate * question.link_free) / _DAY_SECONDS
        return sum(days.likely for _, days, _ in _carry_parts(asked, placement)) < send

    low, high = 1, _MOST_BYTES
    if not carry_wins(high):
        return None
    while high - low > low // 1000 + 1:
        middle = (low + high) // 2
        low, high = (low, middle) if carry_wins(middle) else (middle, high)
    return high
