"""One audit: read, hold everything against everything, answer, and say first whether the record is whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from packtrain.diligence.audit import declared
from packtrain.diligence.audit.answers import Audit, DocumentRow, KeyUse, Verdict
from packtrain.diligence.audit.checks import compare_logs, contradictions
from packtrain.diligence.audit.custody_answer import in_whose_hands
from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.flags_answer import flagged
from packtrain.diligence.audit.hands import follow
from packtrain.diligence.audit.highlights import stands_out
from packtrain.diligence.audit.keyring import Keyring
from packtrain.diligence.audit.limits import LEGAL, cannot_say
from packtrain.diligence.audit.log import CustodyLog
from packtrain.diligence.audit.reading import Record
from packtrain.diligence.audit.signatures import SeenSignature
from packtrain.diligence.audit.site_answer import came_home, site_verdicts, trained
from packtrain.diligence.audit.telling import told_of_current
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.errors import RecordFaulty, RecordUnvouched
from packtrain.units import counted


def audit(
    record: Record,
    keyring: Keyring,
    *,
    faults: Iterable[Fault] = (),
    counterpart: CustodyLog | None = None,
    keys_inside: Sequence[str] = (),
) -> Audit:
    """Return all answers of a record, and all of its faults.

    Args:
        record: as read; with the same keyring.
        keyring: the keys that count.
        faults: what was found wrong besides, such as a parties.json that cannot be read.
        counterpart: another party's copy of the custody log, to hold this one against.
        keys_inside: the keys that the record brings itself, in words.
    """
    hands = follow(record.custody)
    found = [*faults, *record.faults, *contradictions(record, hands)]
    if counterpart is not None:
        found += compare_logs(record.custody, counterpart, counterpart.name)
    found = sorted(dict.fromkeys(found), key=lambda fault: (fault.where, fault.kind, fault.what))
    declaration, told = record.current(Declaration), told_of_current(record, Declaration)
    attempt = record.papers().attempt()
    answered = (declaration, told) if declaration is not None and told is not None else None
    told_all = Audit(
        source=record.source,
        form=record.form,
        voyage=declaration.voyage if declaration is not None else None,
        shipment=attempt[0] if attempt is not None else None,
        attempt=attempt[1] if attempt is not None else None,
        dossier=record.tagmanifest,
        verdict=_verdict(record, keyring, found, keys_inside),
        stands_out=(),
        faults=tuple(found),
        documents=tuple(
            DocumentRow(
                name=name,
                sha256=seen.sha256,
                signature=seen.signature.words,
                second_signature=seen.second.words if seen.second is not None else None,
                is_believed=seen.document is not None,
            )
            for name, seen in sorted(record.documents.items())
        ),
        declaration=declaration,
        whose_data=declared.whose_data(*answered) if answered else None,
        for_whom=declared.for_whom(*answered) if answered else None,
        owned_by=declared.owned_by(*answered) if answered else None,
        machines=declared.machines(*answered) if answered else None,
        in_whose_hands=in_whose_hands(record, hands, told_of_current(record, PackingStatement)),
        flagged=flagged(record),
        site_verdicts=site_verdicts(record),
        trained=trained(record),
        came_home=came_home(record),
        cannot_say=cannot_say(record, keyring),
        legal=LEGAL,
    )
    return replace(told_all, stands_out=tuple(stands_out(told_all)))


def _verdict(record: Record, keyring: Keyring, faults: Sequence[Fault], keys_inside: Sequence[str]) -> Verdict:
    documents = [seen for seen in record.documents.values() if seen.document is not None]
    num_entries = len(record.custody.events)
    keys = _keys(record, keyring)
    told = f"{counted(len(documents), 'document')} and {num_entries} custody entries"
    bear = f"bear a valid signature of {counted(len(keys), 'key')}"
    if faults:
        sentence = f"NOT in order: {counted(len(faults), 'fault')}. {told} {bear}"
        exit_code = RecordFaulty.exit_code
    elif not keyring.is_trusted:
        sentence = f"INCOMPLETE: {told} {bear}, and nobody vouched for any of them here; no other fault was found"
        exit_code = RecordUnvouched.exit_code
    else:
        sentence = f"In order: {told} {bear}, all of them on the list {keyring.source}; no fault was found"
        exit_code = 0
    return Verdict(sentence, exit_code, len(documents), num_entries, keyring.source, keys, tuple(keys_inside))


def _keys(record: Record, keyring: Keyring) -> tuple[KeyUse, ...]:
    """Return every key of a signature that counts, the one used most first."""
    used: dict[str, tuple[str, list[str]]] = {}

    def note(signature: SeenSignature | None, kind: str) -> None:
        if signature is not None and signature.is_believed:
            used.setdefault(signature.fingerprint, (signature.key, []))[1].append(kind)

    for seen in record.documents.values():
        if seen.document is not None:
            note(seen.signature, seen.kind)
            note(seen.second, seen.kind)
    for line, _ in record.custody.events:
        note(line.signature, "custody")
    found = [
        KeyUse(mark, keyring.owner(key), len(kinds), tuple(sorted(set(kinds)))) for mark, (key, kinds) in used.items()
    ]
    return tuple(sorted(found, key=lambda use: (-use.num_signatures, use.fingerprint)))
