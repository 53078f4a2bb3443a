"""The files of a drive that are no volumes, as its signed closing record wants them, from wherever they can be had.

A file is taken only if its SHA-256 is the one of the chain drive.json -> tag manifest -> file. Shared documents lie on
other drives of the group; block lists and manifest follow from group.json and the volumes; the texts are generated.
What carries a signature of its own, or the drive's own history, cannot be made: drive.json, its .sig, custody.jsonl.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from msgspec import structs

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group, Volume
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.errors import DriveFailed, PacktrainError
from packtrain.ports import Drive, DriveReader
from packtrain.record.trust import Trust
from packtrain.units import MIB
from packtrain.volume import bag, layout
from packtrain.volume.blocks import Column
from packtrain.volume.discover import MAX_MANIFEST_BYTES, parse_manifest, read_document
from packtrain.volume.given import MAX_RECORD_BYTES
from packtrain.volume.scrub import UNLISTED

_SIG: Final = layout.SIGNATURE_SUFFIX
SHIPMENT_FILES: Final = (layout.SHIPMENT + _SIG, layout.SHIPMENT)
# Files whose digest is not known are tried in these many combinations; more than a handful are never damaged at once
# together with the tag manifest that lists them.
_MAX_TRIED: Final = 4096
# On every drive, and named by no document but its tag manifest.
_EVERYWHERE: Final = (
    layout.PLAN + _SIG,
    layout.GROUP + _SIG,
    layout.CUSTODY,
    layout.SPEC,
    layout.RESCUE,
    layout.README,
    layout.MANIFEST,
    layout.BAG_INFO,
    layout.BAGIT,
)
# A kit has some hundred files. A drive with more files than this that no document names is somebody else's too: each of
# them would be held, and looked for on all drives, for a manifest that they are not in.
_MAX_OWN: Final = 10_000

D = TypeVar("D", Plan, Group)


class Papers:
    """The small files of some drives of one shipment, and what can be made of them.

    Args:
        drives: all that are given, in any state.
        trust: who may sign; None takes documents at their word.
    """

    def __init__(self, drives: Sequence[Drive], trust: Trust | None) -> None:
        self._drives = drives
        self._trust = trust
        self._found: dict[str, bytes] = {}
        self.records: dict[str, DriveRecord] = {}
        for drive in drives:
            try:
                record, _ = read_document(drive, DriveRecord, layout.DRIVE, trust, MAX_RECORD_BYTES)
                self.records[drive.location] = record
            except PacktrainError:
                continue

    def known(self) -> list[tuple[Drive, DriveRecord]]:
        """Return the drives that have a closing record, with it."""
        return [(drive, self.records[drive.location]) for drive in self._drives if drive.location in self.records]

    def plan(self, record: DriveRecord) -> Plan | None:
        """Return the plan that a closing record names, from any drive."""
        payload = self._shared(layout.PLAN, record.plan)
        return _decoded(Plan, payload)

    def group(self, record: DriveRecord) -> Group | None:
        """Return the group document that a closing record names, from any drive."""
        payload = self._shared(layout.GROUP, record.group_document)
        return _decoded(Group, payload)

    def tag_manifest(self, drive: Drive) -> bytes | None:
        """Return the tag manifest that the drive's closing record names: its own if it is whole, else made anew."""
        record = self.records[drive.location]
        own = _read(drive, layout.TAG_MANIFEST, MAX_MANIFEST_BYTES)
        if own is not None and sha256_bytes(own) == record.tagmanifest:
            return own
        group, plan = self.group(record), self.plan(record)
        if group is None or plan is None:
            return None
        candidates = self._candidates(drive, record, group, plan)
        # The first of each is the likeliest; the product runs through the last ones first, so long lists come last.
        names = sorted(candidates, key=lambda name: len(candidates[name]))
        tried = itertools.product(*(candidates[name] for name in names))
        for digests in itertools.islice(tried, _MAX_TRIED):
            made = bag.manifest(dict(zip(names, digests, strict=True)))
            if sha256_bytes(made) == record.tagmanifest:
                return made
        return None

    def tags(self, drive: Drive) -> dict[str, str] | None:
        """Return file name -> SHA-256 of the drive's tag files, or None where nobody can tell."""
        payload = self.tag_manifest(drive)
        return parse_manifest(payload, f"{drive.location}: {layout.TAG_MANIFEST}") if payload is not None else None

    def hash(self, drive: Drive, name: str) -> str | None:
        """Return the SHA-256 of a file of a drive; None where it cannot be read."""
        return _hash(drive, name)

    def pieces(self, drive: Drive, name: str, sha256: str) -> Iterator[bytes] | None:
        """Return the bytes of a tag file of this drive, from wherever they are whole; None where they are nowhere."""
        record = self.records[drive.location]
        made = self._made(drive, record, name)
        if made is not None and sha256_bytes(made) == sha256:
            return iter((made,))
        for source in (drive, *(other for other in self._drives if other is not drive)):
            if _hash(source, name) == sha256:
                return _stream(source, name)
        return None

    def shipment_files(self, plan: str) -> dict[str, bytes]:
        """Return the shipment document of a plan and its signature by file name, from a drive that has them whole.

        Or nothing: no digest on a drive names them, so that of the plan says whose they are.
        """
        best: Shipment | None = None
        files: dict[str, bytes] = {}
        for drive in self._drives:
            found = self.shipment_on(drive, plan)
            # After a replacement the drives of earlier waves carry the document of before.
            if found is not None and (best is None or len(found.voided) > len(best.voided)):
                payloads = {name: _read(drive, name, MAX_DOCUMENT_BYTES) for name in SHIPMENT_FILES}
                best, files = found, {name: payload for name, payload in payloads.items() if payload is not None}
        return files

    def shipment_on(self, drive: Drive, plan: str) -> Shipment | None:
        """Return the shipment document on a drive if it is whole, signed, and of the plan with this digest."""
        try:
            shipment, _ = read_document(drive, Shipment, layout.SHIPMENT, self._trust)
            has_signature = drive.size_bytes(layout.SHIPMENT + _SIG) is not None
            return shipment if has_signature and shipment.plan == plan else None
        except PacktrainError:
            return None

    def _shared(self, name: str, sha256: str) -> bytes | None:
        if sha256 not in self._found:
            for drive in self._drives:
                payload = _read(drive, name, MAX_DOCUMENT_BYTES)
                if payload is not None and sha256_bytes(payload) == sha256:
                    self._found[sha256] = payload
                    break
        return self._found.get(sha256)

    def _made(self, drive: Drive, record: DriveRecord, name: str) -> bytes | None:
        """Return a file that can be generated; whether it is the right one its digest tells."""
        if name == layout.BAGIT:
            return bag.BAGIT_TXT
        if name in (layout.SPEC, layout.RESCUE):
            return bag.spec() if name == layout.SPEC else bag.rescue()
        group, plan = self.group(record), self.plan(record)
        if group is None or plan is None:
            return None
        here = volumes_of(group, record)
        if name == layout.MANIFEST:
            return bag.manifest({layout.volume_name(v.stripe, v.column, group.k): v.sha256 for v in here})
        lists = {layout.blocks_name(v.stripe, v.column): v for v in here}
        if name in lists:
            return Column(lists[name], group.k, drive, record.label).relist()
        planned_group = next((item for item in plan.groups if item.group == record.group), None)
        planned = next((item for item in plan.drives if item.uuid == record.planned_uuid), None)
        if planned_group is None or planned is None:
            return None
        planned = structs.replace(planned, uuid=record.uuid)
        if name == layout.README:
            return bag.readme(plan, planned_group, planned)
        if name == layout.BAG_INFO:
            return bag.bag_info(plan, planned, record.payload_bytes, record.num_volumes, record.closed[:10])
        return None

    def _candidates(self, drive: Drive, record: DriveRecord, group: Group, plan: Plan) -> dict[str, list[str]]:
        """Return for each tag file of the drive the digests that it may have."""
        signed = {layout.PLAN: record.plan, layout.GROUP: record.group_document, layout.CATALOG: group.catalog.sha256}
        signed |= {layout.blocks_name(v.stripe, v.column): v.blocks_sha256 for v in volumes_of(group, record)}
        found = {name: [digest] for name, digest in signed.items()}
        try:
            others = (
                name
                for name in drive.names()
                if not (name in signed or name in _EVERYWHERE or name in UNLISTED)
                and not name.startswith("data/")
                and not name.endswith(TEMPORARY_SUFFIX)
            )
            own = list(itertools.islice(others, _MAX_OWN + 1))
        except DriveFailed:
            return {}
        if len(own) > _MAX_OWN:
            return {}
        for name in (*_EVERYWHERE, *own):
            digests = [_hash(drive, name)]
            made = self._made(drive, record, name)
            digests.append(sha256_bytes(made) if made is not None else None)
            if name not in (layout.CUSTODY, layout.README, layout.BAG_INFO, layout.MANIFEST):
                digests += [_hash(other, name) for other in self._drives if other is not drive]
            found[name] = list(dict.fromkeys(digest for digest in digests if digest is not None))
        # A file that an older packtrain did not write has no digest anywhere: it is not in the manifest.
        return {name: digests for name, digests in found.items() if digests}


def volumes_of(group: Group, record: DriveRecord) -> list[Volume]:
    """Return the volumes with a file on a drive."""
    return [volume for volume in group.volumes if volume.drive == record.planned_uuid and volume.bytes]


def _decoded(kind: type[D], payload: bytes | None) -> D | None:
    try:
        return decode(kind, payload, kind.kind) if payload is not None else None
    except PacktrainError:
        return None


def _read(drive: Drive, name: str, max_bytes: int) -> bytes | None:
    try:
        return drive.read_bytes(name, max_bytes)
    except DriveFailed:
        return None


def _hash(drive: Drive, name: str) -> str | None:
    """Return a file's SHA-256; None where it is missing, cannot be read, or is longer than such a file can be."""
    state = hashlib.sha256()
    try:
        size_bytes = drive.size_bytes(name) or 0
        if size_bytes > MAX_DOCUMENT_BYTES and not name.startswith((layout.KIT_PREFIX, layout.CATALOG)):
            return None
        for piece in _stream(drive, name):
            state.update(piece)
    except DriveFailed:
        return None
    return state.hexdigest()


def _stream(drive: Drive, name: str) -> Iterator[bytes]:
    reader: DriveReader = drive.open_reader(name)
    try:
        buffer = memoryview(bytearray(min(MIB, max(reader.size_bytes, 1))))
        offset = 0
        while count := reader.read_into(buffer, offset):
            yield bytes(buffer[:count])
            offset += count
    finally:
        reader.close()
