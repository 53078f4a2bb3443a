"""The files that documents rest on: named by SHA-256, and here or not. That one is away is no fault; it is said."""

from __future__ import annotations

from packtrain.diligence.audit.reading import Record
from packtrain.diligence.evidence import pieces_named_by
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags


def named_evidence(record: Record) -> list[tuple[str, str, str]]:
    """Return (document, what it is, SHA-256) of every piece of evidence that a believed document names, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for document_type in (Declaration, Disposition, FlagAnswer, Flags, Admission):
        for seen, document in record.all_of(document_type):
            for what, digest in pieces_named_by(document):
                found[seen.name, what, digest] = None
    return list(found)
