"""Where a voyage stands as metrics: Prometheus' text format, version 0.0.4.

Names begin with packtrain_, units are base units (seconds, ratio from 0 to 1), what only grows ends in _total. Time by
part is a gauge: a restart moves seconds from the steps that count to those made again.

Source:
    Prometheus documentation, "Exposition formats" and "Metric and label naming".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from packtrain import __version__
from packtrain.record.receipts import moment
from packtrain.report.attempts_view import AttemptsView
from packtrain.report.drive_view import HEALTH
from packtrain.report.live_view import LiveView
from packtrain.report.summary import Summary
from packtrain.report.training_curve import TrainingCurve

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
_MOST_HOSTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of samples; where there are none it is left out."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: Sequence[tuple[Labels, float]] = field(default_factory=tuple)


def metrics_text(summary: Summary) -> str:
    """Return the metrics of a voyage as text, each family with its help and type, ending in a newline."""
    lines: list[str] = []
    for metric in _metrics(summary):
        samples = [(labels, value) for labels, value in metric.samples if not math.isnan(value)]
        if samples:
            lines.append(f"# HELP {metric.name} {_escaped(metric.help, quotes=False)}")
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "".join(f"{line}\n" for line in lines)


def _metrics(summary: Summary) -> Iterator[Metric]:
    info = (("version", __version__), ("voyage", summary.name), ("role", summary.parties[0].role))
    yield Metric("packtrain_info", "gauge", "Always 1; what is watched, and by which version.", [(info, 1.0)])
    yield from _stages(summary)
    yield from _live(summary.live)
    if summary.drives:
        states = Counter(drive.state for drive in summary.drives)
        told = [((("state", state),), float(states[state])) for state in HEALTH]
        yield Metric("packtrain_drives", "gauge", "Drives of the plan by the worst state that is known.", told)
        margins = [
            ((("group", str(group.group)),), float(group.margin))
            for group in summary.groups
            if group.margin is not None
        ]
        yield Metric(
            "packtrain_group_margin_drives",
            "gauge",
            "Further drives that a group may lose, whichever they are; below 0 it cannot be rebuilt whole.",
            margins,
        )
    if summary.training is not None:
        yield from _training(summary.training)
    if summary.attempts is not None:
        yield from _attempts(summary.attempts)


def _stages(summary: Summary) -> Iterator[Metric]:
    told = [
        ((("role", party.role), ("stage", state.stage), ("state", state.state)), 1.0)
        for party in summary.parties
        for state in party.seen.stages
    ]
    yield Metric("packtrain_stage_state", "gauge", "Always 1; the state of each stage of each party.", told)


def _live(found: Sequence[LiveView]) -> Iterator[Metric]:
    def each(values: Iterator[tuple[LiveView, float | None]]) -> list[tuple[Labels, float]]:
        return [
            ((("role", view.role), ("stage", view.live.stage)), value) for view, value in values if value is not None
        ]

    running = [view for view in found if view.state == "running"]
    yield Metric(
        "packtrain_stage_running",
        "gauge",
        "1 while the stage that told last is at work, 0 once it is not; absent where that is not known.",
        each((view, float(view.state == "running")) for view in found if view.state != "not known"),
    )
    yield Metric(
        "packtrain_stage_done_ratio",
        "gauge",
        "How much of its work a stage that is at work has done.",
        each((view, view.share) for view in running),
    )
    yield Metric(
        "packtrain_stage_stalled_seconds",
        "gauge",
        "For how long nothing of what a stage counts had moved, when it told last.",
        each((view, view.live.stalled_seconds) for view in running),
    )
    train = [view for view in running if view.live.stage == "train"]
    yield Metric(
        "packtrain_train_hosts",
        "gauge",
        "Hosts of the attempt that runs; 0 where the engine is of one machine.",
        [((), float(view.live.num_hosts)) for view in train[:1]],
    )
    yield Metric(
        "packtrain_train_ranks",
        "gauge",
        "Workers of the attempt that runs, on all hosts.",
        [((), float(view.live.num_ranks)) for view in train[:1]],
    )
    yield Metric(
        "packtrain_train_waiting",
        "gauge",
        "1 while the training waits for hosts, else 0.",
        [((), float(bool(view.waiting))) for view in train[:1]],
    )
    yield Metric(
        "packtrain_train_waiting_seconds",
        "gauge",
        "For how long the training has been waiting for what it waits for now; 0 where it waits for nothing.",
        [((), float(view.waited_seconds or 0)) for view in train[:1]],
    )


def _training(curve: TrainingCurve) -> Iterator[Metric]:
    steps_a_second, samples_a_second = curve.rate()
    loss = curve.last_loss if curve.not_finite_since is None else math.nan

    def one(value: float) -> list[tuple[Labels, float]]:
        return [((), float(value))]

    yield Metric("packtrain_train_step", "gauge", "The step of the last step line.", one(curve.last_step))
    yield Metric("packtrain_train_loss", "gauge", "The last loss; absent while it is no finite number.", one(loss))
    yield Metric(
        "packtrain_train_steps_redone_total",
        "counter",
        "Steps that a restart took back, so that they were made again.",
        one(curve.tally.num_redone),
    )
    yield Metric("packtrain_train_steps", "gauge", "Steps that count.", one(curve.tally.num_steps))
    if curve.has_samples:
        yield Metric("packtrain_train_samples", "gauge", "Samples that these steps consumed.", one(curve.num_samples))
    if steps_a_second > 0:
        rate = "over the last steps, without the starts of attempts"
        yield Metric("packtrain_train_steps_per_second", "gauge", f"Steps a second {rate}.", one(steps_a_second))
        if curve.has_samples:
            yield Metric(
                "packtrain_train_samples_per_second", "gauge", f"Samples a second {rate}.", one(samples_a_second)
            )


def _attempts(view: AttemptsView) -> Iterator[Metric]:
    yield Metric("packtrain_train_attempts_total", "counter", "Attempts that began.", [((), float(view.num_attempts))])
    yield Metric(
        "packtrain_train_worker_losses_total",
        "counter",
        "Attempts that ended because a worker did.",
        [((), float(view.num_worker_losses))],
    )
    yield Metric(
        "packtrain_train_host_losses_total",
        "counter",
        "How often a host was lost, by host; 0 of one that took part and never was.",
        [((("host", host.host),), float(host.num_lost)) for host in view.hosts[:_MOST_HOSTS]],
    )
    goodput = view.goodput
    if goodput is not None:
        yield Metric(
            "packtrain_train_time_seconds",
            "gauge",
            "Time of the training by what became of it: steps that count, steps made again, waiting for hosts, "
            "starting, ending.",
            [((("part", part),), seconds) for part, seconds in goodput.seconds.items()],
        )
        if goodput.ratio is not None:
            yield Metric(
                "packtrain_train_goodput_ratio",
                "gauge",
                "Share of the time of the training that became steps that count.",
                [((), goodput.ratio)],
            )
        if goodput.away_seconds is not None:
            yield Metric(
                "packtrain_train_away_seconds",
                "gauge",
                "Time between two commands, which is in no part.",
                [((), goodput.away_seconds)],
            )
    if view.last_step_seconds is not None and (began := _unix(view.began)) is not None:
        yield Metric(
            "packtrain_train_last_step_timestamp_seconds",
            "gauge",
            "When the last step line came, in seconds since 1970.",
            [((), began + view.last_step_seconds)],
        )


def _unix(instant: str) -> float | None:
    try:
        return moment(instant).timestamp()
    except (ValueError, OverflowError):
        return None


def _labels(labels: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels)
    return f"{{{told}}}" if told else ""


def _escaped(text: str, *, quotes: bool) -> str:
    # What moves a cursor, or is no UTF-8 (a lone surrogate), has no place where metrics are shown.
    shown = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)
    shown = shown.replace("\\", r"\\").replace("\n", r"\n")
    return shown.replace('"', r"\"") if quotes else shown


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
