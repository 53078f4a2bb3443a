"""The plainest way to the odds of loss: draw every vehicle, case and drive, and count. It checks the other ways."""

from __future__ import annotations

import random
from collections.abc import Mapping

from packtrain.erasure.placement import Placement
from packtrain.forecast.layout import vehicles
from packtrain.forecast.risks import Risks


def counted_loss(
    placement: Placement, case_of: Mapping[str, str], drive_loss: float, risks: Risks, num_draws: int, seed: int
) -> float:
    """Return in which part of `num_draws` voyages something is lost; its standard error is sqrt(p (1 - p) / draws)."""
    rng = random.Random(seed)
    loads = vehicles(list(dict.fromkeys(case_of.values())), risks.cases_together)
    losses = 0
    for _ in range(num_draws):
        loss = risks.of_bad_batch(drive_loss) if rng.random() < risks.bad_batch else drive_loss
        gone: set[str] = set()
        for load in loads:
            is_lost = rng.random() < risks.shared_loss
            gone.update(case for case in load if rng.random() < risks.own_loss or is_lost)
        losses += any(
            sum(case_of[label] in gone or rng.random() < loss for label in group.drives) > group.m
            for group in placement.groups
        )
    return losses / num_draws
