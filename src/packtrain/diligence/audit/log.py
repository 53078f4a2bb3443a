"""A custody log as an audit reads it: every line with a verdict, every break of the chain a fault, none the last."""

from __future__ import annotations

from dataclasses import dataclass

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.faults import Fault, shown
from packtrain.diligence.audit.keyring import Keyring
from packtrain.diligence.audit.signatures import SeenSignature, look_at
from packtrain.documents.codec import decode, json_object
from packtrain.documents.custody import CustodyEvent
from packtrain.errors import DocumentError
from packtrain.record.custody import GENESIS, MAX_LINE_BYTES, CustodyLine

MAX_LINES = 100_000


@dataclass(frozen=True, slots=True)
class SeenLine:
    """One line.

    Attributes:
        number: counted from 1.
        digest: SHA-256 of its bytes, by which other lines name it.
        event: what it says; None where that may not be told.
    """

    number: int
    digest: str
    payload: bytes
    signature: SeenSignature
    event: CustodyEvent | None


@dataclass(frozen=True, slots=True)
class CustodyLog:
    """One log: all of its lines, and what is wrong with them."""

    name: str
    lines: tuple[SeenLine, ...]
    faults: tuple[Fault, ...]

    @property
    def events(self) -> list[tuple[SeenLine, CustodyEvent]]:
        """Return the lines that may be believed."""
        return [(line, line.event) for line in self.lines if line.event is not None]

    @property
    def believed(self) -> tuple[CustodyLine, ...]:
        """Return them as other rooms read them."""
        return tuple(CustodyLine(event, line.digest, line.payload) for line, event in self.events)


def read_log(payload: bytes, keyring: Keyring, name: str) -> CustodyLog:
    """Return every line of a log and everything that is wrong with it."""
    faults: list[Fault] = []
    raw_lines = payload.split(b"\n")
    if raw_lines.pop() != b"":
        faults.append(Fault("custody", name, "the last line is cut short; it is not read"))
    if len(raw_lines) > MAX_LINES:
        faults.append(Fault("too large", name, f"more than {MAX_LINES} lines; the rest is not read"))
    lines: list[SeenLine] = []
    previous, latest, shipment = GENESIS, "", None
    for number, raw in enumerate(raw_lines[:MAX_LINES], 1):
        where = f"{name}, line {number}"
        line, event = _line(raw, number, where, keyring, faults)
        lines.append(line)
        if event is not None:
            if event.sequence != number - 1 or event.previous != previous:
                what = (
                    "the chain is broken here: a line was removed, added, altered or moved "
                    f"(expected entry {number - 1} after {previous[:12]}, "
                    f"found entry {event.sequence} after {event.previous[:12]})"
                )
                faults.append(Fault("custody", where, what))
            if event.at < latest:
                faults.append(Fault("custody", where, f"dated {event.at}, before the entry it follows ({latest})"))
            latest = max(latest, event.at)
            shipment = shipment or event.shipment
            if event.shipment != shipment:
                faults.append(Fault("custody", where, f"an entry of another shipment: {event.shipment}"))
        previous = line.digest
    return CustodyLog(name, tuple(lines), tuple(faults))


def _line(
    raw: bytes, number: int, where: str, keyring: Keyring, faults: list[Fault]
) -> tuple[SeenLine, CustodyEvent | None]:
    """Return the line, and the event that it spells, believed or not: the chain is looked at either way."""
    digest = sha256_bytes(raw)
    nothing = SeenSignature("none", "no signature that could be read")
    try:
        if len(raw) > MAX_LINE_BYTES:
            raise DocumentError("longer than any entry", where=where)
        body = json_object(raw, where)
        if set(body) != {"entry", "signature"} or not all(isinstance(value, str) for value in body.values()):
            raise DocumentError("other fields than entry and signature", where=where)
        entry, signature = str(body["entry"]).encode("utf-8"), str(body["signature"]).encode("utf-8")
        if rfc8785.dumps(body) != raw:
            raise DocumentError("not in canonical form", where=where)
    except (DocumentError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        what = error.what if isinstance(error, DocumentError) else "text that is not Unicode"
        faults.append(Fault("malformed", where, f"not a line of a custody log: {shown(what)}"))
        return SeenLine(number, digest, raw, nothing, None), None
    seen = look_at(CustodyEvent, entry, signature, keyring)
    try:
        event = decode(CustodyEvent, entry, where)
    except DocumentError as error:
        if (fault := seen.fault(where)) is not None:
            faults.append(fault)
        faults.append(Fault("malformed", where, error.message.removeprefix(f"{where}: ")))
        return SeenLine(number, digest, raw, seen, None), None
    if seen.is_believed and event.by not in seen.roles:
        words = f"it speaks for the {event.by}, and is signed by another: {seen.words}"
        seen = SeenSignature("foreign", words, seen.key, seen.fingerprint)
    if (fault := seen.fault(where)) is not None:
        faults.append(fault)
    return SeenLine(number, digest, raw, seen, event if seen.is_believed else None), event
