"""write_shipment: from a signed plan and a list of files to closed drives.

The way: list the cargo and decide what goes where; look at all drives; make them ready; write each group stripe by
stripe; close each group's drives; sign shipment.json. Every step can be killed: called again with the same plan it goes
on, and called again when all is done it checks the closing records and returns the same.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto.age import ciphertext_bytes
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.errors import DriveFull, DriveMissing, NothingToCarry, SourceChanged
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Drive, Signer
from packtrain.record.receipts import instant
from packtrain.units import MIB, format_bytes
from packtrain.volume import layout, tar
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.block_list import LINE_BYTES, num_blocks
from packtrain.volume.cargo import CargoEntry, digest_record, refuse_names_no_reader_takes
from packtrain.volume.closing import ExtraFiles, GroupCloser
from packtrain.volume.formatting import (
    DriveFound,
    inspect_drive,
    prepare_drive,
    refuse_duplicates,
    refuse_lost_journal,
)
from packtrain.volume.journal import Journal
from packtrain.volume.stripes import StripeWriter

# Documents, manifests and the file system's own records on each drive, beside what is counted exactly.
_OVERHEAD_BYTES: Final = 2 * MIB
# An entry in the catalog without its path: ids, digest, offsets, two indexes.
_CATALOG_ROW_BYTES: Final = 400
_PROGRESS_SECONDS: Final = 0.2
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class SignedGroup:
    """One group document as it lies on its drives."""

    group: Group
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ShipmentWritten:
    """What `write_shipment` wrote.

    Attributes:
        shipment, payload, signature: shipment.json, its bytes and its signature.
        groups: every group.json.
        num_files: entries of the cargo (files, links, empty directories).
        num_volumes: files in the data folders of all drives.
        plaintext_bytes, stored_bytes: bytes of the files; bytes of all volumes, parity included.
        readback: how volumes were read back -> how many of them.
    """

    shipment: Shipment
    payload: bytes
    signature: bytes
    groups: tuple[SignedGroup, ...]
    num_files: int
    num_volumes: int
    num_stripes: int
    plaintext_bytes: int
    stored_bytes: int
    readback: Mapping[str, int]


def write_shipment(
    plan: Plan,
    plan_files: tuple[bytes, bytes],
    cargo: Iterable[CargoEntry],
    drives: Mapping[str, Drive],
    signer: Signer,
    journal_folder: Path,
    extra_files: Mapping[str, ExtraFiles],
    sink: Sink,
    *,
    stage: str = "pack",
    on_prepared: Callable[[], None] | None = None,
) -> ShipmentWritten:
    """Write the cargo on the drives and close them.

    Args:
        plan: the signed plan.
        plan_files: plan.json's bytes and its signature.
        cargo: what is carried, the same list in the same order as the plan's digest was made of. Read once at most.
        drives: every drive of the plan, by its UUID there.
        signer: the consignor's.
        journal_folder: of this attempt alone, on this machine; holds names in the clear.
        extra_files: for each drive UUID, further files by name ("packtrain/ready.json", "packtrain/kit/...").
        sink: gets the progress.
        stage: the verb that events name.
        on_prepared: called once all drives are formatted (or found so), before the first volume.

    Raises:
        NothingToCarry: the cargo is empty.
        DriveMissing, DuplicateDrive, ForeignDrive: before anything is written.
        DriveInUse: the same, where a drive is closed and this journal does not know it.
        DriveFull: before anything is written where it can be known, else when a drive is full.
        DriveFailed: a drive cannot be read or written, or returned other bytes than were written.
        SourceUnreadable: a source cannot be listed or read.
        SourceChanged: sources changed since they were listed; all was written, nothing is closed.
    """
    assert encode(plan) == plan_files[0], "the plan and its bytes differ"
    missing = [planned for planned in plan.drives if planned.uuid not in drives]
    if missing:
        raise DriveMissing(
            f"{len(missing)} of {len(plan.drives)} drives are not mounted",
            found="missing " + ", ".join(planned.label for planned in missing[:_LISTED]),
            hint="mount them and run the same command again",
        )
    drives = {planned.uuid: drives[planned.uuid] for planned in plan.drives}
    refuse_duplicates(drives)
    found = {uuid: inspect_drive(drive, plan, plan_files[0], uuid, signer) for uuid, drive in drives.items()}
    with Journal(journal_folder) as journal:
        plan_digest = sha256_bytes(plan_files[0])
        assert journal.keep_fact("plan", plan_digest) == plan_digest, "the journal is another attempt's"
        for uuid, drive in drives.items():
            refuse_lost_journal(drive, found[uuid], uuid, journal)
        if not journal.has_list():
            _write_list(plan, cargo, drives, found, journal)
        if journal.fact("room checked") is None:
            _check_room(plan, drives, found, extra_files, journal)
            journal.keep_fact("room checked", "1")
        for uuid, drive in drives.items():
            if found[uuid].state == "earlier attempt":
                sink(Notice(stage, f"{drive.location}: an earlier attempt of this shipment is cleared from the drive"))
            prepare_drive(drive, found[uuid], plan, plan_files, uuid, signer, journal)
        if on_prepared is not None:
            on_prepared()
        _write_stripes(plan, drives, journal, sink, stage)
        _refuse_changed(journal)
        groups = tuple(
            SignedGroup(
                *GroupCloser(plan, plan_files, group, _of_group(group, drives), signer, journal, extra_files).close()
            )
            for group in plan.groups
        )
        return _sign_shipment(plan, plan_files[0], drives, groups, signer, journal)


def _write_list(
    plan: Plan,
    cargo: Iterable[CargoEntry],
    drives: Mapping[str, Drive],
    found: Mapping[str, DriveFound],
    journal: Journal,
) -> None:
    """Decide for every entry where it goes, and keep that in the journal."""
    entries = list(cargo)
    if not entries:
        raise NothingToCarry("there is nothing to pack", hint='run "packtrain prepare" first, and look at its rejects')
    refuse_names_no_reader_takes(entries, plan.volume_target_bytes)
    state = hashlib.sha256()

    def counted() -> Iterator[CargoEntry]:
        for entry in entries:
            state.update(digest_record(entry))
            yield entry

    shares = [
        GroupShare(group.k, group.k * min(drives[uuid].free_bytes() + found[uuid].held_bytes for uuid in group.drives))
        for group in plan.groups
    ]
    total_bytes = sum(entry.size_bytes for entry in entries)
    journal.write_list(assign(counted(), shares, total_bytes, plan.volume_target_bytes), {})
    assert state.hexdigest() == plan.cargo, "the cargo is not the one that the plan names"


def _check_room(
    plan: Plan,
    drives: Mapping[str, Drive],
    found: Mapping[str, DriveFound],
    extra_files: Mapping[str, ExtraFiles],
    journal: Journal,
) -> None:
    wanted: dict[str, int] = {}
    for group in plan.groups:
        num_drives = len(group.drives)
        needed = [0] * num_drives
        for stripe in range(journal.num_stripes(group.group)):
            for column, size_bytes in _volume_sizes(group, stripe, journal).items():
                needed[layout.drive_of(stripe, column, num_drives)] += size_bytes + num_blocks(size_bytes) * LINE_BYTES
        num_files, _ = journal.totals(group.group)
        for uuid, volume_bytes in zip(group.drives, needed, strict=True):
            extra_bytes = sum(
                len(source) if isinstance(source, bytes) else source.stat().st_size
                for source in extra_files.get(uuid, {}).values()
            )
            wanted[uuid] = volume_bytes + extra_bytes + num_files * _CATALOG_ROW_BYTES + _OVERHEAD_BYTES
    for members in _by_medium(drives):
        wanted_bytes = sum(wanted[uuid] for uuid in members)
        held_bytes = sum(found[uuid].held_bytes for uuid in members)
        room_bytes = drives[members[0]].free_bytes() + held_bytes
        if wanted_bytes > room_bytes:
            labels = ", ".join(planned.label for planned in plan.drives if planned.uuid in members)
            raise DriveFull(
                f"drive {labels} is too small for its part of the cargo; nothing was written",
                where=drives[members[0]].location,
                expected=f"{format_bytes(wanted_bytes)} free",
                found=format_bytes(room_bytes),
                hint="give larger or more drives in voyage.toml, then plan and pack again",
            )


def _by_medium(drives: Mapping[str, Drive]) -> list[list[str]]:
    """Return the drives, those that lie on one file system together: folders that play drives share its space."""
    members: dict[int | str, list[str]] = {}
    for uuid, drive in drives.items():
        try:
            medium: int | str = Path(drive.location).stat().st_dev
        except OSError:
            medium = uuid
        members.setdefault(medium, []).append(uuid)
    return list(members.values())


def _volume_sizes(group: PlannedGroup, stripe: int, journal: Journal) -> dict[int, int]:
    """Return the exact length of every volume of a stripe, by column."""
    sizes = {
        column: ciphertext_bytes(tar.padded_bytes(end) + len(tar.END_OF_ARCHIVE))
        for column, end in journal.tar_bytes(group.group, stripe).items()
    }
    longest = max(sizes.values())
    return sizes | dict.fromkeys(range(group.k, group.k + group.m), longest)


class _Meter:
    """Adds up bytes from several threads and tells the sink, not too often."""

    def __init__(self, sink: Sink, stage: str, total_bytes: int, total_stripes: int) -> None:
        self._sink = sink
        self._stage = stage
        self._total_bytes = total_bytes
        self._total_stripes = total_stripes
        self._done_bytes = 0
        self._done_stripes = 0
        self._told = 0.0
        self._lock = threading.Lock()

    def add_bytes(self, count: int) -> None:
        with self._lock:
            self._done_bytes += count
            now = time.monotonic()
            if now - self._told < _PROGRESS_SECONDS:
                return
            self._told = now
            self._tell()

    def end_stripe(self, total_bytes: int) -> None:
        """Count a stripe as done; `total_bytes` is the exact sum so far, so that a rewritten stripe counts once."""
        with self._lock:
            self._done_stripes += 1
            self._done_bytes = total_bytes
            self._tell()

    def _tell(self) -> None:
        self._sink(
            Progress(
                self._stage,
                "writing volumes",
                done_bytes=self._done_bytes,
                total_bytes=self._total_bytes,
                done_items=self._done_stripes,
                total_items=self._total_stripes,
                unit="stripes",
            )
        )


def _write_stripes(plan: Plan, drives: Mapping[str, Drive], journal: Journal, sink: Sink, stage: str) -> None:
    stripes = {group.group: journal.num_stripes(group.group) for group in plan.groups}
    total_bytes = sum(
        sum(_volume_sizes(group, stripe, journal).values())
        for group in plan.groups
        for stripe in range(stripes[group.group])
    )
    meter = _Meter(sink, stage, total_bytes, sum(stripes.values()))
    done_bytes = 0
    for group in plan.groups:
        members = [drives[uuid] for uuid in group.drives]
        with StripeWriter(group.group, group.k, group.m, members, plan.recipient, journal, meter.add_bytes) as writer:
            for stripe in range(stripes[group.group]):
                if not writer.is_finished(stripe):
                    journal.forget_stripe(group.group, stripe)
                    writer.write(stripe)
                done_bytes += sum(_volume_sizes(group, stripe, journal).values())
                meter.end_stripe(done_bytes)


def _refuse_changed(journal: Journal) -> None:
    total, first = journal.changed_files(_LISTED)
    if total:
        named = "; ".join(f"{path.decode('utf-8', 'backslashreplace')}: {how}" for path, how in first)
        raise SourceChanged(
            f"{total} sources changed while they were packed: {named}" + ("; ..." if total > len(first) else ""),
            hint="let them rest, or pack a snapshot; what a stage wrote and is damaged now, remove, and run that stage "
            "again; the next run packs anew, as another attempt",
        )


def _of_group(group: PlannedGroup, drives: Mapping[str, Drive]) -> dict[str, Drive]:
    return {uuid: drives[uuid] for uuid in group.drives}


def _sign_shipment(
    plan: Plan,
    plan_payload: bytes,
    drives: Mapping[str, Drive],
    groups: tuple[SignedGroup, ...],
    signer: Signer,
    journal: Journal,
) -> ShipmentWritten:
    """Sign shipment.json and write it on all drives: nothing of a drive changes after it but these two files."""
    volumes = [volume for signed in groups for volume in signed.group.volumes if volume.bytes]
    stored_bytes = sum(volume.bytes for volume in volumes)
    num_files = sum(signed.group.num_files for signed in groups)
    plaintext_bytes = sum(signed.group.plaintext_bytes for signed in groups)
    shipped: list[ShippedDrive] = []
    last_closed = ""
    for planned in plan.drives:
        record_payload = journal.drive_fact(planned.uuid, "record")
        assert record_payload is not None, "all drives are closed before the shipment is signed"
        record = decode(DriveDocument, record_payload, layout.DRIVE)
        last_closed = max(last_closed, record.closed)
        shipped.append(
            ShippedDrive(
                uuid=record.uuid,
                label=record.label,
                serial=record.serial,
                case=record.case,
                group=record.group,
                record=sha256_bytes(record_payload),
            )
        )
    shipment = Shipment(
        shipment=plan.shipment,
        attempt=plan.attempt,
        purpose=plan.purpose,
        plan=sha256_bytes(plan_payload),
        groups=tuple(ShippedGroup(group=signed.group.group, record=sha256_bytes(signed.payload)) for signed in groups),
        drives=tuple(shipped),
        num_files=num_files,
        plaintext_bytes=plaintext_bytes,
        stored_bytes=stored_bytes,
        # The time of the last closing record, not of now: signed again after a crash it must be the same document.
        closed=last_closed or instant(),
    )
    payload = encode(shipment)
    signature = signer.sign(namespace(Shipment), payload).encode("ascii")
    for drive in drives.values():
        for name, content in ((layout.SHIPMENT, payload), (layout.SHIPMENT + layout.SIGNATURE_SUFFIX, signature)):
            if drive.size_bytes(name) != len(content) or drive.read_bytes(name, len(content)) != content:
                drive.write_bytes(name, content)
    return ShipmentWritten(
        shipment=shipment,
        payload=payload,
        signature=signature,
        groups=groups,
        num_files=num_files,
        num_volumes=len(volumes),
        num_stripes=sum(signed.group.num_stripes for signed in groups),
        plaintext_bytes=plaintext_bytes,
        stored_bytes=stored_bytes,
        readback=dict(Counter(volume.readback for volume in volumes)),
    )
