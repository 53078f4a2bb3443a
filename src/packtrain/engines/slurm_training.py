"""The Slurm engine of `train`: one job of all hosts that is requeued for each attempt, and the command that follows it.

The job needs nobody who follows it. Where the submit host dies it runs on, and the same command finds it again. What
runs in it: slurm_batch.py on the first host, slurm_task.py on each.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_tree
from packtrain.engines.attempts import sigterm_is_interrupt
from packtrain.engines.shared_folders import mark_folder
from packtrain.engines.slurm_arguments import require_usable
from packtrain.engines.slurm_commands import (
    ENDED,
    POLLS_ENDED,
    SILENT_SECONDS,
    call,
    last_line,
    require_commands,
    submit,
)
from packtrain.engines.slurm_events import all_entries, is_recorded, read_entries, record_of_left, step_record
from packtrain.engines.slurm_place import JobOrder, Place, Standing, Tail, Verdict, error_of, read, write
from packtrain.engines.slurm_script import LOG_NAME, folder_options, job_script
from packtrain.engines.slurm_states import ended_in_words, stands_still
from packtrain.errors import ClusterUnreachable, LoginClosed, PacktrainError, TrainingFailed, VoyageFileError
from packtrain.events import HostsAwaited, Notice, Sink, WorkersStarted
from packtrain.ports import ATTEMPTS_NAME, AttemptRecord, StepRecord, TrainingJob, TrainingRun
from packtrain.units import counted

_COMMANDS: Final = ("sbatch", "squeue", "scancel", "scontrol")
_POLL_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 60.0
_APART_SECONDS: Final = 2

_log = logging.getLogger(__name__)


class SlurmEngine:
    """Runs a training program on the hosts of a Slurm cluster. See `ports.Engine`.

    Args:
        place: folder of the job, below the voyage folder.
        arguments: more options for `sbatch`.
        run_inputs: digests of what the training is a function of: where they have changed, a job that still runs is
            asked to save and end, and another one is submitted.
        sink: takes what is told of the job before the run begins.

    Raises:
        VoyageFileError: `arguments` would take the job out of our hands.
        MissingDependency: Slurm's commands are not here.
    """

    name = "slurm"

    def __init__(self, place: Path, arguments: Sequence[str], run_inputs: Mapping[str, str], sink: Sink) -> None:
        require_usable(arguments, "[site]", is_training=True)
        require_commands(_COMMANDS)
        self._place = Place(place)
        self._arguments = tuple(arguments)
        self._run_inputs = dict(run_inputs)
        self._sink = sink
        self._answered = time.monotonic()

    def end_other_job(self) -> None:
        """End a job of an earlier command that does something else; to be called before its folders are touched.

        Raises:
            ClusterUnreachable: Slurm does not answer.
        """
        order = read(self._place.order, JobOrder)
        if order is None or order.run_inputs == self._run_inputs or (job_id := self._find(order)) is None:
            return
        text = f"job {job_id} runs under an earlier voyage.toml, program or data set: it is asked to save and to end"
        self._sink(Notice("train", text))
        self._stop(job_id, order.job.grace_seconds)

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end: submit a job, or find the one that was submitted, and follow it.

        On Ctrl-C and SIGTERM the job is asked to save and to end. Where the login is closed, or this process is killed
        outright, the job runs on, and the next call follows it.

        Raises:
            VoyageFileError: hosts are to have folders of their own.
            ClusterUnreachable: Slurm refuses the job, or does not answer any more.
            HostUnfit: a host of the job is not fit.
            TrainingFailed, WorkerStalled: see `ports.Engine`; or Slurm ended the job.
        """
        if job.hosts.host_folder is not None:
            raise VoyageFileError(
                "hosts with folders of their own are not for the slurm engine",
                where="voyage.toml, [site.hosts] folder",
                expected="no folder: under Slurm the voyage folder is one that all hosts see",
                found=str(job.hosts.host_folder),
                hint='leave it out, or train with engine = "ray"',
            )
        with sigterm_is_interrupt():
            try:
                order, job_id = self._found_again(job, sink) or self._submit(job, sink)
                return self._follow(order, job_id, sink)
            except LoginClosed:
                # Nobody asked the job to end: it needs no terminal.
                raise
            except KeyboardInterrupt:
                # By its name: sbatch may have been on its way.
                order = read(self._place.order, JobOrder)
                if order is not None and (left := self._find(order)) is not None:
                    sink(Notice("train", f"job {left} is asked to save and to end"))
                    self._stop(left, job.grace_seconds)
                self._close(sink, "it was interrupted")
                self._forget()
                raise

    # --- the job

    def _found_again(self, job: TrainingJob, sink: Sink) -> tuple[JobOrder, str] | None:
        order = read(self._place.order, JobOrder)
        if order is None:
            return None
        if order.run_inputs != self._run_inputs and not self._is_same_run(order):
            return None
        if any(isinstance(found.entry, Verdict) for found in all_entries(self._place.events)):
            return (order, self._place.known_id() or "unknown") if order.is_same_as(job, self._run_inputs) else None
        job_id = self._find(order)
        if job_id is not None and order.is_same_as(job, self._run_inputs):
            sink(Notice("train", f"job {job_id} was submitted by an earlier command: it is followed again"))
            return order, job_id
        if job_id is not None:
            sink(Notice("train", f"job {job_id} runs under an earlier voyage.toml: it is asked to save and to end"))
            self._stop(job_id, order.job.grace_seconds)
        self._close(sink, "Slurm ended it")
        return None

    def _is_same_run(self, order: JobOrder) -> bool:
        """Return whether more or fewer steps are all that has changed."""
        names = {*order.run_inputs, *self._run_inputs} - {"steps"}
        return all(order.run_inputs.get(name) == self._run_inputs.get(name) for name in names)

    def _submit(self, job: TrainingJob, sink: Sink) -> tuple[JobOrder, str]:
        place = self._place
        self._forget()
        place.root.mkdir(parents=True, mode=0o700)
        shared = mark_folder(place.root / "hosts", [], [])
        program = job.program or sha256_tree(job.program_folder)
        order = JobOrder(secrets.token_hex(6), job, program, shared, time.time(), self._run_inputs)
        place.script.write_text(job_script(place.root, job, order.token, sys.executable))
        place.events.touch(0o600)
        for folder in (job.log_folder, job.checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        # Before the job is: one that was submitted by a command that was killed at once is found by its name.
        write(place.order, order)
        usual = folder_options(place.root, job.log_folder / LOG_NAME)
        # Not --ntasks-per-node: with it Slurm gives the fewest nodes of a range, however many are free.
        ours = [f"--job-name={order.name}", "--requeue"]
        done = submit([*usual, *self._arguments, *ours], place.script, job.withheld)
        job_id = done.stdout.strip().partition(";")[0]
        if done.returncode != 0 or not job_id.isdecimal():
            job_id = self._taken_all_the_same(order, last_line(done.stderr or done.stdout))
        durable.write_bytes(place.job_id, job_id.encode(), 0o600)
        sink(Notice("train", f"job {job_id} on {_spelled(job)}; it runs on where this command is killed"))
        return order, job_id

    def _taken_all_the_same(self, order: JobOrder, why: str) -> str:
        """Return the id of a job of which sbatch says that it was not taken: an answer can be lost on its way."""
        if self._answers() and (job_id := self._find(order)) is not None:
            return job_id
        if not self._answers():
            raise ClusterUnreachable(
                f"Slurm does not answer: {why}",
                hint="run the same command when it does: a job that it took all the same is found by its name",
            )
        self._forget()
        raise ClusterUnreachable(
            f"Slurm refuses the job: {why}",
            hint="look at [site] slurm_arguments and [site.hosts] in voyage.toml",
        )

    def _answers(self) -> bool:
        return call(["squeue", "--me", "--noheader"]).returncode == 0

    def _find(self, order: JobOrder) -> str | None:
        """Return the id of the job of this order while Slurm has not ended it.

        Raises:
            ClusterUnreachable: Slurm does not answer.
        """
        ended = 0
        while ended < POLLS_ENDED:
            alive, why = _jobs_of(order)
            if alive is None:
                self._require_answer(why)
                time.sleep(_ASK_SECONDS)
                continue
            self._answered = time.monotonic()
            if alive:
                return alive[0]
            ended += 1
            time.sleep(_POLL_SECONDS if ended < POLLS_ENDED else 0)
        return None

    def _stop(self, job_id: str, grace_seconds: float) -> None:
        """Ask the job to save and to end; end it if it does not, and return when it has."""
        call(["scancel", "--state=PENDING", job_id])
        call(["scancel", "--batch", "--signal=USR2", job_id])
        deadline = time.monotonic() + grace_seconds + _STOP_SECONDS
        is_cancelled = False
        while (state := self._state_of(job_id)) is None or state[0] not in ENDED:
            if not is_cancelled and (time.monotonic() > deadline or (state is not None and state[0] == "PENDING")):
                call(["scancel", job_id])
                is_cancelled, deadline = True, time.monotonic() + _STOP_SECONDS
            elif is_cancelled and time.monotonic() > deadline:
                break  # a node that is gone is waited for by Slurm, not by us
            time.sleep(_POLL_SECONDS)

    def _state_of(self, job_id: str) -> tuple[str, str, str] | None:
        """Return state, reason and nodes of a job; COMPLETED for one that Slurm knows no more. None: no answer."""
        done = call(["squeue", "--noheader", "--states=all", f"--jobs={job_id}", "--format=%T|%r|%N"])
        if done.returncode == 0 or "Invalid job id" in done.stderr:
            self._answered = time.monotonic()
            state, _, rest = done.stdout.strip().partition("|")
            reason, _, nodes = rest.partition("|")
            return state or "COMPLETED", reason, nodes
        self._require_answer(done.stderr)
        return None

    def _require_answer(self, said: str) -> None:
        _log.debug("squeue: %s", said)
        if time.monotonic() > self._answered + SILENT_SECONDS:
            raise ClusterUnreachable(
                f"Slurm does not answer: {last_line(said)}",
                hint="the job may run on; when Slurm answers again, the same command follows it",
            )

    # --- following it

    def _follow(self, order: JobOrder, job_id: str, sink: Sink) -> TrainingRun:
        next_question, polls_ended = time.monotonic(), 0
        awaited, attempt = ("", ""), 0
        while True:
            verdict, last = self._tell_news(sink)
            attempt = last or attempt
            if verdict is not None:
                return self._ended(order, verdict)
            if time.monotonic() < next_question:
                time.sleep(_POLL_SECONDS)
                continue
            next_question = time.monotonic() + _ASK_SECONDS
            if (found := self._state_of(job_id)) is None:
                continue
            state, reason, _ = found
            polls_ended = polls_ended + 1 if state in ENDED else 0
            if polls_ended > POLLS_ENDED:
                raise self._ended_by_slurm(order, job_id, state, reason, sink)
            if (state, reason) != awaited:
                awaited = state, reason
                self._tell_wait(job_id, found, attempt + 1, sink)
            if state == "PENDING" and reason == "BeginTime" and attempt:
                # A job that is put back waits for two minutes by default, whatever its hosts do.
                # Not at once: a node whose clock shows the second in which it ended the job takes its next start for
                # the one that it has just ended, and Slurm then fails the job.
                call(["scontrol", "update", f"JobId={job_id}", f"StartTime=now+{_APART_SECONDS}"])
                next_question = time.monotonic() + _APART_SECONDS + _POLL_SECONDS

    def _tell_wait(self, job_id: str, found: tuple[str, str, str], attempt: int, sink: Sink) -> None:
        state, reason, nodes = found
        if state == "COMPLETING":
            sink(HostsAwaited(attempt, (nodes,) if nodes else (), "Slurm to end what runs there, or to give it up"))
        elif what := stands_still(job_id, state, reason):
            sink(HostsAwaited(attempt, (), f"job {job_id}, which {what}"))
        elif state in ("PENDING", "CONFIGURING"):
            sink(HostsAwaited(attempt, (), f"Slurm to start job {job_id} ({reason if state == 'PENDING' else state})"))
        else:
            sink(HostsAwaited(attempt, (), ""))

    def _tell_news(self, sink: Sink) -> tuple[Verdict | None, int]:
        """Tell what the job told since it was last followed; return its verdict, and the attempt that began last."""
        followed = durable.plain_bytes(self._place.followed, 32)
        tail = Tail(self._place.events, int(followed) if followed and followed.strip().isdigit() else 0)
        begun, before = 0, tail.offset
        verdict: Verdict | None = None
        for found in read_entries(tail):
            if isinstance(found.entry, Verdict):
                verdict = found.entry
            elif not isinstance(found.entry, AttemptRecord):
                begun = found.entry.attempt if isinstance(found.entry, WorkersStarted) else begun
                sink(found.entry)
        if tail.offset != before and verdict is None:
            durable.write_bytes(self._place.followed, str(tail.offset).encode(), 0o600)
        return verdict, begun

    def _ended(self, order: JobOrder, verdict: Verdict) -> TrainingRun:
        attempts: list[AttemptRecord] = []
        steps: list[StepRecord] = []
        for found in all_entries(self._place.events):
            if isinstance(found.entry, AttemptRecord):
                attempts.append(found.entry)
            elif (step := step_record(found, order.submitted)) is not None:
                steps.append(step)
        self._forget()
        if verdict.outcome == "done":
            return TrainingRun(tuple(attempts), tuple(steps), verdict.elapsed_seconds)
        if verdict.outcome == "failed":
            raise error_of(verdict.error)
        raise TrainingFailed(
            "the job was asked to save and to end, by another command",
            where=str(order.job.log_folder / LOG_NAME),
            hint="the same command submits another, which goes on from the newest checkpoint",
        )

    def _close(self, sink: Sink, why: str) -> None:
        """Tell what a job told last, and write down an attempt whose end it could not."""
        self._tell_news(sink)
        order, left = read(self._place.order, JobOrder), read(self._place.standing, Standing)
        if order is None or left is None or left.has_ended or is_recorded(self._place, left.attempt):
            return
        record = record_of_left(left, order, why)
        durable.append_line(order.job.log_folder / ATTEMPTS_NAME, json.dumps(asdict(record)).encode())

    def _ended_by_slurm(self, order: JobOrder, job_id: str, state: str, reason: str, sink: Sink) -> PacktrainError:
        why = ended_in_words(state, reason)
        self._close(sink, f"Slurm ended it ({state})")
        self._forget()
        return TrainingFailed(
            f"Slurm ended job {job_id}: {why}",
            where=str(order.job.log_folder / LOG_NAME),
            found=f"state {state}" + (f", {reason}" if reason not in ("", "None") else ""),
            hint="the same command submits another, which goes on from the newest checkpoint",
        )

    def _forget(self) -> None:
        """Remove the job's folder: what follows is another job."""
        shutil.rmtree(self._place.root, ignore_errors=True)


def job_out(root: Path) -> str:
    """Return the id of the training job of an earlier command that is still in Slurm; "" where there is none.

    Slurm is asked once; where it does not answer, the job that was submitted last counts as one that is.

    Args:
        root: folder of the job.
    """
    place = Place(root)
    order = read(place.order, JobOrder)
    if order is None:
        return ""
    alive, _ = _jobs_of(order)
    if alive is None:
        return place.known_id()
    return alive[0] if alive else ""


def _jobs_of(order: JobOrder) -> tuple[list[str] | None, str]:
    """Return the ids of the jobs of an order that Slurm has not ended; or None, and why Slurm does not say."""
    done = call(["squeue", "--me", "--noheader", "--states=all", f"--name={order.name}", "--format=%i %T"])
    if done.returncode != 0:
        return None, done.stderr
    lines = (line.split() for line in done.stdout.splitlines())
    return [words[0] for words in lines if words and words[1] not in ENDED], ""


def _spelled(job: TrainingJob) -> str:
    least, most = job.hosts.least, job.hosts.most
    if most is None or most == least:
        return counted(least, "host")
    return f"{least} to {counted(most, 'host')}"
