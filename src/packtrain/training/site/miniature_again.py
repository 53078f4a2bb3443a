"""The rehearsal's own run once more, at the site: the same samples, command and steps; its losses beside home's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_file
from packtrain.documents.dataset import Dataset
from packtrain.documents.ready import Ready, UndisturbedRun
from packtrain.errors import IntegrityError, PacktrainError
from packtrain.events import Sink
from packtrain.ports import Engine, HostsWanted, StepRecord, TrainingJob
from packtrain.training.command import fill_command
from packtrain.training.likeness import last_of_each_step, same
from packtrain.training.miniature_travels import miniature_parts
from packtrain.training.site.seen import Seen, figure

WHAT: Final = "losses of the miniature"
TOLERANCE: Final = 0.02
"""A share of the rehearsal's loss. Other processors, accelerators and numbers of workers add up in another order, which
is far below this within the first steps of a training; a wrong sample, seed or dtype is far above."""
_GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class MiniatureTask:
    """What is run.

    Attributes:
        python: the interpreter that has the kit.
        program_folder: the kit's program.
        command: the kit's, with its placeholders.
        folder: where the miniature is laid out, and checkpoints, results and logs go.
        store: where the cargo was loaded to.
        hosts, num_workers: on how many.
        stall_seconds: no step for so long ends it.
    """

    python: Path
    program_folder: Path
    command: str
    folder: Path
    store: Path
    hosts: HostsWanted
    num_workers: int
    stall_seconds: float


def lay_out(dataset: Dataset, store: Path, place: Path) -> None:
    """Write the miniature's files into `place` as the rehearsal had them, each proven by its SHA-256.

    Raises:
        IntegrityError: one is not in the store, or is another; `found` says which.
    """
    for name, carried, part in miniature_parts(dataset):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = store / carried
        if not source.is_file() or source.is_symlink():
            raise IntegrityError("a file of the miniature is not in the store", where=str(source), found=name)
        shutil.copyfile(source, target)
        if (found := sha256_file(target)) != part.sha256:
            raise IntegrityError(
                "a file of the miniature is not the one of dataset.json",
                where=str(source),
                expected=part.sha256,
                found=found,
            )


def run_again(task: MiniatureTask, dataset: Dataset, sheet: Ready, engine: Engine, sink: Sink, seen: Seen) -> None:
    """Note how the rehearsal's run comes out here. What fails is a finding; nothing is raised for it."""
    home = sheet.undisturbed
    if home is None:
        seen.not_shown(WHAT, "ready.json does not tell the losses of the rehearsal")
        return
    data, checkpoints, results = (task.folder / part for part in ("data", "checkpoints", "results"))
    for place in (data, checkpoints, results):
        place.mkdir(parents=True, exist_ok=True)
    try:
        lay_out(dataset, task.store, data)
    except IntegrityError as error:
        seen.not_shown(WHAT, error.message)
        return
    job = TrainingJob(
        python=task.python,
        command=fill_command(task.command, data=data, checkpoints=checkpoints, results=results, steps=home.num_steps),
        program_folder=task.program_folder,
        environment={},
        checkpoints=checkpoints,
        log_folder=task.folder / "logs",
        num_workers=task.num_workers,
        max_restarts=0,
        stall_seconds=task.stall_seconds,
        grace_seconds=_GRACE_SECONDS,
        hosts=task.hosts,
    )
    try:
        run = engine.run(job, sink)
    except PacktrainError as error:
        remedy = "read the log; the program is the one that ran at home: what differs is here"
        seen.bad(WHAT, error.message, remedy, asked="the rehearsal's run comes to its end")
        return
    hosts = run.attempts[-1].hosts if run.attempts else ()
    judge_losses(seen, home, run.steps, task.num_workers * max(1, len(hosts)), run.elapsed_seconds)


def judge_losses(
    seen: Seen, home: UndisturbedRun, steps: Sequence[StepRecord], num_workers: int, elapsed_seconds: float
) -> None:
    """Note whether losses are those of the rehearsal: to the last bit, or within the tolerance."""
    asked = f"those of the rehearsal, {home.num_workers} workers, within {TOLERANCE:.0%}"
    here = {number: record.loss for number, record in last_of_each_step(steps).items() if record.loss is not None}
    there = {one.step: one.loss for one in home.losses}
    if not there or not here:
        whose = "the program wrote no step lines with a loss"
        seen.not_shown(WHAT, f"{whose}, {'at home' if not there else 'here'}; it ran to its end", asked=asked)
        return
    lacking = sorted(set(there) - set(here))
    differing = [step for step in sorted(set(there) & set(here)) if not same(there[step], here[step], 0.0)]
    beyond = [step for step in differing if not same(there[step], here[step], TOLERANCE)]
    largest = max((abs(here[step] - there[step]) / max(abs(there[step]), 1e-9) for step in differing), default=0.0)
    workers = f"{num_workers} workers" if num_workers != 1 else "1 worker"
    told = f"{len(there) - len(lacking)} steps with {workers} in {elapsed_seconds:.1f} s: "
    if lacking:
        told += f"step {lacking[0]} was not made; "
    if not differing:
        told += "all losses equal to the last bit"
    else:
        first = differing[0]
        told += f"the first that differs is step {first}, {there[first]!r} at home and {here[first]!r} here; "
        told += f"the largest difference is {largest:.2g} of the loss"
        if num_workers == home.num_workers:
            told += "; the number of workers is the same, so it is the machine or its packages"
    seen.judged(
        WHAT,
        told,
        "train nothing here before this is understood: other packages than the kit's, another program, other data, or "
        "an accelerator that computes wrongly",
        [figure("largest difference", largest), figure("steps equal", len(there) - len(differing) - len(lacking))],
        is_good=not beyond and not lacking,
        asked=asked,
    )
