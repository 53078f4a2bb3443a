"""Closing a group and its drives: catalog, group.json, the bag, and last the signed closing record of each drive."""

from __future__ import annotations

import hashlib
import mmap
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto import age
from packtrain.digest import BLOCK_BYTES, block_hash, sha256_bytes, sha256_file
from packtrain.documents.codec import encode, namespace
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.errors import DriveFailed, ForeignDrive
from packtrain.ports import Drive, DriveReader, Signer
from packtrain.record.receipts import instant
from packtrain.units import MIB
from packtrain.volume import bag, layout
from packtrain.volume.block_list import LINE_BYTES, num_blocks
from packtrain.volume.formatting import custody_line, unexpected_names
from packtrain.volume.journal import Journal, WrittenVolume

SPOT_BLOCKS: Final = 16
_MAX_RECORD_BYTES: Final = 1 << 20
_MAX_THREADS: Final = 64
_SIG: Final = layout.SIGNATURE_SUFFIX
# What the journal keeps of a drive's further files: their names (also of earlier ones), and a digest of the last.
_EXTRA_NAMES: Final = "extra names"
_EXTRA: Final = "extra"

ExtraFiles = Mapping[str, Path | bytes]


class GroupCloser:
    """Closes one group whose stripes are all finished.

    Args:
        plan, plan_files: the plan, its bytes and its signature.
        group: the group in the plan.
        drives: its drives by UUID.
        signer: the consignor's.
        journal: of this attempt.
        extra_files: for each drive, further files below packtrain/ (kit, ready.json).
    """

    def __init__(
        self,
        plan: Plan,
        plan_files: tuple[bytes, bytes],
        group: PlannedGroup,
        drives: Mapping[str, Drive],
        signer: Signer,
        journal: Journal,
        extra_files: Mapping[str, ExtraFiles],
    ) -> None:
        self._plan = plan
        self._plan_payload, self._plan_signature = plan_files
        self._group = group
        self._drives = drives
        self._signer = signer
        self._journal = journal
        self._extra_files = extra_files
        self._volumes = list(journal.written(group.group))

    def close(self) -> tuple[Group, bytes, bytes]:
        """Close the group on all its drives; return group.json, its bytes and its signature.

        Drives that are closed already, with the same further files, are left as they are.

        Raises:
            DriveFailed: a drive cannot be read or written, or a spot check found other bytes than were written.
            DriveFull: no space is left.
            ForeignDrive: somebody put a file on a drive meanwhile.
        """
        catalog_path = self._catalog()
        catalog = Catalog(bytes=catalog_path.stat().st_size, sha256=sha256_file(catalog_path))
        num_files, plaintext_bytes = self._journal.totals(self._group.group)
        group = Group(
            shipment=self._plan.shipment,
            attempt=self._plan.attempt,
            plan=sha256_bytes(self._plan_payload),
            group=self._group.group,
            k=self._group.k,
            m=self._group.m,
            drives=self._group.drives,
            num_stripes=self._journal.num_stripes(self._group.group),
            volumes=tuple(self._volume(volume) for volume in self._volumes),
            catalog=catalog,
            num_files=num_files,
            plaintext_bytes=plaintext_bytes,
        )
        payload = encode(group)
        signature = self._signer.sign(namespace(Group), payload).encode("ascii")
        with ThreadPoolExecutor(min(len(self._drives), _MAX_THREADS)) as pool:
            running = [
                pool.submit(self._close_drive, uuid, payload, signature, catalog_path, catalog)
                for uuid in self._group.drives
            ]
            wait(running)
            for done in running:
                done.result()
        return group, payload, signature

    def _volume(self, volume: WrittenVolume) -> Volume:
        return Volume(
            stripe=volume.stripe,
            column=volume.column,
            drive=self._group.drives[layout.drive_of(volume.stripe, volume.column, len(self._group.drives))],
            bytes=volume.bytes,
            sha256=volume.sha256,
            blocks_sha256=volume.blocks_sha256,
            readback=volume.readback,
        )

    def _catalog(self) -> Path:
        """Return the group's encrypted catalog, made once: every drive gets the same bytes, also after a crash."""
        sealed = self._journal.folder / f"catalog-{self._group.group:04d}.sqlite.age"
        if not sealed.is_file():
            plain = self._journal.folder / f"catalog-{self._group.group:04d}.sqlite"
            self._journal.write_catalog(self._group.group, plain)
            with durable.atomic_writer(sealed) as stream:
                age.encrypt_file(plain, stream, self._plan.recipient)
            plain.unlink()
        return sealed

    # --- one drive ---------------------------------------------------------------------------------------------

    def _close_drive(
        self, uuid: str, group_payload: bytes, group_signature: bytes, catalog_path: Path, catalog: Catalog
    ) -> None:
        drive = self._drives[uuid]
        extra = self._extra_files.get(uuid, {})
        if self._is_closed(uuid, drive, sha256_bytes(group_payload), _extra_digest(extra)):
            return
        self._journal.forget_drive_facts(uuid, "record", "signature")
        # While the drive is written to, it must not look closed.
        for name in (layout.DRIVE + _SIG, layout.DRIVE, layout.SHIPMENT + _SIG, layout.SHIPMENT):
            drive.remove(name)
        self._remove_old_extra(uuid, drive, extra)
        position = self._group.drives.index(uuid)
        here = [
            volume
            for volume in self._volumes
            if volume.bytes and layout.drive_of(volume.stripe, volume.column, len(self._group.drives)) == position
        ]
        payload = {layout.volume_name(v.stripe, v.column, self._group.k): v.sha256 for v in here}
        tags = {layout.blocks_name(v.stripe, v.column): v.blocks_sha256 for v in here}
        for volume in here:
            self._check_spots(drive, volume)
        _copy(drive, layout.CATALOG, catalog_path)
        tags[layout.CATALOG] = catalog.sha256
        for name, source in extra.items():
            tags[name] = _copy(drive, name, source)
        closed = instant()
        payload_bytes = sum(volume.bytes for volume in here)
        for name, content in self._tag_files(
            uuid, group_payload, group_signature, closed, payload, payload_bytes
        ).items():
            drive.write_bytes(name, content)
            tags[name] = sha256_bytes(content)
        tag_manifest = bag.manifest(tags)
        drive.write_bytes(layout.TAG_MANIFEST, tag_manifest)
        strays = unexpected_names(drive, {*payload, *tags, layout.TAG_MANIFEST})
        if strays:
            raise ForeignDrive(
                "files appeared on the drive that packtrain did not write",
                where=drive.location,
                found=", ".join(strays[:5]),
                hint="remove them, keep other programs away from the drive, and run the same command again",
            )
        self._sign_closing_record(uuid, drive, group_payload, tag_manifest, payload_bytes, len(here), closed)

    def _tag_files(
        self,
        uuid: str,
        group_payload: bytes,
        group_signature: bytes,
        closed: str,
        payload: Mapping[str, str],
        payload_bytes: int,
    ) -> dict[str, bytes]:
        """Return what is written on a drive at closing, in the order of writing."""
        planned = next(planned for planned in self._plan.drives if planned.uuid == uuid)
        custody = self._journal.drive_fact(uuid, "custody")
        assert custody is not None, "a drive is formatted before it is closed"
        return {
            layout.PLAN + _SIG: self._plan_signature,
            layout.PLAN: self._plan_payload,
            layout.GROUP: group_payload,
            layout.GROUP + _SIG: group_signature,
            layout.CUSTODY: custody_line(custody, "closed", self._plan, uuid, closed, self._signer),
            layout.SPEC: bag.spec(),
            layout.README: bag.readme(self._plan, self._group, planned),
            layout.MANIFEST: bag.manifest(payload),
            layout.BAG_INFO: bag.bag_info(self._plan, planned, payload_bytes, len(payload), closed[:10]),
            layout.BAGIT: bag.BAGIT_TXT,
        }

    def _sign_closing_record(
        self,
        uuid: str,
        drive: Drive,
        group_payload: bytes,
        tag_manifest: bytes,
        payload_bytes: int,
        num_volumes: int,
        closed: str,
    ) -> None:
        planned = next(planned for planned in self._plan.drives if planned.uuid == uuid)
        record = DriveDocument(
            shipment=self._plan.shipment,
            attempt=self._plan.attempt,
            plan=sha256_bytes(self._plan_payload),
            uuid=uuid,
            label=planned.label,
            serial=planned.serial,
            case=planned.case,
            group=self._group.group,
            group_document=sha256_bytes(group_payload),
            tagmanifest=sha256_bytes(tag_manifest),
            payload_bytes=payload_bytes,
            num_volumes=num_volumes,
            formatted=(self._journal.drive_fact(uuid, "formatted") or b"").decode("ascii"),
            closed=closed,
        )
        record_payload = encode(record)
        signature = self._signer.sign(namespace(DriveDocument), record_payload).encode("ascii")
        drive.write_bytes(layout.DRIVE, record_payload)
        drive.write_bytes(layout.DRIVE + _SIG, signature)
        self._journal.set_drive_facts(
            uuid,
            {
                "record": record_payload,
                "signature": signature,
                "group": sha256_bytes(group_payload).encode("ascii"),
                _EXTRA: _extra_digest(self._extra_files.get(uuid, {})),
            },
        )

    def _remove_old_extra(self, uuid: str, drive: Drive, extra: ExtraFiles) -> None:
        """Remove the files of an earlier kit: closed over, they would be strays."""
        known = (self._journal.drive_fact(uuid, _EXTRA_NAMES) or b"").decode("utf-8").split("\n")
        # Noted before the first of them is written, so that a crash leaves none that nobody knows.
        self._journal.set_drive_facts(uuid, {_EXTRA_NAMES: "\n".join(sorted({*known, *extra})).encode("utf-8")})
        for name in known:
            if name and name not in extra:
                drive.remove(name)

    def _is_closed(self, uuid: str, drive: Drive, group_digest: str, extra_digest: bytes) -> bool:
        """Return whether the drive carries the closing record that the journal has, for this group and these files."""
        record, signature = self._journal.drive_fact(uuid, "record"), self._journal.drive_fact(uuid, "signature")
        if (
            record is None
            or signature is None
            or self._journal.drive_fact(uuid, "group") != group_digest.encode("ascii")
            or self._journal.drive_fact(uuid, _EXTRA) != extra_digest
        ):
            return False
        for name, expected in ((layout.DRIVE, record), (layout.DRIVE + _SIG, signature)):
            if drive.size_bytes(name) != len(expected) or drive.read_bytes(name, _MAX_RECORD_BYTES) != expected:
                return False
        return True

    def _check_spots(self, drive: Drive, volume: WrittenVolume) -> None:
        """Read first, last and some random blocks once more: counterfeit drives wrap and overwrite what came first."""
        total = num_blocks(volume.bytes)
        lists_name = layout.blocks_name(volume.stripe, volume.column)
        block_list = drive.read_bytes(lists_name, total * LINE_BYTES)
        if sha256_bytes(block_list) != volume.blocks_sha256:
            raise DriveFailed(
                "drive returned other bytes than were written",
                where=f"{drive.location}: {lists_name}",
                hint="do not trust this drive: replace it, and test bay and cable",
            )
        chosen = {0, total - 1} | set(random.SystemRandom().sample(range(total), min(SPOT_BLOCKS, total)))
        name = layout.volume_name(volume.stripe, volume.column, self._group.k)
        reader = drive.open_reader(name, past_cache=True)
        try:
            with mmap.mmap(-1, BLOCK_BYTES) as pages, memoryview(pages) as buffer:
                for block in sorted(chosen):
                    expected = int(block_list[block * LINE_BYTES : block * LINE_BYTES + 16], 16)
                    _check_block(drive, reader, name, block, expected, volume.bytes, buffer)
        finally:
            reader.close()


def _check_block(
    drive: Drive, reader: DriveReader, name: str, block: int, expected: int, volume_bytes: int, buffer: memoryview
) -> None:
    expected_bytes = min(BLOCK_BYTES, volume_bytes - block * BLOCK_BYTES)
    length = reader.read_into(buffer, block * BLOCK_BYTES)
    if length == expected_bytes and block_hash(buffer[:length]) == expected:
        return
    raise DriveFailed(
        f"drive returned other bytes than were written, in block {block}, at closing",
        where=f"{drive.location}: {name}",
        expected=f"{expected_bytes} bytes, XXH3 {expected:016x}",
        found=f"{length} bytes, XXH3 {block_hash(buffer[:length]):016x}",
        hint="a drive that holds less than it says does this; replace it",
    )


def _extra_digest(extra: ExtraFiles) -> bytes:
    """Return a digest of a drive's further files: documents by content, the large ones, which they name, by length."""
    lines = [
        f"{name} {sha256_bytes(source) if isinstance(source, bytes) else source.stat().st_size}\n"
        for name, source in sorted(extra.items())
    ]
    return sha256_bytes("".join(lines).encode("utf-8")).encode("ascii")


def _copy(drive: Drive, name: str, source: Path | bytes) -> str:
    """Write a file on a drive and return its SHA-256, taken from the bytes that were written."""
    if isinstance(source, bytes):
        drive.write_bytes(name, source)
        return sha256_bytes(source)
    state = hashlib.sha256()
    with source.open("rb", buffering=0) as stream, drive.open_writer(name) as writer:
        while piece := stream.read(MIB):
            state.update(piece)
            writer.write(piece)
    return state.hexdigest()
