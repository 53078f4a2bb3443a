"""Closing a group and its drives: catalog, group.json, the bag, and last the signed closing record of each drive."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import xxhash
from msgspec import structs

from packtrain import durable
from packtrain.crypto import age
from packtrain.digest import BLOCK_BYTES, block_hash, sha256_bytes, sha256_file
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.errors import DriveFailed, ForeignDrive, IntegrityError
from packtrain.ports import Drive, DriveReader, Signer
from packtrain.record.receipts import instant
from packtrain.units import MIB
from packtrain.volume import bag, layout
from packtrain.volume.block_list import LINE_BYTES, num_blocks
from packtrain.volume.formatting import custody_line, unexpected_names
from packtrain.volume.journal import Journal, WrittenVolume
from packtrain.volume.places import Place
from packtrain.volume.read_back import check_copy, check_file, pages
from packtrain.volume.stopping import Stopping

SPOT_BLOCKS: Final = 16
_MAX_RECORD_BYTES: Final = 1 << 20
_MAX_THREADS: Final = 64
_SIG: Final = layout.SIGNATURE_SUFFIX
# What the journal keeps of a drive's further files: their names (also of earlier ones), and a digest of the last.
_EXTRA_NAMES: Final = "extra names"
_EXTRA: Final = "extra"

ExtraFiles = Mapping[str, Path | bytes]


@dataclass(frozen=True, slots=True)
class SignedGroup:
    """One group document as it lies on its drives."""

    group: Group
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class _Checked:
    """The catalog as it is to be on every drive."""

    path: Path
    xxh3: int


def signed_group(journal: Journal, number: int) -> SignedGroup | None:
    """Return a group's document if it was signed: its volumes are then final, and drives may be closed that name it."""
    path = _signed_path(journal, number)
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        return None
    signature = path.with_name(path.name + _SIG).read_bytes()
    return SignedGroup(decode(Group, payload, str(path)), payload, signature)


def forget_signed_group(journal: Journal, number: int) -> None:
    """Take a group's document back: its volumes are written anew, and all its drives closed again."""
    _signed_path(journal, number).unlink(missing_ok=True)
    durable.sync_folder(journal.folder)


def _signed_path(journal: Journal, number: int) -> Path:
    return journal.folder / f"group-{number:04d}.json"


def listed_volume(group: PlannedGroup, volume: WrittenVolume) -> Volume:
    """Return a finished volume as group.json names it."""
    return Volume(
        stripe=volume.stripe,
        column=volume.column,
        drive=group.drives[layout.drive_of(volume.stripe, volume.column, len(group.drives))],
        bytes=volume.bytes,
        sha256=volume.sha256,
        blocks_sha256=volume.blocks_sha256,
        readback=volume.readback,
    )


class GroupCloser:
    """Closes drives of one group whose stripes are all finished.

    Args:
        plan, plan_files: the plan, its bytes and its signature.
        group: the group in the plan.
        drives: those of its drives that are here, by the UUID of their place.
        places: who stands in each place.
        signer: the consignor's.
        journal: of this attempt.
        extra_files: for each place, further files below packtrain/ (kit, ready.json).
        on_volume: called from several threads, each time some spots of a volume were read once more.
    """

    def __init__(
        self,
        plan: Plan,
        plan_files: tuple[bytes, bytes],
        group: PlannedGroup,
        drives: Mapping[str, Drive],
        places: Mapping[str, Place],
        signer: Signer,
        journal: Journal,
        extra_files: Mapping[str, ExtraFiles],
        on_volume: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._plan_payload, self._plan_signature = plan_files
        self._group = group
        self._drives = drives
        self._places = places
        self._signer = signer
        self._journal = journal
        self._extra_files = extra_files
        self._on_volume = on_volume
        self._stopping = Stopping()

    def close(self) -> SignedGroup:
        """Close the group on its drives that are here; return group.json, its bytes and its signature.

        Drives that are closed already, with the same further files, are left as they are.

        Raises:
            DriveFailed: a drive cannot be read or written, or a spot check found other bytes than were written.
            DriveFull: no space is left.
            ForeignDrive: somebody put a file on a drive meanwhile.
        """
        signed = signed_group(self._journal, self._group.group) or self._sign()
        catalog = self._checked_catalog(signed)
        here = [uuid for uuid in self._group.drives if uuid in self._drives]
        with ThreadPoolExecutor(min(len(here) or 1, _MAX_THREADS)) as pool, self._stopping.on_error():
            running = [pool.submit(self._close_drive, uuid, signed, catalog) for uuid in here]
            wait(running)
            for done in running:
                done.result()
        return signed

    def open_drives(self, signed: SignedGroup) -> list[str]:
        """Return the places of this group whose drives were not closed yet, with these further files."""
        digest = sha256_bytes(signed.payload)
        return [uuid for uuid in self._group.drives if not self._was_closed(uuid, digest)]

    def _sign(self) -> SignedGroup:
        """Sign group.json and keep it: from now on the volumes of this group do not change any more."""
        catalog_path = self._catalog()
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
            volumes=tuple(listed_volume(self._group, volume) for volume in self._journal.written(self._group.group)),
            catalog=Catalog(bytes=catalog_path.stat().st_size, sha256=sha256_file(catalog_path)),
            num_files=num_files,
            plaintext_bytes=plaintext_bytes,
        )
        payload = encode(group)
        signature = self._signer.sign(namespace(Group), payload).encode("ascii")
        path = _signed_path(self._journal, self._group.group)
        durable.write_bytes(path.with_name(path.name + _SIG), signature)
        durable.write_bytes(path, payload)
        return SignedGroup(group, payload, signature)

    def _catalog(self) -> Path:
        """Return the group's encrypted catalog, made once: every drive gets the same bytes, also after a crash."""
        sealed = self._journal.folder / f"catalog-{self._group.group:04d}.sqlite.age"
        if not sealed.is_file():
            if signed_group(self._journal, self._group.group) is not None:
                raise IntegrityError(
                    "the catalog that drives of this group carry is gone from the journal of packing",
                    where=str(sealed),
                    hint=f"bring it back: it is {layout.CATALOG} of any closed drive of group {self._group.group}",
                )
            plain = self._journal.folder / f"catalog-{self._group.group:04d}.sqlite"
            self._journal.write_catalog(self._group.group, plain)
            with durable.atomic_writer(sealed) as stream:
                age.encrypt_file(plain, stream, self._plan.recipient)
            plain.unlink()
        return sealed

    def _checked_catalog(self, signed: SignedGroup) -> _Checked:
        """Return the catalog with an XXH3-64 that stands for the SHA-256 of group.json when it is copied.

        SHA-256 once and not twice a drive: of a cargo of small files it would cost more than the files themselves.
        """
        path = self._catalog()
        sha256, xxh3 = hashlib.sha256(), xxhash.xxh3_64()
        with path.open("rb", buffering=0) as stream:
            while piece := stream.read(MIB):
                sha256.update(piece)
                xxh3.update(piece)
        if sha256.hexdigest() != signed.group.catalog.sha256:
            raise IntegrityError(
                "the catalog in the journal of packing is not the one that was signed",
                where=str(path),
                hint=f"bring it back: it is {layout.CATALOG} of any closed drive of group {self._group.group}",
            )
        return _Checked(path, xxh3.intdigest())

    # --- one drive ---------------------------------------------------------------------------------------------

    def _close_drive(self, place_uuid: str, signed: SignedGroup, catalog: _Checked) -> None:
        drive = self._drives[place_uuid]
        place = self._places[place_uuid]
        uuid = place.uuid
        extra = self._extra_files.get(place_uuid, {})
        if self._is_closed(place_uuid, drive, sha256_bytes(signed.payload)):
            return
        self._journal.forget_drive_facts(uuid, "record", "signature")
        # While the drive is written to, it must not look closed.
        for name in (layout.DRIVE + _SIG, layout.DRIVE, layout.SHIPMENT + _SIG, layout.SHIPMENT):
            drive.remove(name)
        self._remove_old_extra(uuid, drive, extra)
        here = [volume for volume in signed.group.volumes if volume.bytes and volume.drive == place_uuid]
        payload = {layout.volume_name(v.stripe, v.column, self._group.k): v.sha256 for v in here}
        tags = {layout.blocks_name(v.stripe, v.column): v.blocks_sha256 for v in here}
        _copy(drive, layout.CATALOG, catalog.path, hashed=False)
        tags[layout.CATALOG] = signed.group.catalog.sha256
        for name, source in extra.items():
            tags[name] = _copy(drive, name, source)
        closed = instant()
        payload_bytes = sum(volume.bytes for volume in here)
        for name, content in self._tag_files(place, signed, closed, payload, payload_bytes).items():
            drive.write_bytes(name, content)
            tags[name] = sha256_bytes(content)
        tag_manifest = bag.manifest(tags)
        drive.write_bytes(layout.TAG_MANIFEST, tag_manifest)
        strays = unexpected_names(drive, {*payload, *tags, layout.TAG_MANIFEST})
        if strays.count:
            raise ForeignDrive(
                "files appeared on the drive that packtrain did not write",
                where=drive.location,
                found=str(strays),
                hint="remove them, keep other programs away from the drive, and run the same command again",
            )
        tags[layout.TAG_MANIFEST] = sha256_bytes(tag_manifest)
        # All but the closing record is on the drive by now: one that is smaller than it says has overwritten, with the
        # last of these files, what came first.
        with pages() as buffer:
            for volume in here:
                self._check_spots(drive, volume, buffer)
                self._stopping.go_on()
                self._on_volume()
            check_copy(drive, layout.CATALOG, catalog.xxh3, buffer)
            for name, expected in tags.items():
                if name != layout.CATALOG:
                    check_file(drive, name, expected, buffer)
        self._sign_closing_record(place, drive, signed.payload, tag_manifest, payload_bytes, len(here), closed)

    def _tag_files(
        self, place: Place, signed: SignedGroup, closed: str, payload: Mapping[str, str], payload_bytes: int
    ) -> dict[str, bytes]:
        """Return what is written on a drive at closing, in the order of writing."""
        # The texts name the drive that is in hand; the plan's own UUID is that of its place.
        drive = structs.replace(place.planned, uuid=place.uuid)
        custody = self._journal.drive_fact(place.uuid, "custody")
        assert custody is not None, "a drive is formatted before it is closed"
        return {
            layout.PLAN + _SIG: self._plan_signature,
            layout.PLAN: self._plan_payload,
            layout.GROUP: signed.payload,
            layout.GROUP + _SIG: signed.signature,
            layout.CUSTODY: custody_line(custody, "closed", self._plan, place.uuid, closed, self._signer),
            layout.SPEC: bag.spec(),
            layout.RESCUE: bag.rescue(),
            layout.README: bag.readme(self._plan, self._group, drive),
            layout.MANIFEST: bag.manifest(payload),
            layout.BAG_INFO: bag.bag_info(self._plan, drive, payload_bytes, len(payload), closed[:10]),
            layout.BAGIT: bag.BAGIT_TXT,
        }

    def _sign_closing_record(
        self,
        place: Place,
        drive: Drive,
        group_payload: bytes,
        tag_manifest: bytes,
        payload_bytes: int,
        num_volumes: int,
        closed: str,
    ) -> None:
        planned, uuid = place.planned, place.uuid
        # A drive that the plan knows by its serial keeps it; of the others, this is the first that any document says.
        serial = planned.serial if planned.serial is not None and not place.replaces else drive.serial
        record = DriveDocument(
            shipment=self._plan.shipment,
            attempt=self._plan.attempt,
            plan=sha256_bytes(self._plan_payload),
            uuid=uuid,
            replaces=place.replaces,
            label=planned.label,
            serial=serial or f"folder-{uuid[:8]}",
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
        # The tag manifest once more: where the drive was unmounted meanwhile, all of this is on the disk below it.
        written = {layout.TAG_MANIFEST: tag_manifest, layout.DRIVE: record_payload, layout.DRIVE + _SIG: signature}
        with pages() as buffer:
            for name, content in written.items():
                check_file(drive, name, sha256_bytes(content), buffer)
        self._journal.set_drive_facts(
            uuid,
            {
                "record": record_payload,
                "signature": signature,
                "group": sha256_bytes(group_payload).encode("ascii"),
                _EXTRA: _extra_digest(self._extra_files.get(planned.uuid, {})),
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

    def _was_closed(self, place_uuid: str, group_digest: str) -> bool:
        """Return whether the journal says that the drive was closed, for this group and with these further files."""
        uuid = self._places[place_uuid].uuid
        return (
            self._journal.drive_fact(uuid, "record") is not None
            and self._journal.drive_fact(uuid, "signature") is not None
            and self._journal.drive_fact(uuid, "group") == group_digest.encode("ascii")
            and self._journal.drive_fact(uuid, _EXTRA) == _extra_digest(self._extra_files.get(place_uuid, {}))
        )

    def _is_closed(self, place_uuid: str, drive: Drive, group_digest: str) -> bool:
        """Return whether the drive carries the closing record that the journal has."""
        uuid = self._places[place_uuid].uuid
        record, signature = self._journal.drive_fact(uuid, "record"), self._journal.drive_fact(uuid, "signature")
        if record is None or signature is None or not self._was_closed(place_uuid, group_digest):
            return False
        for name, expected in ((layout.DRIVE, record), (layout.DRIVE + _SIG, signature)):
            if drive.size_bytes(name) != len(expected) or drive.read_bytes(name, _MAX_RECORD_BYTES) != expected:
                return False
        return True

    def _check_spots(self, drive: Drive, volume: Volume, buffer: memoryview) -> None:
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


def _copy(drive: Drive, name: str, source: Path | bytes, *, hashed: bool = True) -> str:
    """Write a file on a drive and return its SHA-256, taken from the bytes that were written (unless not `hashed`)."""
    if isinstance(source, bytes):
        drive.write_bytes(name, source)
        return sha256_bytes(source)
    state = hashlib.sha256()
    with source.open("rb", buffering=0) as stream, drive.open_writer(name) as writer:
        while piece := stream.read(MIB):
            if hashed:
                state.update(piece)
            writer.write(piece)
    return state.hexdigest()
