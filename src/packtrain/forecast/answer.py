"""The answer: both ways side by side, what they wait for, what the codes cost, and how sure all that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from packtrain.erasure.placement import (
    RESERVE_DIVISOR,
    DriveSpec,
    Placement,
    Survival,
    capacity_bytes,
    survival_statement,
)
from packtrain.errors import PlacementImpossible
from packtrain.forecast import fleet
from packtrain.forecast.arrival import Draws, Odds, draw_way, odds_of, part_first
from packtrain.forecast.break_even import CURVE_RATES, LINK_RATES, BreakEven, break_evens
from packtrain.forecast.odds import Chance, chance_after_a_case, chance_of_loss
from packtrain.forecast.prices import Cost, cost, months_begun
from packtrain.forecast.question import Question
from packtrain.forecast.steps import Step, carry_steps, return_steps, send_steps

# Codes to set beside the one that was asked for.
_OTHER_SURVIVALS: Final = (
    Survival(0, 1),
    Survival(0, 2),
    Survival(1, 0),
    Survival(1, 1),
    Survival(1, 2),
    Survival(2, 0),
)
_FEW_DRIVES: Final = 1000
"""Of more, fewer other codes are tried: each takes a second."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the site and home.

    Attributes:
        days: until the cargo is at the site, if everything takes as long as is likely.
        there: the odds of that.
        done_days, done: the same until the last step; the results are home, where they were told.
        bottleneck: the longest step of this way there, and what it waits for.
    """

    days: float
    there: Odds
    done_days: float
    done: Odds
    steps: tuple[Step, ...]
    bottleneck: str
    cost: Cost

    def starts(self) -> list[float]:
        """Return when each step begins, in days from the first, if everything takes as long as is likely."""
        begun = [0.0]
        for step in self.steps:
            begun.append(begun[-1] + step.days.likely)
        return begun[:-1]

    @property
    def has_after(self) -> bool:
        """Whether anything follows when the cargo is there: training, or the way home."""
        return any(step.part == "after" for step in self.steps)


@dataclass(frozen=True, slots=True)
class CodeChoice:
    """What one survival costs: raw bytes on the drives, the parity's part of the cargo, and the odds.

    Attributes:
        most_bytes: what the drives hold with it; None where their size was not given.
    """

    survive: Survival
    groups: tuple[tuple[int, int], ...]
    raw_bytes: int
    overhead: float
    bytes_a_drive: int
    most_bytes: int | None
    loss: Chance
    survives: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole answer.

    Attributes:
        send: None where there is no link.
        carry_first: in which part of the voyages the cargo is there earlier when it is carried; None without a link.
        placement, k, m: the groups, and the code of most of them.
        raw_bytes: data and parity on all drives.
        bytes_a_drive: what the fullest drive must hold, its file system's own records included.
        fits: whether the drives hold it; None where their capacity was not given.
        drive_loss: that one drive does not give its bytes back.
        loss: that something is lost for good on the way.
        loss_after_case: the same once one case is lost already, for the worst one.
        waves, load_waves: how often drives are changed, the first time included.
        choices: the code that was asked for, and others on the same drives.
        home_ways: days that the results take home, by the ways that there are.
        break_even, curve: bytes from which on carrying is faster, at some rates, and at many.
    """

    carry: Route
    send: Route | None
    carry_first: float | None
    placement: Placement
    k: int
    m: int
    survives: str
    raw_bytes: int
    bytes_a_drive: int
    fits: bool | None
    drive_loss: float
    loss: Chance
    loss_after_case: Chance
    waves: int
    load_waves: int
    choices: tuple[CodeChoice, ...]
    home_ways: tuple[tuple[str, float], ...]
    break_even: tuple[BreakEven, ...]
    curve: tuple[BreakEven, ...]

    @property
    def routes(self) -> tuple[tuple[str, Route], ...]:
        """Both ways by name; without a link carrying alone."""
        carry = ("carry", self.carry)
        return (carry,) if self.send is None else (carry, ("send", self.send))


def forecast(question: Question) -> Forecast:
    """Return days, odds and costs of carrying and of sending.

    Raises:
        PlacementImpossible: no grouping of these drives survives what is asked.
    """
    case_of = question.case_of
    placement = question.placed or _place(question, question.survive)
    steps = carry_steps(question, placement)
    drive_loss = question.risks.drive_loss(sum(step.days.likely for step in steps if step.part == "way"))
    codes = Counter((group.k, group.m) for group in placement.groups)
    (k, m), _ = max(codes.items(), key=lambda item: (item[1], item[0]))
    chosen = _choice(question, question.survive, placement, drive_loss)
    link = question.link_bits
    sending = None if link is None else send_steps(question, link)
    carried = draw_way(steps)
    sent = None if sending is None else draw_way(sending)
    return Forecast(
        carry=_route(question, steps, carried, is_carried=True),
        send=None if sending is None or sent is None else _route(question, sending, sent, is_carried=False),
        carry_first=None if sent is None else part_first(carried, sent),
        placement=placement,
        k=k,
        m=m,
        survives=chosen.survives,
        raw_bytes=chosen.raw_bytes,
        bytes_a_drive=chosen.bytes_a_drive,
        fits=None if chosen.most_bytes is None else chosen.most_bytes >= question.total_bytes,
        drive_loss=drive_loss,
        loss=chosen.loss,
        loss_after_case=chance_after_a_case(placement, case_of, drive_loss, question.risks),
        waves=len(fleet.waves(placement, question.pack_bays, question.pack_hosts)),
        load_waves=len(fleet.waves(placement, question.load_bays, question.load_hosts)),
        choices=(chosen, *_other_choices(question, drive_loss)),
        home_ways=_home_ways(question),
        break_even=break_evens(question, placement, LINK_RATES),
        curve=break_evens(question, placement, CURVE_RATES),
    )


# --- drives and codes -----------------------------------------------------------------------------------------------


def _place(question: Question, survive: Survival) -> Placement:
    specs = question.drives or tuple(
        DriveSpec(label, case, question.drive_bytes or 10**12) for label, case in question.case_of.items()
    )
    return fleet.place_fleet(specs, survive, question.pack_bays)


def _choice(question: Question, survive: Survival, placement: Placement, drive_loss: float) -> CodeChoice:
    capacity_of = question.capacity_of
    parts = fleet.shares(placement, capacity_of)
    total = question.total_bytes
    if len(set(capacity_of.values())) == 1:
        data_columns = sum(group.k for group in placement.groups)
        num_drives = sum(len(group.drives) for group in placement.groups)
        # Whole numbers where all drives are alike: petabytes have more digits than a float.
        raw, fullest = -(-total * num_drives // data_columns), -(-total // data_columns)
    else:
        each = [total * part / group.k for part, group in zip(parts, placement.groups, strict=True)]
        raw = round(sum(column * len(group.drives) for column, group in zip(each, placement.groups, strict=True)))
        fullest = round(max(each))
    has_sizes = question.drive_bytes is not None or bool(question.drives)
    return CodeChoice(
        survive=survive,
        groups=tuple((group.k, group.m) for group in placement.groups),
        raw_bytes=raw,
        overhead=raw / total - 1,
        bytes_a_drive=fullest * RESERVE_DIVISOR // (RESERVE_DIVISOR - 1) + 1,
        most_bytes=capacity_bytes(placement, capacity_of) if has_sizes else None,
        loss=chance_of_loss(placement, question.case_of, drive_loss, question.risks),
        survives=survival_statement(placement, question.case_of),
    )


def _other_choices(question: Question, drive_loss: float) -> list[CodeChoice]:
    others = [survive for survive in _OTHER_SURVIVALS if survive != question.survive]
    found: list[CodeChoice] = []
    for survive in others if question.num_drives <= _FEW_DRIVES else others[:2]:
        try:
            found.append(_choice(question, survive, _place(question, survive), drive_loss))
        except PlacementImpossible:
            continue
    return found


# --- time and money -------------------------------------------------------------------------------------------------


def _route(question: Question, steps: list[Step], draws: Draws, *, is_carried: bool) -> Route:
    there = [step for step in steps if step.part != "after"]
    longest = max((step for step in steps if step.part == "way"), key=lambda step: step.days.likely)
    return Route(
        days=sum(step.days.likely for step in there),
        there=odds_of(draws.there),
        done_days=sum(step.days.likely for step in steps),
        done=odds_of(draws.done),
        steps=tuple(steps),
        bottleneck=f"{longest.name}: {longest.limit}",
        cost=cost(question.prices, _needed(question, steps, is_carried=is_carried)),
    )


def _needed(question: Question, steps: list[Step], *, is_carried: bool) -> dict[str, int]:
    """Return how many of each priced thing a way takes; results on drives take one case home on either way."""
    needed = {"drive": 0, "case": 0, "carrier": 0, "shipping": 0, "link_month": 0}
    if is_carried:
        needed |= {"drive": question.num_drives, "case": question.num_cases}
        needed |= {"carrier": question.num_cases, "shipping": 1}
    if question.results_bytes and question.home_by == "drives":
        needed["carrier"] += 1
        needed["shipping"] += 1
        if not is_carried:
            needed |= {"drive": 2, "case": 1}
    needed["link_month"] = months_begun(sum(step.days.likely for step in steps if step.limit == "link"))
    return needed


def _home_ways(question: Question) -> tuple[tuple[str, float], ...]:
    if not question.results_bytes:
        return ()
    ways: list[tuple[str, float]] = []
    if question.link_rate is not None:
        ways.append(("link", sum(step.days.likely for step in return_steps(question, "link"))))
    ways.append(("drives", sum(step.days.likely for step in return_steps(question, "drives"))))
    return tuple(ways)
