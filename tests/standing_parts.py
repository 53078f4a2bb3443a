"""A shipment of any number of drives in the folder of three parties, signed, without a drive: for what only reads."""

import uuid
from dataclasses import dataclass

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import encode
from packtrain.documents.group import Group, Volume
from packtrain.documents.parties import Role
from packtrain.documents.plan import Plan, PlannedDrive, PlannedGroup
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VoyageFolder
from sample_documents import samples

NO_BYTES = sha256_bytes(b"")


@dataclass(frozen=True)
class Shipped:
    """What was written: the plan, and the digest of it."""

    plan: Plan
    digest: str
    folder: VoyageFolder

    def uuid(self, label: str) -> str:
        """Return the UUID of a drive."""
        return next(drive.uuid for drive in self.plan.drives if drive.label == label)

    def log(self, verb: str, *, by: Role = "consignor", signer: VoyageFolder | None = None, **fields: object) -> str:
        """Append an entry to the custody log; return its digest."""
        log = CustodyLog(self.folder.documents / "custody.jsonl")
        line = log.append(
            verb,  # type: ignore[arg-type]
            shipment=self.plan.shipment,
            by=by,
            signer=(signer or self.folder).signer(),
            trust=self.folder.trust(),
            **fields,  # type: ignore[arg-type]
        )
        return line.digest


def planned(folder: VoyageFolder, cases: dict[str, int], k: int, m: int) -> Shipped:
    """Write a signed plan: so many drives in each case, groups of k + m over the cases in turn."""
    drives = [
        PlannedDrive(uuid=_uuid(f"{case}{n}"), label=f"{case}{n}", serial=f"S-{case}{n}", case=case)
        for n in range(1, max(cases.values()) + 1)
        for case, number in cases.items()
        if n <= number
    ]
    width = k + m
    groups = tuple(
        PlannedGroup(group=number, k=k, m=m, drives=tuple(drive.uuid for drive in drives[at : at + width]))
        for number, at in enumerate(range(0, len(drives), width))
    )
    sample = samples()[Plan]
    assert isinstance(sample, Plan)
    plan = msgspec.structs.replace(sample, cases=tuple(cases), drives=tuple(drives), groups=groups)
    return Shipped(plan, folder.write_signed(plan, folder.signer()), folder)


def shipped(folder: VoyageFolder, cases: dict[str, int], k: int, m: int, *, num_stripes: int = 3) -> Shipped:
    """Write a signed plan, its group documents, and a signed shipment."""
    found = planned(folder, cases, k, m)
    plan = found.plan
    place = folder.documents / "groups"
    place.mkdir(parents=True)
    records: dict[int, str] = {}
    for group in plan.groups:
        payload = encode(
            msgspec.structs.replace(
                samples()[Group],
                plan=found.digest,
                group=group.group,
                k=k,
                m=m,
                drives=group.drives,
                num_stripes=num_stripes,
                volumes=tuple(
                    Volume(
                        stripe=stripe,
                        column=column,
                        drive=group.drives[(column + stripe) % len(group.drives)],
                        bytes=0,
                        sha256=NO_BYTES,
                        blocks_sha256=NO_BYTES,
                        readback="direct",
                    )
                    for stripe in range(num_stripes)
                    for column in range(len(group.drives))
                ),
            )
        )
        (place / f"{group.group}.json").write_bytes(payload)
        records[group.group] = sha256_bytes(payload)
    group_of = {uuid: group.group for group in plan.groups for uuid in group.drives}
    shipment = msgspec.structs.replace(
        samples()[Shipment],
        plan=found.digest,
        groups=tuple(ShippedGroup(group=number, record=record) for number, record in records.items()),
        drives=tuple(
            ShippedDrive(
                uuid=drive.uuid,
                replaces=(),
                label=drive.label,
                serial=drive.serial or "",
                case=drive.case,
                group=group_of[drive.uuid],
                record=NO_BYTES,
            )
            for drive in plan.drives
        ),
    )
    folder.write_signed(shipment, folder.signer())
    return found


def _uuid(label: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, label))
