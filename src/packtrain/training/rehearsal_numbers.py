"""Numbers of the sheet, with their unit in the name; a range has two names that end in `_low` and `_high`.

What a rehearsal measures is true of this machine and of the miniature. What follows from it for the real size is a
range, and what nobody measured is not there.
"""

from __future__ import annotations

import itertools
import math
import resource
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from packtrain.ports import StepRecord
from packtrain.training.checks import Undisturbed
from packtrain.training.disturbances import Lived
from packtrain.training.metrics import steps_that_count

DAY_SECONDS: Final = 86_400.0
FAILURES_OFTEN_SECONDS: Final = DAY_SECONDS
"""A day between failures: about what 300 servers of 8 accelerators met in published logs, taken in proportion."""

FAILURES_SELDOM_SECONDS: Final = 7 * DAY_SECONDS


def of_undisturbed(first: Undisturbed) -> dict[str, float]:
    """Return what the undisturbed run measured.

    Step times are given as the quartiles of the gaps between step lines.
    """
    steps = steps_that_count(first.run.steps)
    numbers: dict[str, float] = {"run_seconds": first.run.elapsed_seconds}
    if first.weights is not None:
        numbers["checkpoint_bytes"] = float(first.checkpoint_bytes)
        numbers["checkpoint_seconds"] = first.checkpoint_seconds
    if steps:
        numbers["first_step_seconds"] = steps[0].elapsed_seconds
    if gaps := _gaps(steps):
        low, median, high = _quartiles(gaps)
        numbers |= {"step_seconds": median, "step_seconds_low": low, "step_seconds_high": high}
        counts = [record.num_samples for record in steps if record.num_samples is not None]
        if counts and median > 0:
            numbers["samples_per_step"] = statistics.fmean(counts)
            numbers["samples_per_second"] = statistics.fmean(counts) / median
    # The largest of all processes that ended so far below this one: a worker, whose checkpoint alone is the least that
    # any way of training holds.
    numbers["worker_memory_bytes"] = float(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
    return {name: round(value, 6) for name, value in numbers.items()}


def of_restart(lived: Lived) -> dict[str, float]:
    """Return the seconds from a killed worker to the next step line, least and most; empty where none was seen."""
    found: list[float] = []
    for made in lived.made:
        after = lived.lines_of(lived.attempt_after(made.attempt))
        if made.kind.endswith("killed") and after:
            found.append(after[0].elapsed_seconds - made.elapsed_seconds)
    if not found:
        return {}
    return {"restart_seconds_low": round(min(found), 3), "restart_seconds_high": round(max(found), 3)}


def of_losses(numbers: Mapping[str, float], stall_seconds: float) -> dict[str, float]:
    """Return how often to save, and what share of the time failures then cost, for one a week to one a day.

    A failure is a killed worker at best (the restart that was seen) and a hang at worst (the watchdog's limit as well).

    Source: Young (1974), Daly (2006): the interval sqrt(2 x time to save x time between failures).
    """
    saving = numbers.get("checkpoint_seconds")
    restart = numbers.get("restart_seconds_high")
    if saving is None:
        return {}
    # A save too quick to be measured still takes as long as one look at the folder.
    saving = max(saving, 0.02)
    often, seldom = (math.sqrt(2 * saving * between) for between in (FAILURES_OFTEN_SECONDS, FAILURES_SELDOM_SECONDS))
    found = {"checkpoint_interval_seconds_low": often, "checkpoint_interval_seconds_high": seldom}
    if restart is not None:
        # Half an interval is done again after a failure, on average.
        found["lost_fraction_low"] = saving / seldom + (seldom / 2 + restart) / FAILURES_SELDOM_SECONDS
        found["lost_fraction_high"] = saving / often + (often / 2 + restart + stall_seconds) / FAILURES_OFTEN_SECONDS
    return {name: round(value, 6) for name, value in found.items()}


def at_real_size(
    numbers: Mapping[str, float],
    *,
    num_samples: int,
    num_steps: int,
    sample_bytes: float | None,
    site_samples_per_second: float | None,
) -> dict[str, float]:
    """Return what the whole data set and all steps would take on this machine, and at the site where its rate is given.

    Args:
        numbers: what was measured.
        num_samples: of the whole data set.
        num_steps: of the real training.
        sample_bytes: of one sample in its shard, on average.
        site_samples_per_second: what the user says that the site trains; None where nobody knows.
    """
    found: dict[str, float] = {}
    low, high, per_step = (numbers.get(name) for name in ("step_seconds_low", "step_seconds_high", "samples_per_step"))
    if low is not None and high is not None:
        found |= {"training_days_here_low": low * num_steps / DAY_SECONDS}
        found |= {"training_days_here_high": high * num_steps / DAY_SECONDS}
        if per_step:
            found |= {"epoch_days_here_low": low * num_samples / per_step / DAY_SECONDS}
            found |= {"epoch_days_here_high": high * num_samples / per_step / DAY_SECONDS}
    rate = numbers.get("samples_per_second")
    if sample_bytes and rate:
        found["read_needed_bytes_per_second"] = sample_bytes * rate
    if site_samples_per_second:
        found["epoch_days_at_the_site"] = num_samples / site_samples_per_second / DAY_SECONDS
        if per_step:
            found["training_days_at_the_site"] = num_steps * per_step / site_samples_per_second / DAY_SECONDS
        if sample_bytes:
            found["read_needed_at_the_site_bytes_per_second"] = sample_bytes * site_samples_per_second
    days = found.get("training_days_at_the_site", found.get("training_days_here_high"))
    if days is not None:
        found["failures_expected_low"] = days * DAY_SECONDS / FAILURES_SELDOM_SECONDS
        found["failures_expected_high"] = days * DAY_SECONDS / FAILURES_OFTEN_SECONDS
    return {name: round(value, 6) for name, value in found.items()}


def _gaps(steps: Sequence[StepRecord]) -> list[float]:
    return [later.elapsed_seconds - earlier.elapsed_seconds for earlier, later in itertools.pairwise(steps)]


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high
