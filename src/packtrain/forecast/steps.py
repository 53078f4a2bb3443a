"""The steps of both ways: how long each takes, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from packtrain.erasure.placement import Placement
from packtrain.forecast import fleet
from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.question import Question

Limit = Literal["bays", "drives", "cores", "link", "source", "store", "people", "accelerators"]
Part = Literal["before", "way", "after"]
DAY_SECONDS: Final = 86_400
RETURN_PREFIX: Final = "return: "
_GB: Final = 10**9
# Machines are seldom faster than measured, and often slower: another job, a slow drive, a night without anyone to swap.
MACHINE_SPREAD: Final = (0.95, 1.0, 1.3)


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the time line.

    Attributes:
        days: how long it takes.
        limit: what it waits for: the one of `days_if_only` that takes longest.
        days_if_only: by what could hold it up, how long it would take if nothing else did; () of legs.
        moved_bytes: cargo or results that it moves, before parity; None where it moves none.
    """

    name: str
    part: Part
    days: Days
    limit: Limit
    days_if_only: Mapping[Limit, float] = field(default_factory=dict[Limit, float])
    moved_bytes: int | None = None

    @property
    def bytes_per_second(self) -> float | None:
        """Over the whole likely time; None where nothing is moved, or in no time."""
        if self.moved_bytes is None or self.days.likely <= 0:
            return None
        return self.moved_bytes / (self.days.likely * DAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a step grows with its bytes: a fixed time, and for each byte the slowest of what it passes through.

    Attributes:
        fixed_seconds: swaps of drives.
        seconds_a_byte: by what could hold it up.
    """

    fixed_seconds: float
    seconds_a_byte: Mapping[Limit, float]

    @property
    def slope(self) -> float:
        """Seconds for each byte of cargo."""
        return max(self.seconds_a_byte.values())

    def step(self, name: str, part: Part, moved_bytes: int) -> Step:
        """Return the step for so many bytes."""
        if_only: dict[Limit, float] = {
            limit: each * moved_bytes / DAY_SECONDS for limit, each in self.seconds_a_byte.items()
        }
        likely = max(if_only.values()) + self.fixed_seconds / DAY_SECONDS
        if self.fixed_seconds:
            if_only["people"] = self.fixed_seconds / DAY_SECONDS
        slow, usual, fast = MACHINE_SPREAD[0], MACHINE_SPREAD[1], MACHINE_SPREAD[2]
        days = Days(likely * slow, likely * usual, likely * fast)
        return Step(name, part, days, max(if_only, key=lambda limit: if_only[limit]), if_only, moved_bytes)


def pack_pace(question: Question, placement: Placement) -> Pace:
    """Return how packing goes: each drive written and read back, the drives of a wave side by side, wave after wave."""
    waves = fleet.waves(placement, question.pack_bays, question.pack_hosts)
    column = _columns(question, placement)
    a_byte = 1 / question.write_rate + (1 / question.read_rate if question.is_read_back else 0.0)
    seconds: dict[Limit, float] = {
        _mounted(waves): sum(max(column[group] for group in wave) for wave in waves) * a_byte,
        "cores": question.pack_core_seconds_per_gb / _GB / (question.cores * question.pack_hosts),
    }
    if question.source_rate:
        seconds["source"] = 1 / question.source_rate
    return Pace(len(waves) * question.swap_minutes * 60, seconds)


def load_pace(question: Question, placement: Placement) -> Pace:
    """Return how loading goes: of each drive the data, not the parity, is read once."""
    waves = fleet.waves(placement, question.load_bays, question.load_hosts)
    column = _columns(question, placement)
    data = [each * group.k / len(group.drives) for each, group in zip(column, placement.groups, strict=True)]
    seconds: dict[Limit, float] = {
        _mounted(waves): sum(max(data[group] for group in wave) for wave in waves) / question.read_rate,
        "cores": question.load_core_seconds_per_gb / _GB / (question.load_cores * question.load_hosts),
    }
    if question.store_rate:
        seconds["store"] = 1 / question.store_rate
    return Pace(len(waves) * question.swap_minutes * 60, seconds)


def send_pace(question: Question, link_bits: float) -> Pace:
    """Return how sending goes."""
    seconds: dict[Limit, float] = {"link": 8 / link_bits}
    if question.source_rate:
        seconds["source"] = 1 / question.source_rate
    if question.store_rate:
        seconds["store"] = 1 / question.store_rate
    return Pace(0.0, seconds)


def carry_steps(question: Question, placement: Placement) -> list[Step]:
    """Return the steps of carrying, in order."""
    return [
        *_legs(question.before, "before"),
        pack_pace(question, placement).step("pack", "way", question.total_bytes),
        *_legs(question.legs, "way"),
        load_pace(question, placement).step("load", "way", question.total_bytes),
        *after_steps(question),
    ]


def send_steps(question: Question, link_bits: float) -> list[Step]:
    """Return the steps of sending, in order."""
    return [
        *_legs(question.before, "before"),
        send_pace(question, link_bits).step("send", "way", question.total_bytes),
        *after_steps(question),
    ]


def after_steps(question: Question) -> list[Step]:
    """Return what follows when the data is there, the same for both ways: training, and the way home of the results."""
    steps: list[Step] = []
    if question.training is not None:
        steps.append(Step("train", "after", question.training, "accelerators"))
    if question.results_bytes:
        steps += return_steps(question, question.home_by)
    return steps


def return_steps(question: Question, by: Literal["link", "drives"]) -> list[Step]:
    """Return how results come home: over the link, or on one drive (a copy on a second) over the same legs."""
    if by == "link":
        assert question.link_bits is not None
        return [Pace(0.0, {"link": 8 / question.link_bits}).step("return", "after", question.results_bytes)]
    write = 1 / question.write_rate + (1 / question.read_rate if question.is_read_back else 0.0)
    return [
        Pace(0.0, {"drives": write}).step(f"{RETURN_PREFIX}write", "after", question.results_bytes),
        *_legs(question.legs, "after", RETURN_PREFIX),
        Pace(0.0, {"drives": 1 / question.read_rate}).step(f"{RETURN_PREFIX}read", "after", question.results_bytes),
    ]


def _columns(question: Question, placement: Placement) -> list[float]:
    """Return the part of the cargo's bytes that one column of each group is long: what each of its drives holds."""
    parts = fleet.shares(placement, question.capacity_of)
    return [part / group.k for part, group in zip(parts, placement.groups, strict=True)]


def _mounted(waves: list[set[int]]) -> Literal["bays", "drives"]:
    """Return what the drives' own time is held up by: with bays for all at once it would be the drives alone."""
    return "bays" if len(waves) > 1 else "drives"


def _legs(legs: tuple[Leg, ...], part: Part, prefix: str = "") -> list[Step]:
    return [Step(f"{prefix}{leg.name}", part, leg.days, "people") for leg in legs]
