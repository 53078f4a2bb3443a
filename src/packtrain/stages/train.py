"""train: run the program on the loaded data, through failures, to its last step."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.diligence.kit_chain import LawfulKit, chain_of, refuse_uncountersigned
from packtrain.documents.kit import Kit
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import TrainingSection
from packtrain.errors import KitError, StageNotReady, VoyageFileError
from packtrain.events import Event, Notice, Progress, Sink, TrainingStep, WorkersStarted
from packtrain.ports import Engine, HostsWanted, StepRecord, TrainingJob, TrainingRun
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.training.command import fill_command
from packtrain.training.kit_held import is_other_kit
from packtrain.training.kit_steps import kits_of_attempts, note_attempt, spelled, steps_by_update
from packtrain.training.metrics import METRICS_NAME, STEPS_NAME, StepLog, encode_metrics, steps_that_count

STAGE: Final = "train"
_HOW_TO_GET_IT: Final = (
    '"packtrain load" brings the kit from the drives, "packtrain update apply" what changed since; '
    'a program changes after departure by "packtrain update" alone'
)
_RUN_FOLDERS: Final = ("work/checkpoints", "work/results", "logs/train")


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a training is a function of: the loaded data, the program, the command, the steps.

    Raises:
        StageNotReady: nothing was loaded yet.
        VoyageFileError: voyage.toml has no [training].
    """
    section = _section(folder)
    return {**_run_inputs(folder, section), "steps": sha256_bytes(str(section.steps).encode())}


def train(folder: VoyageFolder, engine: Engine, python: Path, sink: Sink) -> Receipt:
    """Train to the last step of [training]; return the receipt.

    Checkpoints lie in work/checkpoints and the program's results in work/results. A run that packtrain did not see the
    end of goes on from its newest checkpoint. Those of another program, command or data set are put aside, under the
    name of the run they belong to, and never gone on from. More steps than before continue the same run, and so does a
    kit that a signed update brought: which steps ran under which kit is noted attempt by attempt.

    Args:
        folder: the consignee's voyage folder.
        engine: what starts the workers.
        python: the interpreter that has torch and what else the program needs.
        sink: takes events.

    Raises:
        StageNotReady: nothing was loaded yet.
        KitError: program, kit or command is not the one of kit.json, or the command is empty.
        SignatureMissing, UntrustedSigner: the operator did not countersign an update of the kit.
        TrainingFailed, WorkerStalled: see `ports.Engine`.
    """
    section = _section(folder)
    stage_inputs = inputs(folder)
    clock = StageClock(folder, STAGE, stage_inputs)
    program = folder.resolve(section.program)
    _check_program(folder, program)
    _tell_other_packages(folder, python, sink)
    chain = chain_of(folder)
    refuse_uncountersigned(folder, chain)
    _set_aside_other_runs(folder, stage_inputs, chain, sink)
    checkpoints, results, logs = (folder.root / name for name in _RUN_FOLDERS)
    results.mkdir(parents=True, exist_ok=True)
    job = TrainingJob(
        python=python,
        command=fill_command(
            section.command,
            data=folder.resolve(folder.voyage_file().site.store),
            checkpoints=checkpoints,
            results=results,
            steps=section.steps,
        ),
        program_folder=program,
        environment={},
        checkpoints=checkpoints,
        log_folder=logs,
        num_workers=section.workers,
        max_restarts=section.max_restarts,
        stall_seconds=section.stall_seconds,
        hosts=_hosts_wanted(folder),
    )
    step_log = StepLog(logs / STEPS_NAME)
    kit = chain[-1] if chain else None
    training = engine.run(job, _recording(step_log, section.steps, logs, kit, sink))
    counted = steps_that_count(step_log.read())
    metrics = encode_metrics(counted)
    durable.write_bytes(folder.logs / METRICS_NAME, metrics)
    return clock.finish(
        counts={
            "steps": len(counted),
            "samples": sum(record.num_samples or 0 for record in counted),
            "workers": section.workers,
            "restarts": training.num_restarts,
        },
        facts={
            "loss_first": _loss(counted[0]) if counted else "no step line",
            "loss_last": _loss(counted[-1]) if counted else "no step line",
            "metrics": sha256_bytes(metrics),
            "engine": engine.name,
            "python": str(python),
            "hosts": _hosts_told(training),
            **_kits_told(counted, logs, chain),
        },
    )


def _section(folder: VoyageFolder) -> TrainingSection:
    section = folder.voyage_file().training
    if section is None:
        command = folder.read_signed(Kit).command if folder.has(Kit) else "..."
        raise VoyageFileError(
            "there is no [training]",
            where=str(folder.root / "voyage.toml"),
            expected="program and command",
            hint=f"add [training] with program = \"work/kit/program\", command = '{command}', workers and steps",
        )
    return section


def _hosts_wanted(folder: VoyageFolder) -> HostsWanted:
    hosts = folder.voyage_file().site.hosts
    return HostsWanted(
        least=hosts.least,
        most=hosts.most,
        wait_seconds=hosts.wait_seconds,
        silent_seconds=hosts.silent_seconds,
        host_folder=Path(hosts.folder) if hosts.folder is not None else None,
        checkpoint_copies=hosts.checkpoint_copies,
    )


def _hosts_told(training: TrainingRun) -> str:
    """Return the hosts of the last attempt; this machine, where the engine is of one machine."""
    hosts = training.attempts[-1].hosts if training.attempts else ()
    return ", ".join(hosts)[:4096] or platform.node() or "unnamed"


def _run_inputs(folder: VoyageFolder, section: TrainingSection) -> dict[str, str]:
    load = folder.receipt("load")
    if load is None:
        raise StageNotReady(
            "no data is loaded yet",
            where=str(folder.root),
            hint='run "packtrain load" first; without it nothing is trained',
        )
    program = folder.resolve(section.program)
    if not program.is_dir():
        raise VoyageFileError("training.program: no such folder", where=str(program))
    return {
        # What was loaded, not when: loading the same drives again does not train again.
        "load": sha256_bytes(rfc8785.dumps(dict(load.inputs))),
        "program": sha256_tree(program),
        "command": sha256_bytes(section.command.encode()),
    }


def _check_program(folder: VoyageFolder, program: Path) -> None:
    if not folder.has(Kit):
        return
    kit, found = folder.read_signed(Kit), sha256_tree(program)
    if kit.program != found:
        raise KitError(
            "program is not the one that was rehearsed",
            where=str(program),
            expected=f"the program of kit.json, {kit.program[:12]}",
            found=found[:12],
            hint=_HOW_TO_GET_IT,
        )
    # Kits may differ in their wheels alone.
    if is_other_kit(program.parent, kit):
        raise KitError(
            "the kit that the program lies in is not the one in force",
            where=str(program.parent),
            expected=f"kit {folder.digest(Kit)[:12]}, whose program is the same",
            hint=_HOW_TO_GET_IT,
        )
    if (command := _section(folder).command) != kit.command:
        raise KitError(
            "command is not the one that was rehearsed and signed",
            where=f"{folder.root / VOYAGE_FILE}, training.command",
            expected=kit.command,
            found=command,
            hint="write the kit's command there, letter for letter; the consignor changes it by a kit update, which "
            "the operator signs",
        )


def _tell_other_packages(folder: VoyageFolder, python: Path, sink: Sink) -> None:
    """Warn where the workers run under this very Python, and its packages are not those that were rehearsed."""
    if not folder.has(Kit) or python != Path(sys.executable):
        return
    told: list[str] = []
    for file in folder.read_signed(Kit).files:
        if file.name.startswith("wheels/"):
            name, wanted, *_ = file.name.removeprefix("wheels/").split("-")
            try:
                found = metadata.version(name)
            except metadata.PackageNotFoundError:
                found = "nothing"
            told += [f"{name} {wanted}: found {found}"] if found != wanted else []
    if told:
        text = f"workers run under packtrain's own Python, with other packages than the kit's: {'; '.join(told[:5])}; "
        text += "install the kit (sh work/kit/install.sh FOLDER) and train with --python FOLDER/bin/python"
        sink(Notice(STAGE, text, is_warning=True))


def _kits_told(counted: Sequence[StepRecord], logs: Path, chain: Sequence[LawfulKit]) -> dict[str, str]:
    if not chain:
        return {}
    steps = steps_by_update(counted, kits_of_attempts(logs))
    told = [f"steps {spelled(steps[each.number])} under {each.digest[:12]}" for each in chain if each.number in steps]
    return {"kits": "; ".join(told)[:4096] or "no step line"}


def _run_of(run_inputs: Mapping[str, str], program: str, command: str) -> str:
    """Return what tells one run from another: the loaded data, the program, the command."""
    others = {name: value for name, value in run_inputs.items() if name != "steps"}
    return sha256_bytes(rfc8785.dumps({**others, "program": program, "command": sha256_bytes(command.encode())}))


def _continued_by(run_inputs: Mapping[str, str], command: str, chain: Sequence[LawfulKit]) -> dict[str, int]:
    """Return the runs that this one goes on with lawfully, each with the number of the update that made it end.

    They had the same data, the program of a kit of the chain, and either the command of now, or, where the command is
    the one that the kit in force names, that of an earlier kit.
    """
    kits = [each.kit for each in chain if each.kit is not None]
    commands = {command}
    if len(kits) > 1 and command == kits[-1].command:
        commands |= {kit.command for kit in kits}
    return {
        _run_of(run_inputs, each.kit.program, spelling): each.number
        for each in (chain if len(chain) > 1 else ())
        if each.kit is not None
        for spelling in commands
    }


def _set_aside_other_runs(
    folder: VoyageFolder, run_inputs: Mapping[str, str], chain: Sequence[LawfulKit], sink: Sink
) -> None:
    command = _section(folder).command
    run = _run_of(run_inputs, run_inputs["program"], command)
    marker = folder.work / "training.json"
    try:
        previous = str(json.loads(marker.read_bytes())["run"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        previous = ""
    if previous == run:
        return
    if previous in _continued_by(run_inputs, command, chain):
        update = chain[-1].number
        sink(Notice(STAGE, f"kit update {update} is in force: the same run goes on from its newest checkpoint"))
        durable.write_bytes(marker, rfc8785.dumps({"run": run}))
        return
    for name in _RUN_FOLDERS:
        path = folder.root / name
        if path.exists():
            aside = _free_name(path.with_name(f"{path.name}.{previous[:12] or 'unknown'}"))
            path.rename(aside)
            sink(Notice(STAGE, f"{name} is of another program, command or data set: kept as {aside.name}"))
    durable.write_bytes(marker, rfc8785.dumps({"run": run}))


def _free_name(path: Path) -> Path:
    candidates = (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 10_000)))
    return next(candidate for candidate in candidates if not candidate.exists())


def _recording(step_log: StepLog, num_steps: int, logs: Path, kit: LawfulKit | None, sink: Sink) -> Sink:
    started = time.monotonic()

    def take(event: Event) -> None:
        sink(event)
        if isinstance(event, WorkersStarted) and kit is not None:
            note_attempt(logs, event.attempt, kit.digest, kit.number)
        if isinstance(event, TrainingStep):
            elapsed_seconds = time.monotonic() - started
            step_log.append(StepRecord(event.attempt, event.step, event.loss, event.num_samples, elapsed_seconds))
            sink(Progress(STAGE, "training", done_items=event.step, total_items=num_steps, unit="steps"))

    return take


def _loss(record: StepRecord) -> str:
    return "none" if record.loss is None else f"{record.loss:.6f}"
