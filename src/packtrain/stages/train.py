"""train: run the program on the loaded data, through failures, to its last step."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.diligence.kit_chain import LawfulKit, chain_of, refuse_uncountersigned
from packtrain.diligence.verdict import require_admitting
from packtrain.documents.kit import Kit
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import TrainingSection
from packtrain.errors import KitError, StageNotReady, VoyageFileError
from packtrain.events import Event, Notice, Progress, Sink, TrainingStep, WorkersStarted
from packtrain.ports import Engine, HostPlaces, HostsWanted, StepRecord, TrainingJob
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.training.command import fill_command
from packtrain.training.goodput.receipt import counts_of, facts_of
from packtrain.training.goodput.timeline import TIMELINE_NAME, Timeline
from packtrain.training.kit_held import is_other_kit
from packtrain.training.kit_steps import kits_of_attempts, note_attempt, spelled, steps_by_update
from packtrain.training.loaded_index import INDEX_FACT, told_to_workers
from packtrain.training.metrics import METRICS_NAME, STEPS_NAME, StepLog, encode_metrics, steps_that_count

STAGE: Final = "train"
_HOW_TO_GET_IT: Final = (
    '"packtrain load" brings the kit from the drives, "packtrain update apply" what changed since; '
    'a program changes after departure by "packtrain update" alone'
)
_FOLDER_ON_HOSTS: Final = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")
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
        AdmissionHeld, AdmissionRefused: the operator took its admission back since.
        KitError: program, kit or command is not the one of kit.json, or the command is empty.
        SignatureMissing, UntrustedSigner: the operator did not countersign an update of the kit.
        TrainingFailed, WorkerStalled: see `ports.Engine`.
    """
    section = _section(folder)
    stage_inputs = inputs(folder)
    # What was loaded under an admission may be held or refused by a later one.
    require_admitting(folder)
    clock = StageClock(folder, STAGE, stage_inputs)
    program = folder.resolve(section.program)
    _check_program(folder, program, stage_inputs["program"])
    _tell_other_packages(folder, python, sink)
    chain = chain_of(folder)
    refuse_uncountersigned(folder, chain)
    run_name = _set_aside_other_runs(folder, stage_inputs, chain, sink)
    checkpoints, results, logs = (folder.root / name for name in _RUN_FOLDERS)
    results.mkdir(parents=True, exist_ok=True)
    hosts = _hosts_wanted(folder)

    def command_at(checkpoints: Path, results: Path) -> tuple[str, ...]:
        data, steps = folder.store_location(), section.steps
        return fill_command(section.command, data=data, checkpoints=checkpoints, results=results, steps=steps)

    job = TrainingJob(
        python=python,
        command=command_at(checkpoints, results),
        program_folder=program,
        environment=_object_storage(folder),
        checkpoints=checkpoints,
        log_folder=logs,
        num_workers=section.workers,
        max_restarts=section.max_restarts,
        stall_seconds=section.stall_seconds,
        hosts=hosts,
        host_places=_host_places(hosts, run_name, results, command_at),
        program=stage_inputs["program"],
        withheld=_withheld(folder),
    )
    step_log = StepLog(logs / STEPS_NAME)
    kit = chain[-1] if chain else None
    timeline = Timeline(logs / TIMELINE_NAME)
    with timeline.command():
        training = engine.run(job, _recording(step_log, section.steps, logs, kit, timeline, sink))
    records = step_log.read()
    counted = steps_that_count(records)
    metrics = encode_metrics(counted)
    durable.write_bytes(folder.logs / METRICS_NAME, metrics)
    return clock.finish(
        counts={
            "steps": len(counted),
            "samples": sum(record.num_samples or 0 for record in counted),
            "workers": section.workers,
            "restarts": training.num_restarts,
            **counts_of(training.attempts, logs),
        },
        facts={
            "loss_first": _loss(counted[0]) if counted else "no step line",
            "loss_last": _loss(counted[-1]) if counted else "no step line",
            "metrics": sha256_bytes(metrics),
            "engine": engine.name,
            "python": str(python),
            **facts_of(training.attempts, records, logs),
            **_kits_told(counted, logs, chain),
        },
    )


def _object_storage(folder: VoyageFolder) -> dict[str, str]:
    """Return what tells workers where {data} lies, where that is object storage, and which index `load` saw there.

    Where, by variables that all tools for S3 know. Access keys are not among them: workers have the environment of this
    process, or that of Ray on their host.
    """
    place = folder.store_place()
    said = {} if place is None else {"AWS_ENDPOINT_URL_S3": place.endpoint, "AWS_REGION": place.region}
    # botocore asks for the second name, others for the first.
    said["AWS_DEFAULT_REGION"] = said.get("AWS_REGION", "")
    loaded = folder.receipt("load")
    facts = loaded.facts if loaded is not None else {}
    # A folder has the rights of the site's own users; a bucket may be somebody else's.
    if place is not None and INDEX_FACT in facts and facts.get("store") == place.url:
        said |= told_to_workers(facts[INDEX_FACT], place.url)
    return {name: value for name, value in said.items() if value}


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
    if hosts.folder is not None and not Path(hosts.folder).is_absolute():
        raise VoyageFileError(
            "site.hosts.folder: it is not absolute",
            where=str(folder.root / VOYAGE_FILE),
            expected="a path from / on, the same on every host",
            found=hosts.folder,
            hint="write the whole path of a folder on a disk of the host's own",
        )
    return HostsWanted(
        least=hosts.least,
        most=hosts.most,
        wait_seconds=hosts.wait_seconds,
        silent_seconds=hosts.silent_seconds,
        host_folder=Path(hosts.folder) if hosts.folder is not None else None,
        checkpoint_copies=hosts.checkpoint_copies,
    )


def _host_places(
    hosts: HostsWanted, run_name: str, results: Path, command_at: Callable[[Path, Path], tuple[str, ...]]
) -> HostPlaces | None:
    if hosts.host_folder is None:
        return None
    places = HostPlaces(hosts.host_folder / run_name, (), results)
    return replace(places, command=command_at(places.checkpoints, places.results_there))


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


def _withheld(folder: VoyageFolder) -> tuple[str, ...]:
    """Return the variable that holds the passphrase, if one does: a training program has no business with it."""
    name = folder.voyage_file().keys.passphrase_env
    return () if name is None else (name,)


def _check_program(folder: VoyageFolder, program: Path, found: str) -> None:
    """Hold a program, of which `sha256_tree` says `found`, against the kit."""
    if not folder.has(Kit):
        return
    kit = folder.read_signed(Kit)
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
) -> str:
    """Put aside what another run left here; return the name of this run's folder on hosts.

    That name is drawn when a run begins: what hosts hold of another one, or of the same one begun anew, is out of its
    way without anybody's looking there.
    """
    command = _section(folder).command
    run = _run_of(run_inputs, run_inputs["program"], command)
    marker = folder.work / "training.json"
    try:
        noted = dict(json.loads(marker.read_bytes()))
        previous, name = str(noted["run"]), str(noted.get("folder_on_hosts", ""))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        previous, name = "", ""
    if _FOLDER_ON_HOSTS.fullmatch(name) is None:
        name = ""
    if previous == run and name:
        return name
    is_continued = previous == run or previous in _continued_by(run_inputs, command, chain)
    if previous != run and is_continued:
        update = chain[-1].number
        sink(Notice(STAGE, f"kit update {update} is in force: the same run goes on from its newest checkpoint"))
    elif not is_continued:
        name = ""
        for part in _RUN_FOLDERS:
            path = folder.root / part
            if path.exists():
                aside = _free_name(path.with_name(f"{path.name}.{previous[:12] or 'unknown'}"))
                path.rename(aside)
                sink(Notice(STAGE, f"{part} is of another program, command or data set: kept as {aside.name}"))
    name = name or f"{run[:12]}-{secrets.token_hex(4)}"
    durable.write_bytes(marker, rfc8785.dumps({"run": run, "folder_on_hosts": name}))
    return name


def _free_name(path: Path) -> Path:
    candidates = (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 10_000)))
    return next(candidate for candidate in candidates if not candidate.exists())


def _recording(
    step_log: StepLog, num_steps: int, logs: Path, kit: LawfulKit | None, timeline: Timeline, sink: Sink
) -> Sink:
    def take(event: Event) -> None:
        sink(event)
        timeline.take(event)
        if isinstance(event, WorkersStarted) and kit is not None:
            note_attempt(logs, event.attempt, kit.digest, kit.number)
        if isinstance(event, TrainingStep):
            elapsed_seconds = timeline.elapsed_seconds()
            step_log.append(StepRecord(event.attempt, event.step, event.loss, event.num_samples, elapsed_seconds))
            sink(Progress(STAGE, "training", done_items=event.step, total_items=num_steps, unit="steps"))

    return take


def _loss(record: StepRecord) -> str:
    return "none" if record.loss is None else f"{record.loss:.6f}"
