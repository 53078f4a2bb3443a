"""A voyage on paper: three real voyage folders with real keys, and the documents of a small packed shipment."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from packtrain.crypto import age
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.diligence.heads import write_own_log
from packtrain.documents.codec import Document, digest, encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.drive import unread_serial
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.parties import Role
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Purpose, Survive
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.events import Event, Notice, Sink, discard
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages import carry, declare, exchange
from packtrain.volume import layout
from three_parties import three_parties

CASES = ("A", "B")
AT = "2026-11-21T08:09:10Z"
PARTY = {
    "name": "Observatory",
    "address": "1 Hill Road, Example Town",
    "location": "NL",
    "headquarters": "NL",
    "ultimate_parent": "none",
}


def declaration_toml(
    changes: Mapping[str, str | None] | None = None, parties: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """Return a complete declaration.toml: all parties in one country.

    `changes` gives other TOML text for a top-level field or "data.field" (None leaves it out); `parties` other fields
    for a party ("" leaves an answer open).
    """
    top: dict[str, str | None] = {
        "end_use": '"to find comets"',
        "hardware_class": '"eight accelerators, bought in the country"',
        "site_country": '"NL"',
        "returns": '"weights, to the observatory"',
        "most_bytes": '"10 MB"',
        "most_drives": "4",
        "data.description": '"pictures of the sky"',
        "data.categories": '["astronomical images"]',
        "data.personal_data": "false",
        "data.erased_by": '"7 days after the return"',
    }
    top |= changes or {}
    lines = [f"{name} = {text}" for name, text in top.items() if text is not None and "." not in name]
    for name in ("shipper", "receiver", "operator", "trained_for"):
        fields = {**PARTY, "name": f"{name} of the test", **(parties or {}).get(name, {})}
        lines += [f"[{name}]", *(f'{field} = "{text}"' for field, text in fields.items())]
    data = {name: text for name, text in top.items() if name.startswith("data.") and text is not None}
    lines += ["[data]", *(f"{name.removeprefix('data.')} = {text}" for name, text in data.items())]
    return "\n".join(lines) + "\n"


@dataclass
class Papers:
    """Three folders, and what was packed."""

    root: Path
    folders: dict[Role, VoyageFolder]
    identity: str = ""
    drives: dict[str, Path] = field(default_factory=dict[str, Path])
    events: list[Event] = field(default_factory=list[Event])

    @property
    def consignor(self) -> VoyageFolder:
        return self.folders["consignor"]

    @property
    def operator(self) -> VoyageFolder:
        return self.folders["operator"]

    @property
    def consignee(self) -> VoyageFolder:
        return self.folders["consignee"]

    def sink(self, event: Event) -> None:
        self.events.append(event)

    def notices(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Notice))

    def answer(self, text: str) -> None:
        """Write declaration.toml."""
        (self.consignor.root / "declaration.toml").write_text(text)

    def declare(self, text: str | None = None, *, amend: bool = False) -> str:
        """Sign a declaration; return its digest."""
        self.answer(text or declaration_toml())
        declare.declare(self.consignor, self.sink, amend=amend)
        return self.consignor.digest(Declaration)

    def state_cases(self, cases: Mapping[str, tuple[str, str]]) -> None:
        """Write [[drives.case]] with (carrier, seal) into the consignor's voyage.toml."""
        path = self.consignor.root / VOYAGE_FILE
        text = path.read_text().partition("\n[[drives.case]]")[0]
        for case, (carrier, seal) in cases.items():
            labels = [label for label in sorted(self.drives) if label.startswith(case)] or [f"{case}1", f"{case}2"]
            text += f'\n[[drives.case]]\nlabel = "{case}"\ndrives = {labels}\n'
            text += f'carrier = "{carrier}"\nseal = "{seal}"\n'
        path.write_text(text)

    def pack(
        self,
        purpose: Purpose = "cargo",
        attempt: int = 1,
        plaintext_bytes: int = 200_000,
        serials: Mapping[str, str] | None = None,
        cases: Sequence[str] = CASES,
        drives_per_case: int = 2,
    ) -> None:
        """Write plan, group, closing records and shipment as `pack` does, and the key envelopes.

        `serials` gives drives, by label, a serial number that packing could read.
        """
        folder, signer = self.consignor, self.consignor.signer()
        self.identity = age.generate_identity()
        shipment_id = folder.read(Shipment).shipment if folder.has(Shipment) else str(uuid.uuid4())
        planned: list[PlannedDrive] = []
        for case in cases:
            for number in range(1, drives_per_case + 1):
                drive_uuid, label = str(uuid.uuid4()), f"{case}{number}"
                serial = (serials or {}).get(label, unread_serial(drive_uuid))
                planned.append(PlannedDrive(uuid=drive_uuid, label=label, serial=serial, case=case))
        k, m = len(planned) - drives_per_case, drives_per_case
        plan = Plan(
            shipment=shipment_id,
            attempt=attempt,
            purpose=purpose,
            declaration=folder.digest(Declaration) if purpose == "cargo" else None,
            recipient=age.recipient_of(self.identity),
            algorithms=Algorithms(),
            block_bytes=1048576,
            volume_target_bytes=1 << 18,
            cases=tuple(cases),
            drives=tuple(planned),
            groups=(PlannedGroup(group=0, k=k, m=m, drives=tuple(drive.uuid for drive in planned)),),
            survive=Survive(cases=1, drives=0),
            cargo="c" * 64,
            byte_cap=None,
            contact="the test",
            created=AT,
            software="packtrain test",
        )
        folder.write_signed(plan, signer)
        group = Group(
            shipment=shipment_id,
            attempt=attempt,
            plan=digest(plan),
            group=0,
            k=k,
            m=m,
            drives=plan.groups[0].drives,
            num_stripes=1,
            volumes=tuple(
                Volume(
                    stripe=0,
                    column=column,
                    drive=drive.uuid,
                    bytes=plaintext_bytes // k,
                    sha256="8" * 64,
                    blocks_sha256="9" * 64,
                    readback="memory",
                )
                for column, drive in enumerate(planned)
            ),
            catalog=Catalog(bytes=400, sha256="a" * 64),
            num_files=3,
            plaintext_bytes=plaintext_bytes,
        )
        write_pair(folder.documents / "groups" / "0.json", group, folder)
        shipped: list[ShippedDrive] = []
        for drive in planned:
            record = DriveRecord(
                shipment=shipment_id,
                attempt=attempt,
                plan=digest(plan),
                uuid=drive.uuid,
                replaces=(),
                label=drive.label,
                serial=drive.serial,
                case=drive.case,
                group=0,
                group_document=digest(group),
                tagmanifest="b" * 64,
                payload_bytes=plaintext_bytes // k,
                num_volumes=1,
                formatted=AT,
                closed=AT,
            )
            self.drives[drive.label] = self.root / "drives" / drive.label
            write_pair(self.drives[drive.label] / layout.DRIVE, record, folder)
            shipped.append(
                ShippedDrive(
                    uuid=drive.uuid,
                    replaces=(),
                    label=drive.label,
                    serial=drive.serial,
                    case=drive.case,
                    group=0,
                    record=digest(record),
                )
            )
        shipment = Shipment(
            shipment=shipment_id,
            attempt=attempt,
            purpose=purpose,
            plan=digest(plan),
            groups=(ShippedGroup(group=0, record=digest(group)),),
            drives=tuple(shipped),
            num_files=3,
            plaintext_bytes=plaintext_bytes,
            stored_bytes=plaintext_bytes * len(planned) // k,
            closed=AT,
        )
        folder.write_signed(shipment, signer)
        key = ShipmentKey(shipment=shipment_id, plan=digest(plan), identity=self.identity)
        for name, envelope in keys.wrap(key, signer, folder.parties()).items():
            (folder.keys / name).write_bytes(envelope)

    def seal(self) -> None:
        self.state_cases({"A": ("A. Carrier", "PT-1001"), "B": ("B. Carrier", "PT-1002")})
        carry.seal(self.consignor, self.sink)

    def hand_over(self, cases: Sequence[str] = CASES) -> None:
        """All cases from the consignor to the operator, with both signatures in both logs."""
        offered = release_cases(self.consignor, cases, "operator", discard, destination=self.root / "hand-over.jsonl")
        answer = accept_cases(self.operator, offered, discard, destination=self.root / "answer.jsonl")
        carry.adopt(self.consignor, answer, discard)

    def dossier(self, name: str = "dossier", sender: Role = "consignor", to: Role = "operator") -> Path:
        return exchange.export_dossier(self.folders[sender], self.root / name, to, self.sink)

    def mounted(self, *labels: str) -> list[Drive]:
        """Return the drives of these labels, or all."""
        return [DirectoryDrive(self.drives[label]) for label in labels or sorted(self.drives)]

    def come_home(self) -> None:
        """Write what `return` leaves in each folder: export list, two signatures, receipts."""
        shipment = self.consignor.read(Shipment)
        export_list = ExportList(
            shipment=shipment.shipment,
            shipment_root=digest(shipment),
            admission="3" * 64,
            kit=None,
            training="4" * 64,
            files=(ExportedFile(name="metrics.txt", bytes=1, sha256="5" * 64, sealed_bytes=2, sealed_sha256="6" * 64),),
            tensors=(),
            results="7" * 64,
            checks=("no canary found",),
            text_budget_bytes=1 << 20,
            made_on=AT,
        )
        for folder in self.folders.values():
            folder.write_signed(export_list, self.consignee.signer())
            second = self.operator.signer().sign(namespace(ExportList), encode(export_list))
            (folder.documents / "export-list.json.operator.sig").write_text(second)
            StageClock(folder, "return", {}).finish(outputs=(ExportList,))


def write_pair(path: Path, document: Document, folder: VoyageFolder) -> None:
    """Write a document and its signature by a folder's own key."""
    payload = encode(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    path.with_name(path.name + ".sig").write_text(folder.signer().sign(namespace(type(document)), payload))


def declared(root: Path) -> Papers:
    """Return three folders with a signed declaration."""
    papers = Papers(root, three_parties(root))
    papers.declare()
    return papers


def packed(root: Path) -> Papers:
    """Return a voyage packed and sealed."""
    return copy_papers(_template("packed"), root)


def arrived(root: Path) -> Papers:
    """Return a voyage whose cases the operator has accepted."""
    return copy_papers(_template("arrived"), root)


_kept: list[TemporaryDirectory[str]] = []


@cache
def _template(state: str) -> Papers:
    # Made once a process and copied: making one costs some hundred fsyncs.
    _kept.append(TemporaryDirectory(prefix="voyage-papers-"))
    papers = declared(Path(_kept[-1].name))
    papers.pack()
    papers.seal()
    if state == "arrived":
        papers.hand_over()
    return papers


def release_cases(
    folder: VoyageFolder, cases: Sequence[str], to: Role, sink: Sink, *, destination: Path, note: str = ""
) -> Path:
    """Sign cases over to another party; return the hand-over file."""
    carry.offer(folder, cases, to, sink, note=note)
    return write_own_log(folder, destination)


def accept_cases(folder: VoyageFolder, hand_over: Path, sink: Sink, *, destination: Path, note: str = "") -> Path:
    """Sign for the cases of a hand-over file; return the answer file."""
    carry.take(folder, hand_over, sink, note=note)
    return write_own_log(folder, destination)


def copy_papers(template: Papers, root: Path) -> Papers:
    """Return papers in `root` that are what the template's are."""
    shutil.copytree(template.root, root, dirs_exist_ok=True)
    return Papers(
        root,
        {role: VoyageFolder(root / role) for role in template.folders},
        template.identity,
        {label: root / "drives" / label for label in template.drives},
    )


def tree(root: Path) -> dict[str, str]:
    """Return name -> SHA-256 of all files below `root`, to see that nothing changed."""
    return {
        path.relative_to(root).as_posix(): sha256_bytes(path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
