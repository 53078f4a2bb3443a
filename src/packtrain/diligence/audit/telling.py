"""How an answer names the document that it is from."""

from __future__ import annotations

from packtrain.diligence.audit.reading import Record, SeenDocument
from packtrain.diligence.audit.told import Told
from packtrain.documents.codec import Document


def told_of(seen: SeenDocument) -> Told:
    """Return name, digest and signature of a document."""
    return Told(seen.name, seen.sha256, seen.signature.words)


def told_of_current(record: Record, document_type: type[Document]) -> Told | None:
    """Return the same of the document that holds now, or None where there is none that may be believed."""
    seen = record.documents.get(f"{document_type.kind}.json")
    return told_of(seen) if seen is not None and seen.document is not None else None
