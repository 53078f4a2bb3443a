"""The seal record: which seal is on which case, who put it on, what was seen of it since, lines for whoever checks."""

from __future__ import annotations

from packtrain.diligence.paper_sources import PaperSources
from packtrain.documents.custody import CustodyEvent
from packtrain.report.papers.goods import dagger_note, serial
from packtrain.report.papers.markup import el
from packtrain.report.papers.people import name_of
from packtrain.report.papers.sheet import blank_rows, facts, minute, page, section, table
from packtrain.units import counted

TITLE = "Seal record"
_SEEN = ("sealed", "released", "accepted", "seal-checked", "seal-broken")


def seal_record(sources: PaperSources, name: str) -> bytes:
    """Return the seal record."""
    statement, customs = sources.statement, sources.customs
    assert statement is not None
    items = sources.items()
    events = [line for line in sources.custody if line.event.verb in _SEEN]
    rows: list[list[str]] = []
    for case in statement.cases:
        put = [line.event for line in events if line.event.verb == "sealed" and case.label in line.event.cases]
        last = put[-1] if put else None
        inside = [item for item in items if item.case == case.label]
        rows.append(
            [
                case.seal,
                case.label,
                counted(len(case.drives), "drive"),
                case.carrier,
                name_of(sources.parties, last.by) if last else "not in the custody log",
                minute(last.at) if last else "",
                el("div", *(el("p", serial(item)) for item in inside if item.label), cls="two"),
            ]
        )
    kind = customs.seal_type if customs else "not stated"
    maker = customs.seal_maker if customs else "not stated"
    body = (
        facts((("Type of seal", kind), ("Maker", maker), ("Cases", str(len(rows))), ("Shipment", statement.shipment))),
        section(
            "Seals as they were put on",
            table(
                (
                    ("Seal no.", "s", 21),
                    ("Case", "s", 14),
                    ("Holds", "s", 16),
                    ("Carried by", "", 0),
                    ("Put on by", "", 24),
                    ("When (UTC)", "s", 21),
                    ("Serial numbers of the drives inside", "", 62),
                ),
                rows,
            ),
        ),
        dagger_note(items),
        section(
            "What the custody log says of them since",
            table(
                (
                    ("When (UTC)", "s", 21),
                    ("Case", "s", 14),
                    ("Seal", "s", 24),
                    ("What", "s", 24),
                    ("By", "", 27),
                    ("Note", "", 0),
                    ("Entry", "x", 28),
                ),
                [
                    [
                        minute(line.event.at),
                        ", ".join(line.event.cases),
                        ", ".join(line.event.seals),
                        _what(line.event),
                        name_of(sources.parties, line.event.by),
                        line.event.note,
                        line.digest[:32],
                    ]
                    for line in events
                    if line.event.verb != "sealed"
                ]
                or [["", "", "", "nothing yet", "", "", ""]],
            ),
        ),
        section(
            "Checked by hand",
            table(
                (
                    ("Case", "", 14),
                    ("Seal no. as read", "", 26),
                    ("Intact: yes / no", "", 20),
                    ("New seal no.", "", 26),
                    ("Checked by (name, office)", "", 0),
                    ("Place, date, time", "", 34),
                    ("Signature", "", 26),
                ),
                blank_rows(max(4, len(rows)), 7),
                cls="hand",
            ),
            el(
                "p",
                "Where an authority opens a seal, a new one is put on; its number is written here and signed into the "
                "custody log. No record shows whether a seal was copied.",
                cls="say",
            ),
        ),
    )
    subtitle = f"{counted(len(rows), 'numbered seal')}, one on each case."
    return page(
        sources,
        name,
        TITLE,
        subtitle,
        ("packing-statement", "customs", "custody"),
        body,
        customs.reference if customs else "",
    )


def _what(event: CustodyEvent) -> str:
    return {
        "seal-checked": "seal checked, see the note",
        "seal-broken": "SEAL BROKEN",
        "released": "released under this seal",
        "accepted": "accepted under this seal",
    }[event.verb]
