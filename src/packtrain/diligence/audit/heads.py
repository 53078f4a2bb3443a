"""The custody log of a record, held against the heads of it that lie beside it."""

from __future__ import annotations

from packtrain.diligence.audit.reading import Record
from packtrain.diligence.custody_check import LogCheck, check_log
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import Role
from packtrain.record.trust import SignedHead


def heads_of(record: Record) -> LogCheck:
    """Return the party's log held against every signed head in the record."""
    marks: list[SignedHead] = []
    for seen, head in record.all_of(CustodyHead):
        keys: dict[Role, str] = {head.by: seen.signature.key}
        for other in seen.others:
            keys |= {role: other.key for role in other.roles if role != head.by}
        marks.append(SignedHead(seen.sha256, head, keys))
    lines = record.custody.believed
    # A log that is missing, or has lines that may not be told, is none that a head could be held against.
    whole = bool(lines) and len(lines) == len(record.custody.lines)
    return check_log(lines, tuple(marks) if whole else ())
