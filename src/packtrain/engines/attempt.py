"""One attempt, on one host or on many: how it is judged and ended. What it runs on is behind `Crews`.

The verdict is made of exit codes, the done-mark, step lines and saves, and of hosts that no longer answer.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from typing import Final, Literal, Protocol

from packtrain.engines.crew import CrewNews, CrewStep
from packtrain.errors import PacktrainError, TrainingFailed, WorkerStalled
from packtrain.events import HostLost, Notice, Sink, TrainingStep, WorkerLost, WorkersStarted
from packtrain.ports import StepRecord, TrainingJob
from packtrain.units import counted

SAVED_AND_STOPPED: Final = 75
"""The exit code by which a program says that it saved because it was asked to stop (EX_TEMPFAIL)."""

_POLL_SECONDS: Final = 0.05
_EVIDENCE_SECONDS: Final = 1.5
"""With many hosts, after the first exit with an error: it may be the echo of an end that another host tells later."""

Outcome = Literal["done", "lost", "host lost", "saved", "stalled", "interrupted"]


class Crews(Protocol):
    """The crews of one attempt, one a host.

    Attributes:
        hosts: their names in rank order, each with `num_workers` ranks; () for the one of this process.
        resumed_from: the checkpoint that they begin from; "" where nobody knows.
        short_grace_seconds: what the others get to end after a worker or a host was lost, where that is less than the
            job's own: they hang in what they do together.
    """

    hosts: tuple[str, ...]
    resumed_from: str
    short_grace_seconds: float

    def start(self) -> None:
        """Start the workers, or have them started: `news` tells their ids."""
        ...

    def news(self, timeout_seconds: float) -> Sequence[CrewNews]:
        """Return what came in, waiting at most so long; a host that is lost is told once, as `CrewNews.lost`."""
        ...

    def ask_to_stop(self) -> None:
        """Send SIGTERM to all workers that live."""
        ...

    def end(self) -> Sequence[CrewNews]:
        """Kill what still runs and return the last news: nothing of the attempt runs on any host that answers."""
        ...


class Attempt:
    """One attempt. Nothing of it runs on when `run` returns or raises.

    Args:
        job: what to run.
        number: of the attempt.
        crews: what it is run on.
        run_started: when the run began, by the monotonic clock.
        sink: takes events.

    Attributes:
        started_seconds: since the run began.
        steps: the step lines of rank 0.
        outcome, reason, lost_rank, lost_host: how it ended, in words too, and what was at fault if anything was.
    """

    def __init__(self, job: TrainingJob, number: int, crews: Crews, run_started: float, sink: Sink) -> None:
        self._job = job
        self._number = number
        self._crews = crews
        self._run_started = run_started
        self._sink = sink
        num_workers = job.num_workers * max(1, len(crews.hosts))
        self._pids: list[int | None] = [None] * num_workers
        self._codes: list[int | None] = [None] * num_workers
        self._words = [""] * num_workers
        self._lost: dict[int, str] = {}
        self._is_started = False
        self._held: list[CrewStep] = []
        self._is_marked = False
        self._num_saves: dict[int, int] = {}
        self._failed_at = math.inf
        self._last_progress = time.monotonic()
        self.started_seconds = self._last_progress - run_started
        self.steps: list[StepRecord] = []
        self.outcome: Outcome = "interrupted"
        self.reason = "it was interrupted"
        self.lost_rank: int | None = None
        self.lost_host: str | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names of its hosts in rank order."""
        return self._crews.hosts

    @property
    def resumed_from(self) -> str:
        """Return the checkpoint that it began from, or ""."""
        return self._crews.resumed_from

    @property
    def lost_hosts(self) -> dict[str, str]:
        """Return the hosts that were lost, each with why."""
        return {self._host_of(first): reason for first, reason in self._lost.items()}

    @property
    def blamed_hosts(self) -> set[str]:
        """Return the hosts that are at fault themselves: lost, or that of a worker which a signal ended.

        Not that of a worker which ended with an error: that is as often the program's, or the echo of another's end.
        """
        killed = self.outcome == "lost" and self.lost_rank is not None and (self._codes[self.lost_rank] or 0) < 0
        return set(self.lost_hosts) | ({self.lost_host} if killed and self.lost_host else set())

    def run(self) -> None:
        """Set `outcome`, `reason` and what was at fault; no process of this attempt is left afterwards."""
        try:
            self._crews.start()
            self._watch()
        finally:
            try:
                if self.outcome != "done":
                    self._ask_to_stop()
            finally:
                self._take(self._crews.end())
                if self.outcome == "lost" and self._lost:
                    # What ended first may have been the echo of a host that took some seconds more to be given up.
                    self._set_host_lost(next(iter(self._lost)))

    def failure(self, num_failed: int, num_attempts: int) -> PacktrainError:
        """Return the error of a run that ends with this attempt: so many failed in a row, of all that were made."""
        error_type = WorkerStalled if self.outcome == "stalled" else TrainingFailed
        last = "" if num_failed == num_attempts else f", the last {num_failed} without getting further"
        made = counted(num_attempts, "attempt")
        rank = self.lost_rank or 0
        return error_type(
            f"training did not finish in {made}{last}; the last ended because {self.reason}",
            where=self._log_of(rank),
            expected="exit 0 of every worker",
            found=self._words[rank] or "no log",
            hint="read the log; the same command goes on from the newest checkpoint",
        )

    def _log_of(self, rank: int) -> str:
        name = f"attempt-{self._number}-rank-{rank}.log"
        if (places := self._job.host_places) is not None and self.hosts:
            return f"{self._host_of(rank)}:{places.logs / name}"
        return str(self._job.log_folder / name)

    # --- watching ---

    def _watch(self) -> None:
        marked_at: float | None = None
        while True:
            self._take(self._crews.news(_POLL_SECONDS))
            if marked_at is None and self._is_marked:
                marked_at = time.monotonic()
            running = [rank for rank, code in enumerate(self._codes) if code is None and not self._is_on_lost(rank)]
            if not running and (marked_at is not None or not (self._lost or any(self._codes))):
                is_clean = not self._lost and not any(self._codes)
                self._set("done", "every worker ended" if is_clean else "the program had marked itself done")
                return
            if marked_at is not None:
                # The work is done; how the workers end no longer matters, only that they do.
                if time.monotonic() - marked_at > self._job.grace_seconds:
                    hanging = ", ".join(str(rank) for rank in running)
                    self._set("done", f"the program had marked itself done; killed at exit: rank {hanging}")
                    return
                continue
            if self._lost:
                self._set_host_lost(next(iter(self._lost)))
                return
            failed = [rank for rank, code in enumerate(self._codes) if code]
            if failed and (self._has_evidence(failed) or time.monotonic() > self._failed_at + _EVIDENCE_SECONDS):
                # Ended by a signal before ended by an error: the second is often the echo of the first.
                self._set_lost(min(failed, key=lambda rank: (self._codes[rank] or 0) > 0))
                return
            if time.monotonic() - self._last_progress > self._job.stall_seconds:
                self._set("stalled", f"no step and no checkpoint for {self._job.stall_seconds:g} s")
                self._sink(Notice("train", f"attempt {self._number}: {self.reason}", is_warning=True))
                return

    def _has_evidence(self, failed: Sequence[int]) -> bool:
        if self._failed_at == math.inf:
            self._failed_at = time.monotonic()
        return not self.hosts or any((self._codes[rank] or 0) < 0 for rank in failed)

    def _set(self, outcome: Outcome, reason: str) -> None:
        self.outcome, self.reason = outcome, reason

    def _set_lost(self, rank: int) -> None:
        code = self._codes[rank] or 0
        if code == SAVED_AND_STOPPED:
            self._set("saved", f"rank {rank} was asked to stop, and saved")
        elif code < 0:
            self._set("lost", f"rank {rank} was killed by {_signal_name(-code)}")
        else:
            self._set("lost", f"rank {rank} ended with exit code {code}")
        self.lost_rank = rank
        self.lost_host = self._host_of(rank) or None
        self._sink(WorkerLost(self._number, rank, self.reason, self._host_of(rank)))

    def _set_host_lost(self, first_rank: int) -> None:
        self.lost_host, self.lost_rank = self._host_of(first_rank), None
        # Without its name: reasons go home in the clear, and a name could hold anything.
        self._set("host lost", f"the host of rank {first_rank} was lost: {self._lost[first_rank]}")

    def _host_of(self, rank: int) -> str:
        return self.hosts[rank // self._job.num_workers] if self.hosts else ""

    def _is_on_lost(self, rank: int) -> bool:
        return rank - rank % self._job.num_workers in self._lost

    # --- taking news ---

    def _take(self, all_news: Sequence[CrewNews]) -> None:
        for news in all_news:
            first = news.first_rank
            if news.lost:
                if first not in self._lost:
                    self._lost[first] = news.lost
                    reason = f"{news.lost}: {news.detail}" if news.detail else news.lost
                    self._sink(HostLost(self._number, self._host_of(first), reason))
                continue
            self._pids[first : first + len(news.pids)] = news.pids
            self._codes[first : first + len(news.exit_codes)] = news.exit_codes
            self._words[first : first + len(news.words)] = news.words
            self._is_marked |= news.is_marked_done
            if news.num_saves > self._num_saves.get(first, 0):
                self._num_saves[first] = news.num_saves
                self._last_progress = time.monotonic()
            self._held += news.steps
        pids = [pid for pid in self._pids if pid is not None]
        if not self._is_started and len(pids) == len(self._pids):
            self._is_started = True
            self._last_progress = time.monotonic()
            self._sink(WorkersStarted(self._number, tuple(pids), self.hosts))
        # A step is told after the start that it belongs to, though rank 0 may be well ahead of the last host.
        if self._is_started:
            self._tell_steps()

    def _tell_steps(self) -> None:
        held, self._held = self._held, []
        for told in held:
            at = time.monotonic() - told.ago_seconds
            self._last_progress = max(self._last_progress, at)
            self.steps.append(StepRecord(self._number, told.step, told.loss, told.num_samples, at - self._run_started))
            self._sink(TrainingStep(self._number, told.step, told.loss, told.num_samples))

    # --- ending ---

    def _ask_to_stop(self) -> None:
        """SIGTERM to all that live, and the grace for them to save and end."""
        self._crews.ask_to_stop()
        grace_seconds = self._job.grace_seconds
        if self.outcome in ("lost", "host lost"):
            grace_seconds = min(grace_seconds, self._crews.short_grace_seconds)
        deadline = time.monotonic() + grace_seconds
        while time.monotonic() < deadline and any(
            code is None and pid is not None and not self._is_on_lost(rank)
            for rank, (code, pid) in enumerate(zip(self._codes, self._pids, strict=True))
        ):
            self._take(self._crews.news(_POLL_SECONDS))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
