"""A training as a party's folder tells it: where it stands, its rates, its attempts."""

from __future__ import annotations

import math
from typing import Any, Final

from packtrain.errors import PacktrainError
from packtrain.record.folder import VoyageFolder
from packtrain.report.training_curve import TrainingCurve, read_metrics, read_steps
from packtrain.training.metrics import METRICS_NAME

STEPS: Final = "train/steps.jsonl"


def training_of(folder: VoyageFolder) -> TrainingCurve | None:
    """Return a training as this party saw it: the step lines at the site; at home the metrics that came back."""
    found = read_steps(folder.logs / STEPS)
    if found is not None:
        return found
    at_home = [folder.root / "results" / METRICS_NAME, folder.logs / METRICS_NAME]
    return next((curve for path in at_home if (curve := read_metrics(path)) is not None), None)


def samples_loaded(folder: VoyageFolder) -> int:
    """Return how many samples the store of this party holds, as its receipt says; 0 where it has none."""
    try:
        receipt = folder.receipt("load")
    except (PacktrainError, OSError):
        return 0
    return receipt.counts.get("samples_loaded", 0) if receipt is not None else 0


def training_summary(curve: TrainingCurve) -> dict[str, Any]:
    """Return a training as plain values: where it stands, its rates, and where attempts began."""
    steps_a_second, samples_a_second = curve.rate()
    return {
        "last_step": curve.last_step,
        "loss_first": None if math.isnan(curve.first_loss) else curve.first_loss,
        "loss_last": None if math.isnan(curve.last_loss) or curve.not_finite_since is not None else curve.last_loss,
        "losses_not_finite": curve.num_not_finite,
        "samples": curve.num_samples if curve.has_samples else None,
        "steps_per_second": steps_a_second or None,
        "samples_per_second": samples_a_second or None,
        "steps_made_again": curve.num_undone,
        "attempts": [
            {
                "attempt": mark.attempt,
                "first_step": mark.step,
                "steps_made_again": mark.num_undone,
                "after": mark.reason,
            }
            for mark in curve.marks
        ],
        "num_attempts": curve.num_attempts,
    }
