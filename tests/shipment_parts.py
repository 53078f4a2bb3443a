"""Parts for tests that pack: a signer, a tiny cargo, drives in a folder, a plan."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import encode, namespace
from packtrain.documents.parties import Parties, Party
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.events import discard
from packtrain.ports import Drive
from packtrain.units import KIB
from packtrain.volume.cargo import CargoEntry, cargo_digest
from packtrain.volume.closing import ExtraFiles
from packtrain.volume.folder_scan import scan
from packtrain.volume.writer import ShipmentWritten, write_shipment


def content(size_bytes: int, seed: int) -> bytes:
    """Return bytes that look random and are the same for a seed."""
    return hashlib.shake_128(b"%d" % seed).digest(size_bytes)


def write_cargo(folder: Path, sizes: Mapping[str, int]) -> Path:
    """Write files of these lengths below a folder and return it."""
    for number, (name, size_bytes) in enumerate(sizes.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(size_bytes, number))
    return folder


def make_signer(folder: Path) -> SshSigner:
    """Return a signer with a fresh key in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "signer").exists():
        generate_key_pair(folder / "signer", "")
    return SshSigner.load(folder / "signer")


@dataclass
class Packing:
    """All that one write_shipment needs, and what the reader then needs."""

    plan: Plan
    plan_files: tuple[bytes, bytes]
    entries: Sequence[CargoEntry]
    drives: dict[str, Drive]
    signer: SshSigner
    identity: str
    journal_folder: Path
    extra_files: Mapping[str, ExtraFiles] = field(default_factory=dict)

    @property
    def parties(self) -> Parties:
        """Return a parties.json that trusts the signer as consignor."""
        party = Party(
            role="consignor", name="home", signer=self.signer.public_line, recipient=age.recipient_of(self.identity)
        )
        return Parties(voyage="test", parties=(party,))

    def write(self) -> ShipmentWritten:
        """Run write_shipment."""
        return write_shipment(
            self.plan,
            self.plan_files,
            self.entries,
            self.drives,
            self.signer,
            self.journal_folder,
            self.extra_files,
            discard,
        )

    def folder(self, label: str) -> Path:
        """Return the folder of a drive by its label."""
        planned = next(planned for planned in self.plan.drives if planned.label == label)
        return Path(self.drives[planned.uuid].location)


def make_packing(
    root: Path,
    entries: Sequence[CargoEntry] | None = None,
    *,
    cases: Sequence[int] = (2, 2),
    groups: Sequence[tuple[int, int]] | None = None,
    target_bytes: int = 256 * KIB,
    attempt: int = 1,
    shipment: str | None = None,
    contact: str = "",
) -> Packing:
    """Return a packing below `root`: drives in `cases` (drives a case), one group of all unless `groups` (k, m).

    The default is 2 + 2 over two cases of two drives. Without entries everything below root/cargo is packed.
    """
    if entries is None:
        entries = list(scan(root / "cargo"))
    signer = make_signer(root / "keys")
    identity = age.generate_identity()
    planned: list[PlannedDrive] = []
    drives: dict[str, Drive] = {}
    for case_number, num_drives in enumerate(cases):
        case = chr(ord("A") + case_number)
        for number in range(1, num_drives + 1):
            drive_uuid = str(uuid.uuid4())
            path = root / f"drive-{case}{number}"
            path.mkdir(parents=True, exist_ok=True)
            drives[drive_uuid] = DirectoryDrive(path)
            planned.append(
                PlannedDrive(uuid=drive_uuid, label=f"{case}{number}", serial=f"folder-{drive_uuid[:8]}", case=case)
            )
    if groups is None:
        groups = [(len(planned) - max(cases), max(cases))]
    planned_groups: list[PlannedGroup] = []
    at = 0
    for number, (k, m) in enumerate(groups):
        members = tuple(drive.uuid for drive in planned[at : at + k + m])
        planned_groups.append(PlannedGroup(group=number, k=k, m=m, drives=members))
        at += k + m
    plan = Plan(
        shipment=shipment or str(uuid.uuid4()),
        attempt=attempt,
        purpose="cargo",
        declaration="0" * 64,
        recipient=age.recipient_of(identity),
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=target_bytes,
        cases=tuple(chr(ord("A") + number) for number in range(len(cases))),
        drives=tuple(planned),
        groups=tuple(planned_groups),
        survive=Survive(cases=1, drives=0),
        cargo=cargo_digest(entries),
        byte_cap=None,
        contact=contact,
        created="2026-01-02T03:04:05Z",
        software="packtrain test",
    )
    payload = encode(plan)
    return Packing(
        plan=plan,
        plan_files=(payload, signer.sign(namespace(Plan), payload).encode("ascii")),
        entries=entries,
        drives=drives,
        signer=signer,
        identity=identity,
        journal_folder=root / f"journal-{attempt}",
    )
