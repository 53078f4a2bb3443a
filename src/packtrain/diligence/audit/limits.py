"""Section 11: what this record cannot say. An auditor who was not there must not read more into it."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.evidence import named_evidence
from packtrain.diligence.audit.keyring import Keyring
from packtrain.diligence.audit.reading import Record
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportList
from packtrain.documents.flags import Flags
from packtrain.documents.inspection import Inspection
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import ROLES
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment

LEGAL = "This is no legal advice. It says what signed documents say, and whether they belong together."


def cannot_say(record: Record, keyring: Keyring) -> tuple[str, ...]:
    """Return what is not in this record, or in no record, a sentence each."""
    return tuple(_of_any_record()) + tuple(_of_keys(record, keyring)) + tuple(_of_this_record(record))


def _of_any_record() -> Iterator[str]:
    yield "Every date is self-asserted: of the clock of whoever signed. No time stamp of a third party is looked at."
    yield "A signature says who signed, not that it is true. Names, owners, uses and machines are as declared."
    yield "Documents that were never written, or were left out whole with all that names them, do not show."
    yield "What was trained, on which machines, with which data: receipts and logs of it are signed by nobody."
    yield "Copies of data, keys or weights outside these documents leave no trace here."


def _of_keys(record: Record, keyring: Keyring) -> Iterator[str]:
    if not keyring.is_trusted:
        yield "Whose the keys are: nobody vouched for any. Get the parties' keys by another way, and give --parties."
    elif record.form == "voyage folder":
        yield "That the keys are the parties': compare their fingerprints with the parties, not with this folder."
    if record.form == "dossier":
        yield "Who sent the dossier, to whom and when: bag-info.txt says so and nobody signs it."


def _of_this_record(record: Record) -> Iterator[str]:
    for document_type, what in (
        (Declaration, "Who ships what to whom: no declaration that can be believed is here."),
        (Shipment, "What was packed: no shipment document that can be believed is here."),
        (PackingStatement, "Which drive lay in which case, with whom: no packing statement is here."),
        (Admission, "What the site decided: no admission that can be believed is here."),
        (ExportList, "What came home: no export list that can be believed is here."),
        (Ready, "Whether the training was rehearsed: no signed rehearsal sheet is here."),
    ):
        if record.current(document_type) is None:
            yield what
    if not record.all_of(Flags):
        yield "Which rules would have fired: no run of the rules is here. No flag is not the same as no reason for one."
    elif any(flags.policy is not None for _, flags in record.all_of(Flags)):
        yield "What the site's policy asked beyond the rule pack: only its SHA-256 is here. It may ask for two signers."
    if not record.all_of(Screening):
        yield "Whether anybody is on a list: not screened, as far as this record says."
    for seen, sheet in record.all_of(Inspection):
        if sheet.shipment is None:
            yield f"Of which voyage {seen.name} is: made before a cargo came, it names none, and would fit any other."
    closed = {closing.by for _, closing in record.all_of(Closing)}
    if missing := [role for role in ROLES if role not in closed]:
        yield f"Whether keys were destroyed at {' and '.join(missing)}: no closing record of theirs is here."
    away = [(name, what, digest) for name, what, digest in named_evidence(record) if digest not in record.evidence]
    if away:
        shown = "; ".join(f"{what} (sha256 {digest[:16]}, named by {name})" for name, what, digest in away[:20])
        more = f"; and {len(away) - 20} more" if len(away) > 20 else ""
        yield f"What {len(away)} files of evidence say: they are named by SHA-256 and are not here: {shown}{more}."
