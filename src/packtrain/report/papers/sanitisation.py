"""The sanitisation certificate: what was done to each drive, in the words of closing.json; mostly that nothing was."""

from __future__ import annotations

from collections import Counter

from packtrain.diligence.paper_sources import PaperSources
from packtrain.report.papers.markup import el
from packtrain.report.papers.people import name_of
from packtrain.report.papers.sheet import count, day, facts, page, section, signatures, table

TITLE = "Certificate of media disposition"


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
                f"{goods.make} {goods.model}" if goods else "",
                item.serial if item else serials.get(drive.uuid, ""),
                drive.sanitisation.upper() if drive.sanitisation == "not sanitised" else drive.sanitisation,
                f"note {details.index(drive.detail) + 1}",
                "",
                "",
                "",
            ]
        )
    verdict = "; ".join(f"{method}: {number} of {len(rows)}" for method, number in sorted(tally.items()))
    body = (
        el("p", verdict, cls="big"),
        facts(
            (
                ("Stated by", name_of(sources.parties, closing.by)),
                ("On", day(closing.closed_on)),
                ("Shipment", closing.shipment),
                ("Media", count(len(rows), "drive")),
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
                    ("Item", "n"),
                    ("Label", "s"),
                    ("Make, model", ""),
                    ("Serial number", "m"),
                    ("Method as signed", "s"),
                    ("Technique", "s"),
                    ("Done since: Clear / Purge / Destroy, tool and version", "h"),
                    ("Verified: full / sample, result", "h"),
                    ("Date, initials", "h"),
                ),
                rows,
            ),
        ),
        section(
            "Technique, as signed",
            *(el("p", f"Note {number}: {detail}.", cls="say") for number, detail in enumerate(details, 1)),
            el(
                "p",
                '"Not sanitised" means that packtrain ran no command on the device. A key that was destroyed protects the '
                "volumes only as far as every copy of it is gone; that is not claimed here as Purge. The empty columns are "
                "for whoever sanitises the drives with the maker's tool.",
                cls="say",
            ),
        ),
        section(
            "Persons, destination",
            facts((("Final classification", ""), ("Destination of the media", ""))),
            signatures(
                (
                    "Performed by",
                    ("Name and title", "Organisation, place", "Telephone", "Date", "Signature"),
                ),
                (
                    "Validated by",
                    ("Name and title", "Organisation, place", "Telephone", "Date", "Signature"),
                ),
            ),
        ),
    )
    subtitle = "What was done to each drive before it serves another use."
    return page(sources, name, TITLE, subtitle, "closing", body)
