"""The odds of the day: each step's duration is drawn from its three numbers, many times."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.forecast.steps import Step

NUM_DRAWS: Final = 4000
_SEED: Final = 20_250_101


@dataclass(frozen=True, slots=True)
class Odds:
    """When something is done, in 100 voyages.

    Attributes:
        curve: days by which it is done in 0, 2, 4, ... 100 of them.
    """

    curve: tuple[float, ...]

    @property
    def days_10(self) -> float:
        """Days by which it is done in 10 of them."""
        return self.curve[5]

    @property
    def days_50(self) -> float:
        """Days by which it is done in half of them."""
        return self.curve[25]

    @property
    def days_90(self) -> float:
        """Days by which it is done in 90 of them."""
        return self.curve[45]


@dataclass(frozen=True, slots=True)
class Draws:
    """One way, drawn `NUM_DRAWS` times: the days until the cargo is there, and until everything is done."""

    there: tuple[float, ...]
    done: tuple[float, ...]


def draw_way(steps: Sequence[Step]) -> Draws:
    """Return the draws of one way.

    What both ways have in common (before, and training after) has the same durations in both, draw by draw: the rest
    alone decides which is first.
    """
    there = [0.0] * NUM_DRAWS
    after = [0.0] * NUM_DRAWS
    same: Counter[str] = Counter()
    for step in steps:
        # Seeded by name, so that a step that both ways have is drawn the same for both; two of one name are not one.
        seed = f"{_SEED} {step.part} {step.name}"
        rng = random.Random(f"{seed} {same[seed]}" if same[seed] else seed)
        same[seed] += 1
        days = step.days
        into = after if step.part == "after" else there
        for number in range(NUM_DRAWS):
            into[number] += days.draw(rng)
    return Draws(tuple(there), tuple(map(float.__add__, there, after)))


def odds_of(draws: Sequence[float]) -> Odds:
    """Return when it is done, from draws."""
    ordered = sorted(draws)
    last = len(ordered) - 1
    return Odds(tuple(ordered[last * percent // 100] for percent in range(0, 101, 2)))


def part_first(one: Draws, other: Draws) -> float:
    """Return in which part of the draws the cargo is there earlier by the one way than by the other."""
    return sum(a < b for a, b in zip(one.there, other.there, strict=True)) / len(one.there)
