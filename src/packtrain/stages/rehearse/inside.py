"""The inner half of a rehearsal: runs in the box, under the Python that was installed from the kit."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Final, TypeVar

from packtrain.documents.codec import Document, decode, digest
from packtrain.documents.parties import Parties
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Clause, UndisturbedRun
from packtrain.documents.shipment import Shipment
from packtrain.errors import PacktrainError, RehearsalFailed
from packtrain.events import Sink
from packtrain.ports import Drive, Engine, Store
from packtrain.record.folder import read_signature
from packtrain.record.trust import Trust
from packtrain.training import checks, rehearsal_job
from packtrain.training.event_relay import write_events
from packtrain.training.rehearsal import STAGE, RehearsalRuns, run_rehearsal
from packtrain.training.rehearsal_job import RehearsalJob, RehearsalResult
from packtrain.units import counted, format_bytes
from packtrain.volume.discover import Expected, discover
from packtrain.volume.reader import load_shipment

_TOLD_VERSIONS: Final = ("torch", "numpy")
D = TypeVar("D", bound=Document)


def rehearse_inside(
    job_path: Path,
    *,
    open_drive: Callable[[Path], Drive],
    open_store: Callable[[Path], Store],
    engine: Engine,
    sink: Sink,
) -> None:
    """Do the inner half: load the miniature, run the program under each fault, write RESULT.json beside the job.

    What fails breaks a clause of the result; nothing is raised for it.

    Raises:
        RehearsalFailed: the job cannot be read.
    """
    job = rehearsal_job.read(job_path, RehearsalJob)
    sink = write_events(job_path.with_name(rehearsal_job.EVENTS), sink)
    store = open_store(Path(job.store))
    measurements: dict[str, float] = {}
    clauses: list[Clause] = []
    weights: str | None = None
    num_steps = 0
    undisturbed: UndisturbedRun | None = None
    try:
        clauses.append(_load(job, open_drive, store, measurements, sink))
    except PacktrainError as error:
        clauses.append(checks.broken(checks.READS_DRIVES, error.message))
    else:
        shown = run_rehearsal(
            RehearsalRuns(
                python=Path(sys.executable),
                program_folder=_copy_of(Path(job.program), Path(job.runs)),
                command=job.command,
                data=Path(job.store),
                folder=Path(job.runs),
                logs=Path(job.logs),
                num_workers=job.num_workers,
                num_steps=job.num_steps,
                stall_seconds=job.stall_seconds,
                is_boxed=job.is_boxed,
                with_hang=job.with_hang,
            ),
            engine,
            sink,
        )
        clauses += shown.clauses
        weights, num_steps = (shown.weights.sha256 if shown.weights else None), shown.num_steps
        measurements |= shown.measurements
        undisturbed = shown.undisturbed
    result = RehearsalResult(
        clauses=tuple(clauses),
        weights=weights,
        num_steps=num_steps,
        measurements=measurements,
        versions=_versions(),
        undisturbed=undisturbed,
    )
    rehearsal_job.write(job_path.with_name(rehearsal_job.RESULT), result)


def _versions() -> dict[str, str]:
    found = {"python": python_version()}
    for name in _TOLD_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _copy_of(program: Path, runs: Path) -> Path:
    """Return a copy to run: Python writes caches beside modules, and a program may write anything beside itself."""
    copy = runs / "program"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(program, copy)
    return copy


def _load(
    job: RehearsalJob, open_drive: Callable[[Path], Drive], store: Store, measurements: dict[str, float], sink: Sink
) -> Clause:
    """Load the miniature as the site will load the cargo, from the drives that are left."""
    trust = Trust(decode(Parties, Path(job.parties).read_bytes(), job.parties))
    plan = _open_signed(trust, Plan, Path(job.plan))
    shipment = _open_signed(trust, Shipment, Path(job.shipment))
    if plan.purpose != "rehearsal" or plan.byte_cap is None or shipment.plaintext_bytes > plan.byte_cap:
        raise RehearsalFailed("shipment is no rehearsal, or holds more than its cap", where=job.plan)
    started = time.monotonic()
    fleet = discover([open_drive(Path(path)) for path in job.drives], trust, Expected(plan, digest(plan), shipment))
    loaded = load_shipment(
        plan,
        fleet.groups,
        fleet.shipment,
        fleet.mounted,
        Path(job.identity).read_text(encoding="ascii").strip(),
        store,
        Path(job.journal),
        sink,
        stage=STAGE,
        no_more=True,
        damage=fleet.damage,
    )
    measurements["load_seconds"] = round(time.monotonic() - started, 3)
    measurements["miniature_bytes"] = float(loaded.bytes)
    # Of a small load, most of which is starting: the site's drives are faster than this, not slower.
    measurements["load_bytes_per_second"] = round(loaded.bytes / max(measurements["load_seconds"], 1e-3), 1)
    mended = f"{counted(loaded.blocks_repaired, 'block')} repaired, {counted(loaded.volumes_rebuilt, 'volume')} rebuilt"
    if not loaded.damage or not loaded.drives_lost:
        return checks.broken(checks.READS_DRIVES, f"the damage that was made was not found: {mended}")
    return checks.kept(
        checks.READS_DRIVES,
        f"{loaded.files} files, {format_bytes(loaded.bytes)}; lost: {', '.join(loaded.drives_lost)}; {mended}",
    )


def _open_signed(trust: Trust, kind: type[D], path: Path) -> D:
    return trust.open(kind, path.read_bytes(), read_signature(path.with_name(path.name + ".sig")), str(path))
