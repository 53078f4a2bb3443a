"""The packing statement: one statement over all cases, carriers and seals of a shipment, made from what was packed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Final

from packtrain.diligence import amendments
from packtrain.documents.codec import digest
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.packing_statement import PackedCase, PackedDrive, PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError, StageNotReady, VoyageFileError
from packtrain.record.folder import VoyageFolder

MAX_CARRIER: Final = 256
MAX_SEAL: Final = 64
_NAMED: Final = re.compile(r"; packing statement (?P<statement>[0-9a-f]{64})\Z")


def state_packing(folder: VoyageFolder, stated_on: str) -> PackingStatement:
    """Return the statement that shipment.json and [[drives.case]] of voyage.toml make, unsigned.

    Raises:
        StageNotReady: nothing is packed or declared, or the shipment is no cargo.
        VoyageFileError: carriers or seals are missing or given twice; all are named.
        DossierError: shipment, plan and declaration do not belong together.
    """
    plan, shipment = folder.read_signed(Plan), folder.read_signed(Shipment)
    if shipment.purpose != "cargo":
        raise StageNotReady(
            f"this shipment is a {shipment.purpose}; only cargo travels under a packing statement",
            where=str(folder.document_path(Shipment)),
            hint='run "packtrain pack" first',
        )
    chain = amendments.chain_of(folder)
    if shipment.plan != digest(plan) or plan.declaration not in {name for name, _ in chain}:
        raise DossierError(
            "plan, shipment and declaration do not belong together",
            where=str(folder.documents),
            expected=f"a shipment of plan {digest(plan)[:12]} under declaration {chain[-1][0][:12]}",
            found=f"plan {shipment.plan[:12]}, declaration {(plan.declaration or 'none')[:12]}",
            hint='run "packtrain pack" again',
        )
    packed: defaultdict[str, list[PackedDrive]] = defaultdict(list)
    for drive in shipment.drives:
        packed[drive.case].append(PackedDrive(uuid=drive.uuid, label=drive.label, serial=drive.serial))
    sections = {case.label: case for case in folder.voyage_file().drives.case}
    faults: list[str] = []
    for label in sorted(packed):
        section = sections.get(label)
        if section is None:
            faults.append(f"case {label}: not in voyage.toml")
            continue
        for field, most in (("carrier", MAX_CARRIER), ("seal", MAX_SEAL)):
            text: str = getattr(section, field).strip()
            if not text:
                faults.append(f"case {label}: no {field}")
            elif len(text) > most:
                faults.append(f"case {label}: {field} is longer than {most} characters")
    seals = Counter(sections[label].seal.strip() for label in packed if label in sections)
    faults += [f"seal {seal}: on {count} cases" for seal, count in sorted(seals.items()) if seal and count > 1]
    if faults:
        raise VoyageFileError(
            "the cases cannot be sealed: " + "; ".join(faults),
            where=str(folder.root / "voyage.toml"),
            expected="a carrier and a seal number of its own for each [[drives.case]]",
            hint='write the name of the person and the number on the seal: carrier = "J. Smit", seal = "0471"',
        )
    return PackingStatement(
        shipment=shipment.shipment,
        attempt=shipment.attempt,
        plan=shipment.plan,
        declaration=chain[0][0],
        shipment_root=folder.digest(Shipment),
        cases=tuple(
            PackedCase(
                label=label,
                carrier=sections[label].carrier.strip(),
                seal=sections[label].seal.strip(),
                drives=tuple(sorted(packed[label], key=lambda drive: drive.label)),
            )
            for label in sorted(packed)
        ),
        note=f"one statement over all {len(packed)} cases and {len(shipment.drives)} drives of this shipment",
        stated_on=stated_on,
    )


def sealed_note(case: PackedCase, statement: str) -> str:
    """Return the note of a case's `sealed` entry: who carries it, and under which statement."""
    return f"carrier {case.carrier}; packing statement {statement}"


def names_statement(event: CustodyEvent, statement: str) -> bool:
    """Return whether a `sealed` entry was made under this packing statement (SHA-256)."""
    return event.note.endswith(f"; packing statement {statement}")


def statement_named(event: CustodyEvent) -> str | None:
    """Return the SHA-256 of the packing statement under which a `sealed` entry was made, or None."""
    found = _NAMED.search(event.note) if event.verb == "sealed" else None
    return found["statement"] if found else None
