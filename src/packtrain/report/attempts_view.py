"""The attempts of a training, its hosts and its goodput, as values: what the logs beside its steps say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from packtrain.ports import ATTEMPTS_NAME
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.report.live_view import LiveView
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.training_facts import STEPS
from packtrain.training.goodput.attempts import EndedAttempt, read_attempts
from packtrain.training.goodput.shares import Goodput, goodput_of, seconds_since
from packtrain.training.goodput.tally import Stint
from packtrain.training.goodput.timeline import TIMELINE_NAME, Moment, read_timeline

MOST_SHOWN: Final = 500
"""Attempts that are told one by one: the newest. All are counted."""

_MOST_NAMED: Final = 16

Ending = Literal["runs", "ended", "not noted"]
"""It runs now; the engine noted how it ended; it did not: its command was killed."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt.

    Attributes:
        ending: see `Ending`; `reason` says more of one that ended.
        hosts: the first 16 of them, in rank order.
        num_hosts: 0 where the engine is of one machine.
        num_ranks: workers in all; None where an older log does not say.
        first_step, last_step: None where it made none.
        num_redone: steps of it that a later attempt made once more.
        lost_host, lost_rank: at fault, if one was.
        resumed_from: the checkpoint that it began from; "" where the engine does not know.
        seconds: from its start to its end; None where it is not known.
    """

    attempt: int
    ending: Ending
    reason: str
    hosts: tuple[str, ...]
    num_hosts: int
    num_ranks: int | None
    first_step: int | None
    last_step: int | None
    num_steps: int
    num_redone: int
    lost_host: str | None
    lost_rank: int | None
    resumed_from: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class HostView:
    """One host over all attempts: in how many it was, how often it was lost, why the last time, and if it is in now."""

    host: str
    num_attempts: int
    num_lost: int
    last_lost: str
    is_in_newest: bool


@dataclass(frozen=True, slots=True)
class AttemptsView:
    """All attempts of a training.

    Attributes:
        attempts: the newest `MOST_SHOWN`, in order; `num_attempts` counts all.
        hosts: those lost most often first, then by name; () where the engine is of one machine.
        num_host_losses, num_worker_losses: losses that were told, of hosts and of workers.
        goodput: see `training.goodput.shares`; None where the logs tell no times.
        began: UTC instant at which the newest command began; "" where it is not noted.
        last_step_seconds: when the newest step line came, in seconds from `began`; None where there is none since.
    """

    attempts: tuple[AttemptView, ...]
    num_attempts: int
    hosts: tuple[HostView, ...] = ()
    num_host_losses: int = 0
    num_worker_losses: int = 0
    goodput: Goodput | None = None
    began: str = ""
    last_step_seconds: float | None = None

    @property
    def newest(self) -> AttemptView:
        """Return the attempt that began last."""
        return self.attempts[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for `--json`."""
        goodput = self.goodput
        return {
            "num_attempts": self.num_attempts,
            "attempts": [_plain(attempt) for attempt in self.attempts],
            "hosts": [_plain(host) for host in self.hosts],
            "num_host_losses": self.num_host_losses,
            "num_worker_losses": self.num_worker_losses,
            "goodput": None
            if goodput is None
            else {
                "ratio": goodput.ratio,
                "seconds": dict(goodput.seconds),
                "shares": goodput.shares,
                "total_seconds": goodput.total_seconds,
                "away_seconds": goodput.away_seconds,
                "num_commands": goodput.num_commands,
            },
        }


def attempts_view(folder: VoyageFolder, curve: TrainingCurve | None, live: LiveView | None) -> AttemptsView | None:
    """Return the attempts of the training in a folder; None where its logs tell of none.

    Args:
        folder: of the party that trains.
        curve: its steps, as `training_of` reads them.
        live: what runs there.
    """
    logs = (folder.logs / STEPS).parent
    ended, timeline = read_attempts(logs / ATTEMPTS_NAME), read_timeline(logs / TIMELINE_NAME)
    stints = curve.tally.stints if curve is not None and curve.has_times else []
    runs = live is not None and live.state == "running" and live.live.stage == "train"
    return _view(stints, ended, timeline, seconds_since(timeline, instant()) if runs else None, runs=runs)


def _view(
    stints: list[Stint],
    ended: tuple[EndedAttempt, ...],
    timeline: tuple[Moment, ...],
    now_seconds: float | None,
    *,
    runs: bool,
) -> AttemptsView | None:
    found: dict[int, _Told] = {}
    for moment in timeline:
        if moment.attempt and moment.told in ("workers", "host lost", "worker lost"):
            found.setdefault(moment.attempt, _Told()).moments.append(moment)
    for one in ended:
        found.setdefault(one.attempt, _Told()).ended = one
    for stint in stints:
        found.setdefault(stint.attempt, _Told()).stints.append(stint)
    if not found:
        return None
    numbers = sorted(found)
    newest = numbers[-1]
    all_hosts = [found[number].hosts for number in numbers]
    views = [_attempt(number, found[number], now_seconds, runs=runs and number == newest) for number in numbers]
    began = next((moment.words for moment in reversed(timeline) if moment.told == "began"), "")
    last = stints[-1] if stints else None
    is_of_newest = last is not None and last.is_timed and last.attempt == newest
    return AttemptsView(
        attempts=tuple(views[-MOST_SHOWN:]),
        num_attempts=len(views),
        hosts=_hosts(views, timeline, all_hosts),
        num_host_losses=sum(moment.told == "host lost" for moment in timeline),
        num_worker_losses=sum(moment.told == "worker lost" for moment in timeline),
        goodput=goodput_of(stints, ended, timeline, now_seconds),
        began=began,
        last_step_seconds=last.last_at if last is not None and is_of_newest else None,
    )


@dataclass(slots=True)
class _Told:
    ended: EndedAttempt | None = None
    stints: list[Stint] = field(default_factory=list[Stint])
    moments: list[Moment] = field(default_factory=list[Moment])

    @property
    def workers(self) -> Moment | None:
        return next((one for one in self.moments if one.told == "workers"), None)

    @property
    def hosts(self) -> tuple[str, ...]:
        known = self.ended.hosts if self.ended is not None else ()
        return known or (self.workers.hosts if self.workers is not None else ())


def _attempt(number: int, told: _Told, now_seconds: float | None, *, runs: bool) -> AttemptView:
    ended, workers, hosts = told.ended, told.workers, told.hosts
    lost = next((one for one in told.moments if one.told in ("host lost", "worker lost")), None)
    started = ended.started_seconds if ended is not None else workers.at if workers is not None else None
    until = ended.ended_seconds if ended is not None else now_seconds if runs else None
    return AttemptView(
        attempt=number,
        ending="ended" if ended is not None else "runs" if runs else "not noted",
        reason=ended.reason if ended is not None else lost.words if lost is not None else "",
        hosts=hosts[:_MOST_NAMED],
        num_hosts=len(hosts),
        num_ranks=workers.ranks if workers is not None else None,
        first_step=told.stints[0].first_step if told.stints else None,
        last_step=told.stints[-1].last_step if told.stints else None,
        num_steps=sum(stint.num_steps for stint in told.stints),
        num_redone=sum(stint.num_redone for stint in told.stints),
        lost_host=ended.lost_host if ended is not None else next(iter(lost.hosts), None) if lost is not None else None,
        lost_rank=ended.lost_rank if ended is not None else lost.rank if lost is not None else None,
        resumed_from=ended.resumed_from if ended is not None else "",
        seconds=max(0.0, until - started) if until is not None and started is not None else None,
    )


def _hosts(
    views: list[AttemptView], timeline: tuple[Moment, ...], all_hosts: list[tuple[str, ...]]
) -> tuple[HostView, ...]:
    taken_part = Counter(host for hosts in all_hosts for host in dict.fromkeys(hosts))
    # An attempt's end names the host at fault; where it names a rank too, a worker was lost and not the host.
    ends = ((view, view.lost_host) for view in views if view.lost_rank is None)
    told = {(view.attempt, host): view.reason for view, host in ends if host is not None}
    told |= {(one.attempt, host): one.words for one in timeline if one.told == "host lost" for host in one.hosts}
    lost: Counter[str] = Counter()
    why: dict[str, str] = {}
    for (_, host), words in sorted(told.items()):
        lost[host] += 1
        why[host] = words
    names = sorted(taken_part.keys() | lost.keys(), key=lambda host: (-lost[host], _counted(host)))
    newest = set(all_hosts[-1])
    return tuple(HostView(host, taken_part[host], lost[host], why.get(host, ""), host in newest) for host in names)


def _counted(host: str) -> str:
    """Return what sorts h2 before h10."""
    return re.sub(r"\d+", lambda number: number[0].zfill(12), host)


def _plain(value: AttemptView | HostView) -> dict[str, Any]:
    fields = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
    return {name: list(cast("tuple[object, ...]", one)) if isinstance(one, tuple) else one for name, one in fields}
