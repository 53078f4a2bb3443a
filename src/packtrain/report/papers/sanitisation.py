"""The sanitisation certificate: of each drive what the closing record says, of an erased one what ran and was seen."""

from __future__ import annotations

from collections import Counter

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.closing import ClosedDrive
from packtrain.documents.sanitisation import NOT_SANITISED, ReadBack, Sanitisation
from packtrain.report.papers.goods import dagger_note, make_and_model, serial
from packtrain.report.papers.markup import Html, el
from packtrain.report.papers.people import name_of
from packtrain.report.papers.sheet import day, facts, minute, page, section, signatures, table
from packtrain.units import counted, format_bytes

TITLE = "Sanitisation certificate"
_WORDS = (
    '"Clear" and "Purge" are the words of NIST SP 800-88. Clear: all places that a host can address were overwritten '
    "or discarded, and a sample of them, or all, as it is said of each drive, was read back. Purge: more than that, by "
    "the device's own command; packtrain runs none and "
    'claims none. "Not sanitised": nothing ran, or what ran did not leave the drive empty. A key that was destroyed '
    "protects the volumes only as far as every copy of it is gone; that is not claimed here as Purge. The empty "
    "columns are for whoever sanitises the drives with the maker's tool."
)


def sanitisation_certificate(sources: PaperSources, name: str) -> bytes:
    """Return the sanitisation certificate."""
    closing, shipment = sources.closing, sources.shipment
    assert closing is not None and shipment is not None
    items = {item.label: item for item in sources.items() if item.label}
    serials = {drive.uuid: drive.serial for drive in shipment.drives}
    bare = [drive for drive in closing.drives if _record(sources, drive) is None]
    details = list(dict.fromkeys(drive.detail for drive in bare))
    tally = Counter(drive.sanitisation for drive in closing.drives)
    rows = [
        _row(sources, drive, position, items.get(drive.label), serials, details)
        for position, drive in enumerate(closing.drives, 1)
    ]
    verdict = "; ".join(f"{number} of {len(rows)} drives: {_shown(method)}" for method, number in sorted(tally.items()))
    entries = [(drive, record) for drive in closing.drives if (record := _record(sources, drive)) is not None]
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
                    ("Result as signed", "s", 27),
                    ("How", "s", 13),
                    ("Done since: Clear / Purge / Destroy, tool and version", "", 25),
                    ("Verified: full / sample, result", "", 18),
                    ("Date, initials", "", 14),
                ),
                rows,
            ),
        ),
        dagger_note([items[drive.label] for drive in closing.drives if drive.label in items]),
        *(_entry(sources, drive, record) for drive, record in entries),
        section(
            "What the words mean, and what is not here",
            *(el("p", f"Note {number}: {detail}.", cls="say") for number, detail in enumerate(details, 1)),
            el("p", _WORDS, cls="say"),
            *(el("p", f"Not reached: {text}.", cls="say") for text in closing.not_reached),
        ),
        section(
            "Persons, destination",
            signatures(("The media afterwards", ("Final classification", "Destination"))),
            signatures(
                ("Performed by", ("Name and title", "Organisation, place, telephone", "Date", "Signature")),
                ("Validated by", ("Name and title", "Organisation, place, telephone", "Date", "Signature")),
            ),
        ),
    )
    subtitle = "What was done to each drive before it serves another use."
    return page(sources, name, TITLE, subtitle, ("closing", "shipment", "packing-statement", "customs"), body)


def _record(sources: PaperSources, drive: ClosedDrive) -> Sanitisation | None:
    return sources.sanitised.get(drive.record) if drive.record is not None else None


def _row(
    sources: PaperSources,
    drive: ClosedDrive,
    position: int,
    item: Item | None,
    serials: dict[str, str],
    details: list[str],
) -> list[str]:
    goods = item.goods if item else None
    record = _record(sources, drive)
    read = record.read_back if record is not None else None
    done = drive.sanitisation != NOT_SANITISED
    return [
        str(item.number if item else position),
        drive.label,
        make_and_model(goods) if goods else (record.device.model if record is not None else ""),
        serial(item) if item else serials.get(drive.uuid, ""),
        _shown(drive.sanitisation),
        "below" if record is not None else f"note {details.index(drive.detail) + 1}",
        f"see {drive.label} below" if done else "",
        f"{read.how}, {'empty' if read.is_empty else 'NOT EMPTY'}" if read is not None else "",
        day(record.finished) if record is not None and done else "",
    ]


def _entry(sources: PaperSources, drive: ClosedDrive, record: Sanitisation) -> Html:
    """Return what is signed of one drive: what it is, what ran, what was read back, and what that does not say."""
    device = record.device
    known = {
        "closing record": "its signed closing record, read before the first write",
        "serial number": "its serial number",
    }
    return section(
        f"Drive {drive.label}: {_shown(record.result)}",
        *([el("p", record.why, ".", cls="say")] if record.why else []),
        facts(
            (
                ("Device", f"{device.model or 'no model told'}, {format_bytes(device.size_bytes)}"),
                ("Serial number it showed", device.serial or "none of its own"),
                ("Serial number as shipped", record.shipped_serial),
                ("Known by", known[record.known_by]),
                ("Device id", device.id),
                ("Transport, kind", f"{device.transport or 'not told'}, {_kind_of(record)}"),
                ("Method", record.method),
                ("Performed by", f"{record.person}, for {name_of(sources.parties, record.by)}"),
                ("Begun, finished (UTC)", f"{minute(record.started)} to {minute(record.finished)}"),
                ("Drive UUID", record.drive),
            )
        ),
        table(
            (("What ran", "m", 0), ("Tool", "", 40), ("Exit", "n", 10), ("What it covered, or said", "", 70)),
            [
                [
                    " ".join(step.argv) or f"{_own_work(record)} by packtrain",
                    step.tool,
                    "\u2013" if step.exit_status is None else str(step.exit_status),
                    step.detail,
                ]
                for step in record.steps
            ],
        ),
        el("p", "Read back: ", _seen(record.read_back, device.size_bytes), cls="say"),
        *(el("p", "Limit: ", text, ".", cls="say") for text in record.limits),
        el("p", "Signed record, SHA-256: ", el("span", drive.record or "", cls="mono"), cls="say"),
    )


def _own_work(record: Sanitisation) -> str:
    return "files removed" if record.method == "files removed" else "zeros written"


def _kind_of(record: Sanitisation) -> str:
    if record.device.transport in ("loop", "folder"):
        return "not a drive of its own"
    return "rotating disk" if record.device.is_rotational else "no rotating disk"


def _seen(read: ReadBack | None, size_bytes: int) -> str:
    if read is None:
        return "nothing was read back."
    share = 100 * read.read_bytes / size_bytes if size_bytes else 0
    how = "every byte" if read.how == "full" else f"a sample, {share:.3g} % of the drive, drawn by lot {read.seed}"
    past = {"direct": "past the page cache", "dropped": "after the page cache was dropped"}[read.past_cache]
    headers = (
        f"; of {read.num_headers} volumes that began there before, {read.num_headers_left} still do"
        if read.num_headers
        else "; where volumes had stood was not known"
    )
    found = f"all bytes {read.pattern}" if read.is_empty else f"{read.num_faults} blocks NOT EMPTY or unreadable"
    at = read.first_fault
    first = f", the first at byte {at.offset}: {at.found or 'cannot be read'}" if at is not None else ""
    return f"{how}, {read.num_blocks:,} blocks, {past}: {found}{first}{headers}."


def _shown(method: str) -> str:
    """Return the word of closing.json, loud where it says that nothing was done."""
    return method.upper() if method == NOT_SANITISED else method
