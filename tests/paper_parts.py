"""An invented observatory that lends sixty drives to an invented university: what papers to print are made from."""

import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import unread_serial
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE
from packtrain.stages import carry
from three_parties import three_parties
from voyage_papers import AT, Papers, accept_cases, copy_papers, declaration_toml, release_cases

SOLID = ("D13", "D14", "D15")
"""Labels of the drives that are solid-state drives; the others are hard disks."""
UNREAD = "C7"
"""Label of the drive whose serial number packtrain could not read."""
PRINTED = "ZXA0C7F9"
CASES = {"A": "W. Rojas", "B": "W. Rojas", "C": "I. de Wit", "D": "I. de Wit"}


def serial_of(label: str) -> str:
    """Return the serial number that a drive's paper shows."""
    if label == UNREAD:
        return PRINTED
    number = int(label[1:]) * 37 + ord(label[0]) * 101
    return f"S6P7NS0W{number:05d}N" if label in SOLID else f"ZXA{number:05X}"


def customs_toml(changes: Mapping[str, str] | None = None) -> str:
    """Return a complete customs.toml for the sixty drives; `changes` replaces texts in it."""
    cases = "".join(
        f'[[case]]\nlabel = "{case}"\nmarks = "OBS-7/{number} FRAGILE"\nlength_cm = "56"\nwidth_cm = "45.5"\n'
        f'height_cm = "26.5"\ngross_kg = "{gross}"\n'
        for number, (case, gross) in enumerate(zip("ABCD", ("16.850", "16.900", "16.850", "15.1"), strict=True), 1)
    )
    text = f"""\
reference = "PF-2026-0117"
place = "Vicuña"
[consignor]
name = "Observatorio Cerro Ejemplo"
address = "Camino a la Cumbre km 7, Vicuña, Coquimbo"
country = "CL"
tax_id = "RUT 60.000.000-0"
eori = "none"
contact = "W. Rojas, +56 51 200 0000, carga@observatorio.example"
[consignee]
name = "Example University, Faculty of Science"
address = "Voorbeeldweg 12, 2333 XX Leiden"
country = "NL"
tax_id = "NL000000000B00"
eori = "NL000000000"
contact = "I. de Wit, +31 71 000 0000, data@university.example"
[carnet]
holder = "consignor"
representative = "W. Rojas, passport at hand"
[carriage]
reason = "temporary export for scientific work, not for sale"
intended_use = "professional equipment: reading of recorded observations at a computing centre"
returns_by = "2027-05-31"
incoterm = "DAP Leiden (Incoterms 2020)"
dispatch = "CL"
destination = "NL"
port_of_exit = "Santiago airport (SCL)"
port_of_entry = "Amsterdam Schiphol (AMS)"
transport = "accompanied baggage, two travellers, flight XX 701 of 2026-12-03"
[value]
currency = "EUR"
basis = "purchase invoices of May 2026, converted on 2026-11-20"
recorded_data = "none declared"
freight = "640.00"
insurance = "185.5"
[seals]
type = "plastic pull-tight, indicative (ISO 17712)"
maker = "Example Seals"
{cases}[[drive]]
cases = ["A", "B", "C", "D"]
description = "hard disk drive, 3.5 inch, SATA, 24 TB, used"
make = "Example Storage"
model = "ES24000NM001"
hs_code = "8471.70"
origin = "TH"
value_each = "412.37"
net_kg_each = "0.685"
lithium = "none"
export_class = "none"
[[drive]]
labels = ["D13", "D14", "D15"]
description = "solid-state drive, 2.5 inch, NVMe, 15.36 TB, used"
make = "Example Flash"
model = "EF1536-U2"
hs_code = "8523.51"
origin = "KR"
value_each = "1830.05"
net_kg_each = "0.142"
lithium = "none"
export_class = "5A992.c"
[[other]]
case = "A"
pieces = 1
serial = "DK-88-0041"
description = "drive dock, eight bays, USB 3.2, with power supply"
make = "Example Docks"
model = "DK-8"
hs_code = "8471.80"
origin = "TW"
value_each = "240"
net_kg_each = "2.1"
lithium = "none"
export_class = "none"
[[other]]
case = "D"
pieces = 8
serial = "none"
description = "data cable, 1 m"
make = "none"
model = "none"
hs_code = "8544.42"
origin = "CN"
value_each = "6.5"
net_kg_each = "0.06"
lithium = "none"
export_class = "none"
[serials]
{UNREAD} = "{PRINTED}"
"""
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def sealed(root: Path) -> Papers:
    """Return the voyage, sealed in four cases for two carriers; customs.toml is not written yet."""
    return copy_papers(_template("sealed"), root)


def closed(root: Path) -> Papers:
    """Return the voyage with customs.toml answered, handed over, and closed by the consignor."""
    return copy_papers(_template("closed"), root)


_kept: list[TemporaryDirectory[str]] = []


@cache
def _template(state: str) -> Papers:
    # Made once a process and copied: signing and syncing sixty drives' papers costs half a second.
    _kept.append(TemporaryDirectory(prefix="papers-to-print-"))
    papers = _sealed(Path(_kept[-1].name))
    if state == "closed":
        (papers.consignor.root / "customs.toml").write_text(customs_toml())
        hand_over(papers)
        close(papers)
    return papers


def _sealed(root: Path) -> Papers:
    papers = Papers(root, three_parties(root, "sky survey 7"))
    papers.declare(declaration_toml({"most_drives": "60"}))
    drives = [(f"{case}{number}", case) for case in CASES for number in range(1, 16)]
    uuids = {label: str(uuid.uuid5(uuid.NAMESPACE_OID, label)) for label, _ in drives}
    serials = {label: unread_serial(uuids[label]) if label == UNREAD else serial_of(label) for label in uuids}
    folder, signer = papers.consignor, papers.consignor.signer()
    plan = Plan(
        shipment=str(uuid.uuid5(uuid.NAMESPACE_OID, "shipment")),
        attempt=1,
        purpose="cargo",
        declaration=folder.digest(Declaration),
        recipient="age1" + "q" * 58,
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=1 << 32,
        cases=tuple(CASES),
        drives=tuple(
            PlannedDrive(uuid=uuids[label], label=label, serial=serials[label], case=case) for label, case in drives
        ),
        groups=(PlannedGroup(group=0, k=45, m=15, drives=tuple(uuids.values())),),
        survive=Survive(cases=1, drives=0),
        cargo="c" * 64,
        byte_cap=None,
        contact="the test",
        created=AT,
        software="packtrain test",
    )
    folder.write_signed(plan, signer)
    shipped = tuple(
        ShippedDrive(
            uuid=uuids[label], replaces=(), label=label, serial=serials[label], case=case, group=0, record="b" * 64
        )
        for label, case in drives
    )
    shipment = Shipment(
        shipment=plan.shipment,
        attempt=1,
        purpose="cargo",
        plan=digest(plan),
        groups=(ShippedGroup(group=0, record="d" * 64),),
        drives=shipped,
        num_files=1000,
        plaintext_bytes=10**15,
        stored_bytes=10**15 * 4 // 3,
        closed=AT,
    )
    folder.write_signed(shipment, signer)
    text = (folder.root / VOYAGE_FILE).read_text()
    for number, (case, carrier) in enumerate(CASES.items()):
        text += f'\n[[drives.case]]\nlabel = "{case}"\ndrives = ["{case}"]\n'
        text += f'carrier = "{carrier}"\nseal = "NL-4471{number:02d}"\n'
    (folder.root / VOYAGE_FILE).write_text(text)
    carry.seal(folder, papers.sink)
    return papers


def hand_over(papers: Papers, note: str = "airport, cargo desk 3; W. Rojas to I. de Wit") -> None:
    """All cases from the consignor to the operator, and a look at a seal on the way."""
    carry.observe(papers.consignor, "seal-checked", discard, cases=("A",), note="customs hall; intact")
    offered = release_cases(
        papers.consignor, tuple(CASES), "operator", discard, destination=papers.root / "over.jsonl", note=note
    )
    answer = accept_cases(
        papers.operator, offered, discard, destination=papers.root / "answer.jsonl", note="all intact"
    )
    carry.adopt(papers.consignor, answer, discard)


def close(papers: Papers, detail: str = "no sanitising command was run on this drive by packtrain") -> None:
    """Sign the consignor's closing record: no drive was sanitised."""
    shipment = papers.consignor.read(Shipment)
    closing = Closing(
        shipment=shipment.shipment,
        by="consignor",
        export_list=None,
        keys_destroyed=("shipment.consignor.age",),
        not_reached=("backups",),
        drives=tuple(
            ClosedDrive(uuid=drive.uuid, label=drive.label, sanitisation="not sanitised", record=None, detail=detail)
            for drive in shipment.drives
        ),
        kept=("custody.jsonl",),
        retention_years=10,
        closed_on="2027-06-02T10:00:00Z",
    )
    papers.consignor.write_signed(closing, papers.consignor.signer())
