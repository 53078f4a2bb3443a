"""The custody log of a record, held against the heads of it and the revocations of keys that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.reading import Record
from packtrain.diligence.custody_check import LogCheck, check_log
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import Role
from packtrain.record.trust import SignedHead, num_lines_that_count


def heads_of(record: Record) -> LogCheck:
    """Return the party's log held against every signed head in the record."""
    lines = record.custody.believed
    # A log that is missing, or has lines that may not be told, is none that a head could be held against.
    whole = bool(lines) and len(lines) == len(record.custody.lines)
    return check_log(lines, _marks(record) if whole else (), (), record.revocations)


def lines_of_revoked_keys(record: Record) -> Iterator[Fault]:
    """Yield every entry by a key that was revoked, which neither a revocation nor a head before the loss covers."""
    marks = _marks(record)
    for log in (record.custody, *record.other_logs.values()):
        digests = [line.digest for line in log.lines]
        for signed in record.revocations:
            counted = num_lines_that_count(signed, record.revocations, marks, digests)
            for line in log.lines[counted:]:
                if line.signature.key == signed.public_line:
                    what = (
                        f"signed by a key that the {signed.revocation.by} revoked, and nothing vouches for this entry: "
                        f"{signed.revocation.fingerprint}"
                    )
                    yield Fault("foreign key", f"{log.name}, line {line.number}", what)


def _marks(record: Record) -> tuple[SignedHead, ...]:
    marks: list[SignedHead] = []
    for seen, head in record.all_of(CustodyHead):
        keys: dict[Role, str] = {head.by: seen.signature.key}
        for other in seen.others:
            keys |= {role: other.key for role in other.roles if role != head.by}
        marks.append(SignedHead(seen.sha256, head, keys))
    return tuple(marks)
