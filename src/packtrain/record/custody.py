"""The custody log: a chain of signed JSON lines, one file a holder.

A line is canonical JSON {"entry": <custody document>, "signature": <SSHSIG>}. Each entry names the SHA-256 of the line
before it, so that a changed, dropped or reordered line breaks the chain. What a chain cannot show by itself is a cut
tail: that shows only against a line that the counterpart holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, json_object, namespace
from packtrain.documents.custody import CustodyEvent, CustodyVerb
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken, DocumentError, UntrustedSigner
from packtrain.ports import Signer
from packtrain.record.heads import read_heads
from packtrain.record.receipts import instant
from packtrain.record.trust import Trust

GENESIS: Final = "0" * 64
MAX_LINE_BYTES: Final = 1 << 20
MAX_LOG_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class CustodyLine:
    """One verified line: the event, the digest by which other lines name it, its bytes, and the key that signed it."""

    event: CustodyEvent
    digest: str
    payload: bytes
    key: str = ""


def signed_line(event: CustodyEvent, signer: Signer) -> bytes:
    """Return the bytes of one log line, without the newline."""
    payload = encode(event)
    return line_of(payload, signer.sign(namespace(CustodyEvent), payload))


def line_of(payload: bytes, signature: str) -> bytes:
    """Return the bytes of a log line from an entry's canonical bytes and the text of its signature."""
    return rfc8785.dumps({"entry": payload.decode("utf-8"), "signature": signature})


def open_line(line: bytes, trust: Trust, where: str) -> CustodyLine:
    """Return one line after its signature was checked, and that the key belongs to the role it names.

    Raises:
        CustodyBroken: it is not a line of a custody log.
        SignatureInvalid, UntrustedSigner: see `Trust.signer_role`.
    """
    if len(line) > MAX_LINE_BYTES:
        raise CustodyBroken("custody line is too long", where=where)
    try:
        body = json_object(line, where)
    except DocumentError as error:
        raise CustodyBroken("custody line is not JSON", where=where) from error
    if set(body) != {"entry", "signature"} or not all(isinstance(value, str) for value in body.values()):
        raise CustodyBroken("custody line has other fields than entry and signature", where=where)
    payload, signature = str(body["entry"]).encode("utf-8"), str(body["signature"]).encode("utf-8")
    if rfc8785.dumps(body) != line:
        raise CustodyBroken("custody line is not in canonical form", where=where)
    key, roles = trust.signer(CustodyEvent, payload, signature, where)
    event = decode(CustodyEvent, payload, where)
    if event.by not in roles:
        raise UntrustedSigner(
            "custody entry is signed by another party than it names",
            where=where,
            expected=event.by,
            found=", ".join(sorted(roles)),
        )
    return CustodyLine(event=event, digest=sha256_bytes(line), payload=line, key=key)


def read_log(payload: bytes, trust: Trust, where: str, *, is_covered: bool = False) -> tuple[CustodyLine, ...]:
    """Return all lines of a log after checking signatures, sequence and chain.

    Args:
        payload: the log.
        trust: whose keys count.
        where: its name, for messages.
        is_covered: a signed document names these bytes (a drive's record its tag manifest): that one says whether a
            revoked key still counts.

    Raises:
        CustodyBroken: too long, a torn last line, a gap, a wrong order, or a line that names another predecessor.
        KeyRevoked: see `Trust.refuse_revoked_lines`.
    """
    if len(payload) > MAX_LOG_BYTES:
        raise CustodyBroken("custody log is too long", where=where)
    if payload and not payload.endswith(b"\n"):
        raise CustodyBroken(
            "last line of the custody log is cut short",
            where=where,
            hint="packtrain writes whole lines only: take the log from a copy, or from the counterpart",
        )
    lines: list[CustodyLine] = []
    for number, raw in enumerate(payload.split(b"\n")[:-1]):
        place = f"{where}, line {number + 1}"
        line = open_line(raw, trust, place)
        previous = lines[-1].digest if lines else GENESIS
        if line.event.sequence != number or line.event.previous != previous:
            raise CustodyBroken(
                "custody chain is broken: a line was removed, added, altered or moved",
                where=place,
                expected=f"entry {number} after {previous[:12]}",
                found=f"entry {line.event.sequence} after {line.event.previous[:12]}",
            )
        if lines and line.event.at < lines[-1].event.at:
            raise CustodyBroken(
                "custody entry is dated before the one it follows",
                where=place,
                expected=f"{lines[-1].event.at} or later",
                found=line.event.at,
            )
        lines.append(line)
    if trust.revocations and not is_covered:
        trust.refuse_revoked_lines([(line.digest, line.key) for line in lines], where)
    return tuple(lines)


def head_of(lines: Sequence[CustodyLine], by: Role, made_on: str) -> CustodyHead:
    """Return the head over all lines of a log, dated `made_on`, or as its last line where that is later."""
    last = lines[-1]
    return CustodyHead(
        shipment=last.event.shipment,
        by=by,
        num_entries=len(lines),
        last_line=last.digest,
        last_at=last.event.at,
        made_on=max(made_on, last.event.at),
    )


class CustodyLog:
    """One party's custody log for one shipment.

    Args:
        path: the `.jsonl` file; made at the first entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, trust: Trust) -> tuple[CustodyLine, ...]:
        """Return the verified lines; see `read_log` for errors."""
        try:
            with durable.plain_file(self.path) as stream:
                payload = stream.read(MAX_LOG_BYTES + 1)
        except FileNotFoundError:
            return ()
        return read_log(payload, trust, str(self.path))

    def append(
        self,
        verb: CustodyVerb,
        *,
        shipment: str,
        by: Role,
        signer: Signer,
        trust: Trust,
        cases: Sequence[str] = (),
        drives: Sequence[str] = (),
        seals: Sequence[str] = (),
        counterpart: Role | None = None,
        answers: str | None = None,
        note: str = "",
    ) -> CustodyLine:
        """Append one signed entry to the verified log and return it."""
        lines = self.read(trust)
        # Clocks differ between parties and can be set back; an entry is never dated before the one it follows, nor
        # before a head that this party made over the log as it was.
        followed = [mark.head.made_on for mark in read_heads(self.path.parent, trust) if mark.head.by == by]
        at = max([instant(), *followed, *(line.event.at for line in lines[-1:])])
        event = CustodyEvent(
            sequence=len(lines),
            previous=lines[-1].digest if lines else GENESIS,
            shipment=shipment,
            verb=verb,
            by=by,
            counterpart=counterpart,
            answers=answers,
            cases=tuple(cases),
            drives=tuple(drives),
            seals=tuple(seals),
            note=note,
            at=at,
        )
        payload = signed_line(event, signer)
        durable.append_line(self.path, payload)
        return CustodyLine(event=event, digest=sha256_bytes(payload), payload=payload, key=signer.public_line)

    def adopt(self, line: CustodyLine, trust: Trust) -> None:
        """Append a line that the counterpart signed on top of this log's head.

        Raises:
            CustodyBroken: it does not follow this log's last line (the two logs have forked).
        """
        lines = self.read(trust)
        head = lines[-1].digest if lines else GENESIS
        if line.event.previous != head or line.event.sequence != len(lines):
            raise CustodyBroken(
                "the counterpart's entry does not follow this log: the two logs have forked",
                where=str(self.path),
                expected=f"entry {len(lines)} after {head[:12]}",
                found=f"entry {line.event.sequence} after {line.event.previous[:12]}",
            )
        durable.append_line(self.path, line.payload)
