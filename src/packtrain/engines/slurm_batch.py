"""The batch process of a training job: one attempt, judged on its first host, each time that Slurm starts the job.

It runs the attempt, writes down how it ended, and asks Slurm to start the job again where that may help: a requeue is
the next attempt, on hosts that Slurm finds whole.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from packtrain import durable
from packtrain.digest import sha256_tree
from packtrain.engines.attempt import Attempt, Outcome
from packtrain.engines.attempts import last_attempt
from packtrain.engines.slurm_commands import SILENT_SECONDS, call, last_line
from packtrain.engines.slurm_crews import SlurmCrews
from packtrain.engines.slurm_events import EventWriter, last_step, record_of_left
from packtrain.engines.slurm_place import JobOrder, Place, SignReader, Standing, Verdict, read, write
from packtrain.engines.streak import Streak
from packtrain.errors import ClusterUnreachable, PacktrainError, TrainingFailed
from packtrain.events import HostLost, HostsAwaited
from packtrain.ports import ATTEMPTS_NAME, AttemptRecord
from packtrain.units import counted

Asked = Literal["", "taken", "time", "stop", "end"]

_SIGNALS: Final[Mapping[int, Asked]] = {signal.SIGUSR1: "time", signal.SIGUSR2: "stop", signal.SIGTERM: "end"}
"""Slurm sends USR1 before the time runs out (`--signal`), the command that follows sends USR2, Slurm TERM when it ends
the job: a cancelled job must not be started again, one whose time is up must. One that is preempted with a grace has
the signal on all hosts but not here ("taken"): it must too."""
_REASONS: Final[Mapping[Asked, str]] = {
    "taken": "Slurm ended it",
    "time": "the job's time ran out, and it was asked to save",
    "stop": "it was interrupted",
    "end": "Slurm ended it",
}
_LOOK_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 2.0
_REQUEUED_SECONDS: Final = 120.0
_NODE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class _Asked(BaseException):
    """Somebody asked for the attempt's end."""


class _Replaced(BaseException):
    """Slurm took this host for dead and started the job elsewhere."""


def run_attempt(root: Path, token: str) -> int:
    """Run one attempt, the next one: the hidden command of the batch script. Return its exit code.

    Args:
        root: folder of the job.
        token: of the submission that the job is of.
    """
    place = Place(root)
    order = read(place.order, JobOrder)
    if order is None:
        raise TrainingFailed("this host does not see the job's folder", where=str(root), hint=_HINT)
    if order.token != token:
        # A command that was killed while it submitted: Slurm took its job when the next command had submitted another.
        raise TrainingFailed(
            "another job was submitted for this voyage, and this one ends",
            where=str(root),
            expected=token,
            found=order.token,
            hint="nothing is to be done: the other one trains",
        )
    missing = [name for name in ("SLURM_JOB_ID", "SLURM_JOB_NODELIST") if not os.environ.get(name)]
    if missing:
        raise ClusterUnreachable(
            "this command is one that a job of Slurm starts",
            expected=f"the variable {' and '.join(missing)}",
            found="no job of Slurm",
            hint='run "packtrain train"; it submits the job',
        )
    return _Batch(place, order).run()


class _Batch:
    def __init__(self, place: Place, order: JobOrder) -> None:
        self._place = place
        self._order = order
        self._job_id = os.environ["SLURM_JOB_ID"]
        self._num_requeues = os.environ.get("SLURM_RESTART_COUNT", "0")
        self._events = EventWriter(place.events)
        self._asked: Asked = ""
        self._next_look = float("-inf")
        self._number = 0
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        asked = _SIGNALS[number]
        # What ends the job stands over what lets it go on.
        if self._asked in ("", "taken", "time"):
            self._asked = asked

    def run(self) -> int:
        """Run the attempt; return the exit code of the job."""
        try:
            return self._run()
        except _Replaced:
            return 0
        except PacktrainError as error:
            return self._end("failed", error)

    def _run(self) -> int:
        job = self._order.job
        standing = read(self._place.standing, Standing) or Standing()
        if (found := sha256_tree(job.program_folder)) != self._order.program:
            raise TrainingFailed(
                "the program has changed since the job was submitted",
                where=str(job.program_folder),
                expected=self._order.program[:12],
                found=found[:12],
                hint="run the same command again: it holds the program against the kit and submits anew",
            )
        hosts = _hosts_of_job()
        self._number = max(last_attempt(job.log_folder), standing.attempt) + 1
        begun = replace(
            standing, attempt=self._number, begun=time.time(), hosts=hosts, has_ended=False,
            num_attempts=standing.num_attempts + 1,
        )  # fmt: skip
        write(self._place.standing, begun)
        if not standing.has_ended:
            begun = replace(begun, streak=self._close_left(standing))
            write(self._place.standing, begun)
            if begun.streak.is_too_long(job.max_restarts):
                raise TrainingFailed(
                    f"training did not finish in {counted(standing.num_attempts, 'attempt')}; the last "
                    f"{begun.streak.num_failed} ended without a word and without getting further",
                    where=str(job.log_folder),
                    hint="Slurm's own log says what became of the hosts; the same command goes on from the newest "
                    "checkpoint",
                )
        return self._attempt(begun)

    def _attempt(self, begun: Standing) -> int:
        job, hosts = self._order.job, begun.hosts
        run_started = time.monotonic() - (time.time() - self._order.submitted)
        crews = SlurmCrews(self._place, self._order, self._number, hosts, self._look, self._events)
        attempt = Attempt(job, self._number, crews, run_started, self._events)
        failure: PacktrainError | None = None
        try:
            attempt.run()
        except _Asked:
            pass
        except PacktrainError as error:
            failure = error
        if self._is_replaced():
            raise _Replaced
        asked: Asked = self._asked if attempt.outcome == "interrupted" and failure is None else ""
        reason = _REASONS[asked] if asked else attempt.reason
        self._record(
            AttemptRecord(
                attempt=self._number,
                started_seconds=round(attempt.started_seconds, 3),
                ended_seconds=round(time.monotonic() - run_started, 3),
                reason=reason if failure is None else f"it could not begin: {failure.what}",
                lost_rank=attempt.lost_rank,
                hosts=hosts,
                lost_host=attempt.lost_host,
                resumed_from=attempt.resumed_from,
            )
        )
        reached = max((step.step for step in attempt.steps), default=-1)
        outcome: Outcome = "saved" if asked == "time" else attempt.outcome
        streak = begun.streak.after(outcome, reached, is_taken_away=asked in ("taken", "end"))
        write(self._place.standing, replace(begun, has_ended=True, streak=streak))
        if failure is not None:
            raise failure
        if attempt.outcome == "done":
            return self._end("done")
        if self._asked == "stop":
            return self._end("stopped")
        if streak.is_too_long(job.max_restarts) and self._asked != "end":
            if asked == "time":
                raise _too_little_time(self._job_id, streak.num_failed)
            raise attempt.failure(streak.num_failed, begun.num_attempts)
        return self._again()

    def _look(self, is_taken: bool) -> None:
        """Raise what ends the attempt from outside."""
        if is_taken and not self._asked:
            self._asked = "taken"
        if self._asked:
            raise _Asked
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            if self._is_replaced():
                raise _Replaced

    def _is_replaced(self) -> bool:
        """Return whether the job's next start has claimed an attempt: it closes this one, and nothing is ours."""
        standing = read(self._place.standing, Standing)
        return standing is not None and standing.attempt > self._number

    def _close_left(self, left: Standing) -> Streak:
        """Write down the end of an attempt that could not; nothing of it runs any more when this returns.

        Return how many failed in a row with it.
        """
        limit = self._order.job.hosts.silent_seconds
        signs = [self._place.sign(left.attempt, number) for number in range(len(left.hosts))]
        readers = [SignReader(path) for path in (self._place.batch_sign(left.attempt), *signs)]
        told: tuple[str, ...] = ()
        # Where only Slurm took the host for dead, what ran there runs on until it sees that it was replaced.
        while True:
            for reader in readers:
                reader.look()
            alive = tuple(sorted({left.hosts[max(0, n - 1)] for n, r in enumerate(readers) if r.look() < limit}))
            if alive != told:
                self._events(HostsAwaited(self._number, alive, f"attempt {left.attempt} to end there" if alive else ""))
                told = alive
            if not alive:
                break
            if self._asked:
                write(self._place.standing, left)  # as if this start had not been
                raise _Replaced
            time.sleep(1.0)
        host = left.hosts[0] if left.hosts else ""
        self._events(HostLost(left.attempt, host, "it ended without a word"))
        record = record_of_left(left, self._order, "the host of rank 0 was lost: it ended without a word", host)
        self._record(record)
        return left.streak.after("host lost", last_step(self._place, left.attempt))

    def _record(self, record: AttemptRecord) -> None:
        durable.append_line(self._order.job.log_folder / ATTEMPTS_NAME, json.dumps(asdict(record)).encode())
        self._events.write(record)

    # --- what follows

    def _end(self, outcome: Literal["done", "failed", "stopped"], error: PacktrainError | None = None) -> int:
        elapsed_seconds = time.time() - self._order.submitted
        self._events.write(Verdict(outcome, elapsed_seconds, error.to_dict() if error is not None else {}))
        return error.exit_code if error is not None else 0

    def _is_ended_by_slurm(self) -> bool:
        return self._asked == "end"

    def _again(self) -> int:
        """Ask Slurm to start the job again, unless Slurm itself is ending it."""
        time.sleep(_SETTLE_SECONDS)  # of two signals that belong together the second may still come
        deadline = time.monotonic() + SILENT_SECONDS
        while True:
            if self._is_ended_by_slurm():
                return 0
            asked = call(["squeue", "--noheader", f"--jobs={self._job_id}", "--Format=State:32,RestartCnt:16"])
            # Where Slurm took this host for dead, the job may run elsewhere already: it is not ours to put back.
            if asked.returncode == 0 and asked.stdout.split() != ["RUNNING", self._num_requeues]:
                return 0
            done = call(["scontrol", "requeue", self._job_id])
            if done.returncode == 0:
                break
            # A controller that is restarted refuses nothing: it is asked until it answers.
            if asked.returncode == 0 or time.monotonic() > deadline:
                raise ClusterUnreachable(
                    f"Slurm does not start the job again: {last_line(done.stderr)}",
                    where=f"job {self._job_id}",
                    hint="it must allow requeueing: ask the site; the same command goes on from the newest checkpoint",
                )
            time.sleep(_LOOK_SECONDS)
        # Slurm kills this process when it has put the job back; to end before that would be another kind of end.
        deadline = time.monotonic() + _REQUEUED_SECONDS
        while not self._is_ended_by_slurm() and time.monotonic() < deadline:
            time.sleep(0.2)
        return 0


_HINT: Final = "mount the voyage folder on every host at the same path, then run the same command again"


def _too_little_time(job_id: str, num_failed: int) -> TrainingFailed:
    return TrainingFailed(
        f"training got no further in {counted(num_failed, 'attempt')}; the last ended because the job's time ran out",
        where=f"job {job_id}",
        expected="a start, a step further and a save within the job's time",
        hint='give it more in slurm_arguments ("--time"), or warn the program earlier ("--signal=B:USR1@SECONDS"); the '
        "same command goes on from the newest checkpoint",
    )


def _hosts_of_job() -> tuple[str, ...]:
    """Return the names of the job's nodes, in the order of their ids."""
    nodes = os.environ["SLURM_JOB_NODELIST"]
    done = call(["scontrol", "show", "hostnames", nodes])
    names = tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
    if done.returncode != 0 or not names or not all(_NODE_NAME.fullmatch(name) for name in names):
        raise ClusterUnreachable(
            "Slurm does not say on which nodes the job runs",
            where=nodes,
            found=last_line(done.stderr or done.stdout),
            hint="scontrol must be on PATH on every node",
        )
    return names
