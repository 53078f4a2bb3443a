"""The sanitisation certificate: what was done to each drive, in the words of closing.json; mostly that nothing was."""

from __future__ import annotations

from collections import Counter

from packtrain.diligence.paper_sources import PaperSources
from packtrain.report.papers.goods import dagger_note, make_and_model, serial
from packtrain.report.papers.markup import el
from packtrain.report.papers.people import name_of
from packtrain.report.papers.sheet import day, facts, page, section, signatures, table
from packtrain.units import counted

TITLE = "Sanitisation certificate"


def sanitisation_certificate(sources: PaperSources, name: str) -> bytes:
    """Return the sanitisation certificate."""
    closing, shipment = sources.closing, sources.shipment
    assert closing is not None and shipment is not None
    items = {item.label: item for item in sources.items() if item.label}
    serials = {drive.uuid: drive.serial for drive in shipment.drives}
    details = list(dict.fromkeys(drive.detail for drive in closing.drives))
    tally = Counter(drive.sanitisation for drive in closing.drives)
    rows: list[list[str]] = []
    for position, drive in enumerate(closing.drives, 1):
        item = items.get(drive.label)
        goods = item.goods if item else None
        rows.append(
            [
                str(item.number if item else position),
                drive.label,
                make_and_model(goods) if goods else "",
                serial(item) if item else serials.get(drive.uuid, ""),
                _shown(drive.sanitisation),
                f"note {details.index(drive.detail) + 1}",
                "",
                "",
                "",
            ]
        )
    verdict = "; ".join(f"{number} of {len(rows)} drives: {_shown(method)}" for method, number in sorted(tally.items()))
    body = (
        el("p", verdict, cls="big"),
        facts(
            (
                ("Stated by", name_of(sources.parties, closing.by)),
                ("On", day(closing.closed_on)),
                ("Shipment", closing.shipment),
                ("Media", counted(len(rows), "drive")),
                ("Source", "drives of this shipment; volumes encrypted (age v1)"),
                ("Keys destroyed here", ", ".join(closing.keys_destroyed) or "none"),
                ("Backup of the data", "not stated"),
                ("Papers kept", f"{closing.retention_years} years"),
            )
        ),
        section(
            "Media",
            table(
                (
                    ("Item", "n", 10),
                    ("Label", "s", 12),
                    ("Make, model", "", 0),
                    ("Serial number", "m", 34),
                    ("Method as signed", "s", 27),
                    ("How", "s", 13),
                    ("Done since: Clear / Purge / Destroy, tool and version", "", 25),
                    ("Verified: full / sample, result", "", 18),
                    ("Date, initials", "", 14),
                ),
                rows,
            ),
        ),
        dagger_note([items[drive.label] for drive in closing.drives if drive.label in items]),
        section(
            "How, as signed",
            *(el("p", f"Note {number}: {detail}.", cls="say") for number, detail in enumerate(details, 1)),
            el(
                "p",
                '"Not sanitised" means that packtrain ran no command on the device. A key that was destroyed protects '
                "the volumes only as far as every copy of it is gone; that is not claimed here as Purge. The empty "
                "columns are for whoever sanitises the drives with the maker's tool.",
                cls="say",
            ),
        ),
        section(
            "Persons, destination",
            signatures(("The media afterwards", ("Final classification", "Destination"))),
            signatures(
                (
                    "Performed by",
                    ("Name and title", "Organisation, place, telephone", "Date", "Signature"),
                ),
                (
                    "Validated by",
                    ("Name and title", "Organisation, place, telephone", "Date", "Signature"),
                ),
            ),
        ),
    )
    subtitle = "What was done to each drive before it serves another use."
    return page(sources, name, TITLE, subtitle, ("closing", "shipment", "packing-statement", "customs"), body)


def _shown(method: str) -> str:
    """Return the word of closing.json, loud where it says that nothing was done."""
    return method.upper() if method == "not sanitised" else method
