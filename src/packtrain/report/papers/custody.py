"""The chain of custody: each thing, then each signed event in its order, then lines for a hand-over on paper."""

from __future__ import annotations

from packtrain.diligence.hand_over import holdings
from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.custody import CustodyEvent
from packtrain.record.custody import CustodyLine
from packtrain.report.papers.goods import dagger_note, named, serial
from packtrain.report.papers.markup import el
from packtrain.report.papers.people import name_of
from packtrain.report.papers.sheet import blank_rows, minute, page, section, table
from packtrain.units import counted

TITLE = "Chain of custody"


def chain_of_custody(sources: PaperSources, name: str) -> bytes:
    """Return the chain of custody."""
    statement, lines = sources.statement, sources.custody
    assert statement is not None and lines
    items = sources.items()
    held = holdings(lines, "custody log")
    standing = [
        [
            case,
            holding.seal,
            name_of(sources.parties, holding.holder),
            f"released to {name_of(sources.parties, holding.released_to)}, not accepted yet"
            if holding.released_to
            else "",
        ]
        for case, holding in sorted(held.items())
    ]
    body = (
        section(
            "Who holds what at the end of this record",
            table((("Case", "s", 20), ("Seal", "s", 34), ("Held by", "", 0), ("Open hand-over", "", 60)), standing),
        ),
        section(
            "Events, in the order they were signed",
            table(
                (
                    ("No.", "n", 8),
                    ("When (UTC)", "s", 19),
                    ("Case, seal", "", 25),
                    ("What", "s", 20),
                    ("Released by / noted by", "", 24),
                    ("Received by", "", 24),
                    ("Place, persons, purpose", "", 0),
                    ("Signed entry", "x", 28),
                ),
                [_row(sources, line) for line in lines],
            ),
            el(
                "p",
                "A hand-over is two entries: released, signed by who gives; accepted, signed by who receives, which "
                "names the first. Every other entry is signed by who noted it. Each holds the SHA-256 of the entry "
                "before it.",
                cls="say",
            ),
        ),
        section(
            "Hand-over on paper, to be entered into the log afterwards",
            table(
                (
                    ("Item no. or case", "", 24),
                    ("Date, time, place", "", 34),
                    ("Released by: name, signature", "", 0),
                    ("Received by: name, signature", "", 42),
                    ("Purpose", "", 22),
                    ("Seal no., intact", "", 22),
                ),
                blank_rows(5, 6),
                cls="hand",
            ),
        ),
        section(
            "Items",
            table(
                (
                    ("Item", "n", 12),
                    ("Case", "s", 16),
                    ("Label", "s", 18),
                    ("Description", "", 0),
                    ("Serial number", "m", 50),
                ),
                [[str(item.number), item.case, item.label, _description(item), serial(item)] for item in items],
            ),
        ),
        dagger_note(items),
        el(
            "p",
            f"Last line of this log: {lines[-1].digest}. Compare it with the other party's: a log that was cut short "
            "shows only so. No log shows whether a seal was copied, or where a case was between two entries.",
            cls="say",
        ),
    )
    subtitle = (
        f"{counted(len(items), 'item')} in {counted(len(statement.cases), 'case')}, "
        f"{counted(len(lines), 'signed event')}."
    )
    return page(sources, name, TITLE, subtitle, ("custody", "packing-statement", "customs"), body)


def _row(sources: PaperSources, line: CustodyLine) -> list[str]:
    event = line.event
    by = name_of(sources.parties, event.by)
    counterpart = name_of(sources.parties, event.counterpart) if event.counterpart else ""
    released, received = (counterpart, by) if event.verb == "accepted" else (by, "")
    if event.verb == "released":
        received = f"to: {counterpart}"
    return [
        str(event.sequence + 1),
        minute(event.at),
        _about(event),
        event.verb,
        released,
        received,
        event.note + (f"; answers {event.answers[:16]}" if event.answers else ""),
        line.digest[:32],
    ]


def _about(event: CustodyEvent) -> str:
    if event.seals and len(event.seals) == len(event.cases):
        text = ", ".join(f"{case} ({seal})" for case, seal in zip(event.cases, event.seals, strict=True))
    else:
        text = ", ".join((*event.cases, *event.seals))
    return text + (f"; {counted(len(event.drives), 'drive')}" if event.drives else "")


def _description(item: Item) -> str:
    goods = item.goods
    return named(goods) if goods else "drive"
