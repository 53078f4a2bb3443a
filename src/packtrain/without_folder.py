"""What runs without a voyage folder of one's own: drives by what lies on them, an audit, and half of a rehearsal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packtrain.devices.watched import DriveWatch
from packtrain.drives import DriveOpener, open_drive, open_drives
from packtrain.events import Sink

if TYPE_CHECKING:
    from packtrain.diligence.audit.answers import Audit
    from packtrain.documents.measurement import Measurement
    from packtrain.ports import Drive
    from packtrain.stages.check import CheckReport, RepairReport
    from packtrain.stages.measure import Wishes


def check_drives(drives: Sequence[Path], sink: Sink) -> CheckReport:
    """Verify drives with nothing but what lies on them: no voyage folder, no parties.json, no key."""
    from packtrain.stages import check

    watch = DriveWatch(sink)
    return check.check(None, open_drives(drives, _watched_opener(watch)), watch)


def repair_drives(drives: Sequence[Path], onto: tuple[str, Path] | None, sink: Sink) -> RepairReport:
    """Repair drives with nothing but what lies on them; no signature is checked, and the report says so."""
    from packtrain.stages import check

    watch = DriveWatch(sink)
    opener = _watched_opener(watch)
    spare = (onto[0], opener(onto[1])) if onto is not None else None
    return check.repair(None, open_drives(drives, opener), watch, onto=spare)


def _watched_opener(watch: DriveWatch) -> Callable[[Path], Drive]:
    opener = DriveOpener(watch)
    return lambda path: watch.watched(opener(path))


def audit_record(record: Path, *, parties: Path | None, voyage: Path | None, page: Path | None) -> Audit:
    """Return the audit of a voyage folder or a dossier; write it to `page` as HTML too, where that is given.

    Raises:
        DossierError: `record` is neither; or the page would lie in it.
        SourceUnreadable, DocumentError, KeyMalformed, NotAVoyage: see `audit_folder`.
    """
    from packtrain.diligence.audit.opening import audit_folder
    from packtrain.report.audit_page import write_audit_page

    found = audit_folder(record, parties=parties, voyage=voyage)
    if page is not None:
        write_audit_page(found, page)
    return found


def measure_here(wishes: Wishes, sink: Sink) -> Measurement:
    """Measure this machine and the drives that are named; no voyage folder is read or written."""
    from packtrain.measuring import measure_for

    return measure_for(None, wishes, DriveOpener(sink), sink)


def preview_measuring(wishes: Wishes, sink: Sink) -> dict[str, Any]:
    """Return what would be measured, as plain values; nothing is written."""
    from packtrain.measuring import preview_for

    return preview_for(None, wishes, DriveOpener(sink), sink)


def boxed(job: Path, sink: Sink) -> None:
    """Run the inner half of a rehearsal: the hidden command that the kit's own Python starts in the box."""
    from packtrain.engines.local import LocalEngine
    from packtrain.stages import rehearse
    from packtrain.stores.folder import FolderStore

    rehearse.rehearse_inside(job, open_drive=open_drive, open_store=FolderStore, engine=LocalEngine(), sink=sink)


def run_units(folder: Path, number: int) -> None:
    """Do the jobs of one lot of an array: the hidden command that Slurm starts."""
    import socket

    from packtrain.engines.job_lots import lot_path, run_lot

    run_lot(lot_path(folder, number), socket.gethostname())


def run_attempt(folder: Path, token: str) -> int:
    """Run the next attempt of a training job: the hidden command of its batch script. Return the job's exit code."""
    from packtrain.engines.slurm_batch import run_attempt

    return run_attempt(folder, token)


def run_workers(folder: Path, attempt: int) -> None:
    """Run the workers of this host in one attempt of a training job: the hidden command that srun starts."""
    from packtrain.engines.slurm_task import run_task

    run_task(folder, attempt)
