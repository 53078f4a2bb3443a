"""drives sanitise: one drive of this shipment, known as such before the first write, erased and read back, and signed.

Where a run is stands in work/sanitise/<UUID of the drive>/run.json, from before its first write until a signed record
says that the drive is empty. The device bears the run's mark until all else is empty, so that the two find each other.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from packtrain import __version__, durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.sanitised import keep_sanitisation, newest_of_each, read_sanitisations
from packtrain.documents.codec import Instant
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.drive import unread_serial
from packtrain.documents.parties import Role
from packtrain.documents.sanitisation import (
    NOT_SANITISED,
    Method,
    ReadBack,
    Sanitisation,
    SanitisedDevice,
    SanitisingStep,
    shown_result,
)
from packtrain.documents.shipment import Shipment, ShippedDrive
from packtrain.errors import ForeignDrive, NotEmpty, SanitisingFailed
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.stages.close.erased import STAGE, note_erased
from packtrain.stages.close.gate import refuse_open_voyage
from packtrain.stages.close.limits import limits_of

_FOLDER: Final = "sanitise"
_RUN: Final = "run.json"
_MOST_RUNS: Final = 4096
_CLOCK_SECONDS: Final = 2.0
ApproveErasure = Callable[[str, Sequence[str]], None]
"""Is shown the drive's label and what it is; raises where that was not meant."""


class Target(Protocol):
    """What `devices.sanitise` offers: a drive or a folder, looked at and not touched."""

    device: SanitisedDevice
    record: bytes | None
    signature: bytes | None
    headers: tuple[tuple[int, bytes], ...]
    mark: str | None
    is_blank: bool
    told: tuple[str, ...]

    def refuse_unable(self, method: Method) -> None:
        """Refuse a method that it does not take."""
        ...

    def erase(
        self,
        nonce: str,
        method: Method,
        how: Literal["sample", "full"],
        headers: Sequence[tuple[int, bytes]],
        done_bytes: int,
        save: Callable[[int], None],
        head_goes: Callable[[], None],
        sink: Sink,
    ) -> tuple[tuple[SanitisingStep, ...], ReadBack | None]:
        """Erase and read back."""
        ...


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run: which drive on which device, how, and how far.

    Attributes:
        nonce: stands in the mark.
        headers: offset and first bytes of volumes, in hex, as they were before the first write.
        done_bytes: up to where `overwrite` is flushed.
        read_back: whether a sample or all is read back.
        head_gone: whether the mark may be gone from the device. Until then it bears it, and a blank one is another.
    """

    nonce: str
    shipment: str
    by: Role
    person: str
    drive: str
    label: str
    shipped_serial: str
    known_by: Literal["closing record", "serial number"]
    device: SanitisedDevice
    method: Method
    read_back: Literal["sample", "full"]
    headers: tuple[tuple[int, str], ...]
    started: Instant
    done_bytes: int = 0
    head_gone: bool = False

    def places(self) -> list[tuple[int, bytes]]:
        """Return the beginnings of volumes as bytes."""
        return [(offset, bytes.fromhex(text)) for offset, text in self.headers]


def begin(
    folder: VoyageFolder,
    target: Target,
    approve: ApproveErasure,
    *,
    person: str,
    method: Method,
    read_back: Literal["sample", "full"],
    without_results: bool = False,
) -> Run:
    """Return the run that erases a target, once all allows it and a person has said so; nothing is written to it.

    Args:
        folder: the voyage folder of any party.
        target: what is to be erased.
        approve: asks.
        person: who does it.
        method: how.
        read_back: a sample, or every byte.
        without_results: erase though nothing came home.

    Raises:
        ClosingRefused: see `refuse_open_voyage`.
        ForeignDrive: it is not a drive of this shipment, or nothing shows that it is one.
        SignatureMissing, SignatureInvalid, UntrustedSigner: of the closing record on it.
        SanitisingFailed: the device does not take this method, or the clock stands before the drive's last record.
    """
    refuse_open_voyage(folder, without_results=without_results)
    shipment = folder.read_signed(Shipment)
    target.refuse_unable(method)
    before = _run_of(folder, target)
    drive, known_by = (
        (_shipped(shipment, before.drive, target), before.known_by)
        if before is not None
        else _recognised(folder, shipment, target)
    )
    approve(drive.label, target.told)
    _wait_for_a_later_time(folder, drive.uuid)
    goes_on = before is not None and before.method == method == "overwrite" and target.mark == before.nonce
    headers = before.headers if before is not None else tuple((at, text.hex()) for at, text in target.headers)
    run = Run(
        nonce=before.nonce if before is not None else secrets.token_hex(16),
        shipment=shipment.shipment,
        by=folder.voyage_file().voyage.role,
        person=person,
        drive=drive.uuid,
        label=drive.label,
        shipped_serial=drive.serial,
        known_by=known_by,
        device=target.device,
        method=method,
        read_back=read_back,
        headers=headers,
        started=before.started if before is not None and goes_on else instant(),
        done_bytes=before.done_bytes if before is not None and goes_on else 0,
        head_gone=before is not None and target.mark is None,
    )
    _save_run(folder, run)
    return run


def _wait_for_a_later_time(folder: VoyageFolder, drive: str) -> None:
    """Return once a record of now is newer than the drive's last: times are whole seconds, and the newest holds."""
    last = newest_of_each(read_sanitisations(folder)).get(drive)
    until = time.monotonic() + _CLOCK_SECONDS
    while last is not None and (now := instant()) <= last.record.finished:
        if time.monotonic() > until:
            raise SanitisingFailed(
                "the clock of this machine stands before the last sanitisation of this drive",
                where=last.record.label,
                expected=f"later than {last.record.finished}",
                found=now,
                hint="set the clock: the newest record says what holds",
            )
        time.sleep(0.05)


def erase(
    folder: VoyageFolder, run: Run, target: Target, sink: Sink
) -> tuple[tuple[SanitisingStep, ...], ReadBack | None]:
    """Erase a target and read it back; return what ran and what was seen. The folder's lock is not needed for it.

    Raises:
        VoyageLocked: another process erases this very drive.
        DriveInUse, DriveFailed: of the device.
    """

    def save(done_bytes: int) -> None:
        # From the first call on the device bears the mark.
        _save_run(folder, msgspec.structs.replace(run, done_bytes=done_bytes, head_gone=False))

    def head_goes() -> None:
        _save_run(folder, msgspec.structs.replace(run, head_gone=True))

    with durable.lock_folder(_place(folder, run.drive)):
        return target.erase(run.nonce, run.method, run.read_back, run.places(), run.done_bytes, save, head_goes, sink)


def finish(
    folder: VoyageFolder, run: Run, steps: tuple[SanitisingStep, ...], read_back: ReadBack | None, sink: Sink
) -> Sanitisation:
    """Sign what ran and what was seen, and note it in the custody log; return the record.

    A drive that is not empty keeps its run, so that another method can be tried.
    """
    result, why = shown_result(run.method, run.device, steps, read_back)
    record = Sanitisation(
        shipment=run.shipment,
        by=run.by,
        person=run.person,
        drive=run.drive,
        label=run.label,
        shipped_serial=run.shipped_serial,
        known_by=run.known_by,
        device=run.device,
        method=run.method,
        steps=steps,
        read_back=read_back,
        result=result,
        why=why,
        limits=limits_of(run.method, run.device, read_back, run.known_by),
        started=run.started,
        finished=max((run.started, *(step.finished for step in steps))),
        software=f"packtrain {__version__}",
    )
    digest = keep_sanitisation(folder, record, folder.signer())
    note_erased(folder, sink)
    if result != NOT_SANITISED or run.method == "files removed":
        shutil.rmtree(_place(folder, run.drive), ignore_errors=True)
    else:
        # Whether the mark went too, the run has noted itself.
        _save_run(folder, msgspec.structs.replace(_read_run(_place(folder, run.drive) / _RUN), done_bytes=0))
    said = f"{run.label}: {result}" + (f": {why}" if why else "")
    sink(Notice(STAGE, f"{said}; signed as {digest[:12]}", is_warning=result == NOT_SANITISED))
    return record


def refuse_failed(record: Sanitisation) -> None:
    """Raise where a drive was to be sanitised and is not: `NotEmpty` where data was seen, else `SanitisingFailed`."""
    if record.result != NOT_SANITISED or record.method == "files removed":
        return
    ran = all(step.succeeded for step in record.steps)
    if ran and record.read_back is not None and not record.read_back.is_empty:
        first = record.read_back.first_fault
        raise NotEmpty(
            f"drive {record.label} is not empty: the command said that it succeeded, and data is still read back",
            where=record.device.id,
            expected="one fill byte everywhere",
            found=f"{record.read_back.num_faults} blocks that are not, the first at byte {first.offset}: {first.found}"
            if first is not None
            else f"fill {record.read_back.pattern or 'of several bytes'}",
            hint="the signed record says: not sanitised. Try --method overwrite, the maker's tool, or destroy it",
        )
    raise SanitisingFailed(
        f"drive {record.label} is not sanitised: {record.why}"[:2000],
        where=record.device.id,
        hint="the signed record says so; run it again with another --method (overwrite works on every device that "
        "takes writes), with the maker's tool, or destroy the drive",
    )


def _save_run(folder: VoyageFolder, run: Run) -> None:
    """Write down where a run is."""
    durable.write_bytes(_place(folder, run.drive) / _RUN, msgspec.json.encode(run))


def _read_run(path: Path) -> Run:
    return msgspec.json.decode(path.read_bytes(), type=Run)


def _place(folder: VoyageFolder, drive: str) -> Path:
    return folder.work / _FOLDER / drive


def _run_of(folder: VoyageFolder, target: Target) -> Run | None:
    """Return the run that was cut off on this very device; None where none was."""
    for path in sorted((folder.work / _FOLDER).glob(f"*/{_RUN}"))[:_MOST_RUNS]:
        run = _read_run(path)
        same = run.device == target.device
        # Cut off between the last write and the signature there is no mark any more: then all the rest must agree.
        was_wiped = run.head_gone and target.mark is None and target.is_blank
        if target.mark == run.nonce or (was_wiped and same):
            return run
    return None


def _recognised(
    folder: VoyageFolder, shipment: Shipment, target: Target
) -> tuple[ShippedDrive, Literal["closing record", "serial number"]]:
    where = target.device.id
    if target.record is not None:
        record = folder.trust().open(DriveRecord, target.record, target.signature, f"{where}: drive.json")
        drive = next((drive for drive in shipment.drives if drive.uuid == record.uuid), None)
        if drive is None or record.shipment != shipment.shipment or drive.record != sha256_bytes(target.record):
            raise ForeignDrive(
                "the closing record on this drive is not one of this shipment",
                where=where,
                expected=f"a drive of shipment {shipment.shipment}",
                found=f"drive {record.label} of shipment {record.shipment}, attempt {record.attempt}",
                hint="only drives of this voyage's shipment are erased from its folder",
            )
        return _shipped(shipment, drive.uuid, target), "closing record"
    serial = target.device.serial
    same = [drive for drive in shipment.drives if serial is not None and drive.serial == serial]
    if len(same) == 1:
        return same[0], "serial number"
    raise ForeignDrive(
        "nothing shows that this is a drive of this shipment",
        where=where,
        expected="the signed closing record of a drive on it, or a serial number that the shipment names",
        found=f"{'nothing in its first bytes' if target.is_blank else 'no closing record that can be read'}; serial "
        f"number {serial or 'none of its own'}",
        hint='"packtrain drives" tells what lies on it. A blank drive is never called sanitised: it may be any',
    )


def _shipped(shipment: Shipment, uuid: str, target: Target) -> ShippedDrive:
    drive = next((drive for drive in shipment.drives if drive.uuid == uuid), None)
    if drive is None:
        raise ForeignDrive("the run that was cut off here is of another shipment", where=target.device.id)
    known = drive.serial if drive.serial != unread_serial(drive.uuid) else None
    if known is not None and target.device.serial not in (None, known):
        raise ForeignDrive(
            f"the closing record of drive {drive.label} lies on another drive than it was packed on",
            where=target.device.id,
            expected=f"serial number {known}",
            found=f"serial number {target.device.serial}",
            hint="somebody copied it; find the drive that the shipment names",
        )
    return drive
