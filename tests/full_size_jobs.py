"""What the tests at full size run, each in a process of its own, so that its memory is its own.

    python tests/full_size_jobs.py documents FACTOR FOLDER    80 TB times FACTOR on 60 drives: plan to discovery
    python tests/full_size_jobs.py entries COUNT FOLDER       so many generated entries: packing list and catalogs

Prints one JSON object: steps in order, CPU seconds and MiB at the peak of each. Only the size is real: volumes have no
bytes on these drives, their lengths and digests are made up.
"""

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, digest, encode, namespace
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.parties import Parties, Party
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.erasure.placement import DriveSpec, Placement, Survival, place
from packtrain.record.trust import Trust
from packtrain.units import GIB
from packtrain.volume import bag, layout
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.cargo import CargoEntry, cargo_digest
from packtrain.volume.discover import Expected, discover
from packtrain.volume.journal import Journal
from packtrain.volume.packing_list import write_list

CARGO_BYTES = 80 * 10**12
NUM_DRIVES = 60
CASES = ("A", "B", "C", "D")
BAYS = 8
SHARD_BYTES = 10**9
NOW = "2026-01-02T03:04:05Z"
NONE = "0" * 64


class Steps:
    """CPU seconds and peak memory of one step after the other."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self._reset()

    def end(self, name: str) -> None:
        """Note what was done since the last step as the step `name`."""
        self.found[name] = {
            "cpu_seconds": round(time.process_time() - self._started, 3),
            "peak_mib": round(peak_bytes() / 2**20, 1),
        }
        self._reset()

    def _reset(self) -> None:
        # 5: the kernel starts counting this process's peak anew.
        Path("/proc/self/clear_refs").write_text("5")
        self._started = time.process_time()


def peak_bytes() -> int:
    """Return the peak of this process's resident memory since it was reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def shards(total_bytes: int) -> Iterator[CargoEntry]:
    """Yield files of 1 GB up to a total."""
    for number in range(total_bytes // SHARD_BYTES):
        name = b"shards/%05d/%08d.tar" % (number // 1000, number)
        yield CargoEntry(name, b"/nowhere", "file", SHARD_BYTES, 0o644, 10**18, NONE)


@dataclass(frozen=True)
class SmallFiles:
    """So many files of a few KiB in folders of 1,000; made anew whenever they are gone through."""

    count: int

    def __iter__(self) -> Iterator[CargoEntry]:
        for number in range(self.count):
            name = b"%04d/%05d/%08d.dat" % (number // 10**6, number // 1000, number)
            yield CargoEntry(name, b"/nowhere/" + name, "file", 1 + number % 6143, 0o644, 10**18 + number)


def documents(factor: int, folder: Path) -> Steps:
    """Go from sizes to verified drives: placement, assignment, group documents, closing records, discovery."""
    steps = Steps()
    drive_bytes = 2 * 10**12 * factor
    placement = _placement(drive_bytes)
    steps.end("placement")
    shares = [GroupShare(group.k, group.k * drive_bytes) for group in placement.groups]
    stripes = [0] * len(shares)
    num_entries = 0
    for placed in assign(shards(CARGO_BYTES * factor), shares, CARGO_BYTES * factor, layout.LARGEST_VOLUME_BYTES):
        stripes[placed.group] = max(stripes[placed.group], placed.pieces[-1].stripe + 1)
        num_entries += 1
    steps.end("assignment")
    signer, parties = _signer(folder)
    plan = _plan(placement, parties.parties[0].recipient, NONE, layout.LARGEST_VOLUME_BYTES)
    plan_payload = encode(plan)
    payloads = []
    num_volumes = 0
    for planned, num_stripes in zip(plan.groups, stripes, strict=True):
        payloads.append(encode(_group(plan, planned, num_stripes)))
        num_volumes += num_stripes * (planned.k + planned.m)
    steps.end("group documents written")
    for payload in payloads:
        decode(Group, payload, "group.json")
    steps.end("group documents read")
    shipment = _write_drives(folder, plan, plan_payload, payloads, signer)
    steps.end("drives written")
    drives = [DirectoryDrive(folder / "drives" / planned.label) for planned in plan.drives]
    fleet = discover(drives, Trust(parties), Expected(plan, digest(plan), shipment))
    assert len(fleet.mounted) == NUM_DRIVES and sum(len(g.volumes) for g in fleet.groups.values()) == num_volumes
    steps.end("drives discovered")
    counts = {"volumes": num_volumes, "entries": num_entries, "groups": len(plan.groups)}
    steps.found["counts"] = {**counts, "group_json_bytes": sum(map(len, payloads))}
    return steps


def entries(count: int, folder: Path) -> Steps:
    """Write the packing list of generated small files to the journal, and the catalog of every group from it."""
    steps = Steps()
    drive_bytes = 2 * 10**12
    placement = _placement(drive_bytes)
    _, parties = _signer(folder)
    cargo = SmallFiles(count)
    digest_of_cargo = cargo_digest(cargo)
    steps.end("digest")
    total_bytes = sum(entry.size_bytes for entry in cargo)
    target_bytes = layout.volume_target_bytes(total_bytes, sum(group.k for group in placement.groups))
    plan = _plan(placement, parties.parties[0].recipient, digest_of_cargo, target_bytes)
    catalog_bytes = 0
    with Journal(folder / "journal") as journal:
        write_list(plan, cargo, {planned.uuid: drive_bytes for planned in plan.drives}, journal)
        steps.end("packing list")
        for group in plan.groups:
            path = folder / f"catalog-{group.group}.sqlite"
            journal.write_catalog(group.group, path)
            catalog_bytes += path.stat().st_size
            path.unlink()
        steps.end("catalogs")
    journal_bytes = sum(path.stat().st_size for path in (folder / "journal").iterdir())
    steps.found["counts"] = {"entries": count, "journal_bytes": journal_bytes, "catalog_bytes": catalog_bytes}
    return steps


def _placement(drive_bytes: int) -> Placement:
    specs = [
        DriveSpec(label=f"{case}{number}", case=case, capacity_bytes=drive_bytes)
        for case in CASES
        for number in range(1, NUM_DRIVES // len(CASES) + 1)
    ]
    return place(specs, Survival(cases=1, drives=0), bays=BAYS)


def _signer(folder: Path) -> tuple[SshSigner, Parties]:
    generate_key_pair(folder / "signer", "")
    signer = SshSigner.load(folder / "signer")
    recipient = age.recipient_of(age.generate_identity())
    party = Party(role="consignor", name="home", signer=signer.public_line, recipient=recipient)
    return signer, Parties(voyage="test", parties=(party,))


def _plan(placement: Placement, recipient: str, cargo: str, target_bytes: int) -> Plan:
    uuids = {label: str(uuid.uuid4()) for group in placement.groups for label in group.drives}
    return Plan(
        shipment=str(uuid.uuid4()),
        attempt=1,
        purpose="cargo",
        declaration=NONE,
        recipient=recipient,
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=target_bytes,
        cases=CASES,
        drives=tuple(
            PlannedDrive(uuid=key, label=label, serial=f"folder-{key[:8]}", case=label[0])
            for label, key in uuids.items()
        ),
        groups=tuple(
            PlannedGroup(group=number, k=group.k, m=group.m, drives=tuple(uuids[label] for label in group.drives))
            for number, group in enumerate(placement.groups)
        ),
        survive=Survive(cases=1, drives=0),
        cargo=cargo,
        byte_cap=None,
        contact="",
        created=NOW,
        software="packtrain test",
    )


def _group(plan: Plan, planned: PlannedGroup, num_stripes: int) -> Group:
    n = planned.k + planned.m

    def volume(stripe: int, column: int) -> Volume:
        return Volume(
            stripe=stripe,
            column=column,
            drive=planned.drives[layout.drive_of(stripe, column, n)],
            bytes=4 * GIB,
            sha256=hashlib.sha256(b"%d %d %d" % (planned.group, stripe, column)).hexdigest(),
            blocks_sha256=hashlib.sha256(b"%d %d %d blocks" % (planned.group, stripe, column)).hexdigest(),
            readback="direct",
        )

    return Group(
        shipment=plan.shipment,
        attempt=1,
        plan=digest(plan),
        group=planned.group,
        k=planned.k,
        m=planned.m,
        drives=planned.drives,
        num_stripes=num_stripes,
        volumes=tuple(volume(stripe, column) for stripe in range(num_stripes) for column in range(n)),
        catalog=Catalog(bytes=1, sha256=NONE),
        num_files=1,
        plaintext_bytes=1,
    )


def _write_drives(folder: Path, plan: Plan, plan_payload: bytes, payloads: list[bytes], signer: SshSigner) -> Shipment:
    """Write what a reader looks at first on every drive: documents and manifests, no volume."""

    def sign(document_type: type, payload: bytes) -> bytes:
        return signer.sign(namespace(document_type), payload).encode("ascii")

    plan_signature = sign(Plan, plan_payload)
    records: dict[str, str] = {}
    for number, payload in enumerate(payloads):
        group = decode(Group, payload, "group.json")
        signature = sign(Group, payload)
        for planned in (drive for drive in plan.drives if drive.uuid in group.drives):
            here = [volume for volume in group.volumes if volume.drive == planned.uuid]
            files = {layout.volume_name(v.stripe, v.column, group.k): v.sha256 for v in here}
            contents = {
                layout.PLAN: plan_payload,
                layout.PLAN + layout.SIGNATURE_SUFFIX: plan_signature,
                layout.GROUP: payload,
                layout.GROUP + layout.SIGNATURE_SUFFIX: signature,
                layout.MANIFEST: bag.manifest(files),
                layout.BAGIT: bag.BAGIT_TXT,
            }
            tags = {layout.blocks_name(v.stripe, v.column): v.blocks_sha256 for v in here}
            tags |= {name: sha256_bytes(content) for name, content in contents.items()}
            contents[layout.TAG_MANIFEST] = bag.manifest(tags)
            record = DriveDocument(
                shipment=plan.shipment,
                attempt=1,
                plan=sha256_bytes(plan_payload),
                uuid=planned.uuid,
                replaces=(),
                label=planned.label,
                serial=planned.serial or "",
                case=planned.case,
                group=number,
                group_document=sha256_bytes(payload),
                tagmanifest=sha256_bytes(contents[layout.TAG_MANIFEST]),
                payload_bytes=sum(v.bytes for v in here),
                num_volumes=len(here),
                formatted=NOW,
                closed=NOW,
            )
            contents[layout.DRIVE] = encode(record)
            contents[layout.DRIVE + layout.SIGNATURE_SUFFIX] = sign(DriveDocument, contents[layout.DRIVE])
            records[planned.uuid] = sha256_bytes(contents[layout.DRIVE])
            for name, content in contents.items():
                path = folder / "drives" / planned.label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    return Shipment(
        shipment=plan.shipment,
        attempt=1,
        purpose="cargo",
        plan=sha256_bytes(plan_payload),
        groups=tuple(ShippedGroup(group=n, record=sha256_bytes(payload)) for n, payload in enumerate(payloads)),
        drives=tuple(
            ShippedDrive(
                uuid=drive.uuid,
                replaces=(),
                label=drive.label,
                serial=drive.serial or "",
                case=drive.case,
                group=next(group.group for group in plan.groups if drive.uuid in group.drives),
                record=records[drive.uuid],
            )
            for drive in plan.drives
        ),
        num_files=len(payloads),
        plaintext_bytes=1,
        stored_bytes=1,
        closed=NOW,
    )


if __name__ == "__main__":
    job, size, where = sys.argv[1:]
    print(json.dumps({"documents": documents, "entries": entries}[job](int(size), Path(where)).found))
