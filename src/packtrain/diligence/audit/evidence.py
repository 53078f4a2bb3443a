"""The files that documents rest on: named by SHA-256, and here or not. That one is away is no fault; it is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec

from packtrain.diligence.audit.reading import Record
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import Evidence
from packtrain.documents.disposition import Disposition, DispositionEvidence
from packtrain.documents.flag_answer import FlagAnswer, FlagException
from packtrain.documents.flags import Flags


def named_evidence(record: Record) -> list[tuple[str, str, str]]:
    """Return (document, what it is, SHA-256) of every piece of evidence that a believed document names, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for document_type in (Declaration, Disposition, FlagAnswer, Flags, Admission):
        for seen, document in record.all_of(document_type):
            if isinstance(document, Flags | Admission) and document.policy is not None:
                found[seen.name, "the site's policy", document.policy] = None
            for what, digest in _evidence(document):
                found[seen.name, what, digest] = None
    return list(found)


def _evidence(document: Document) -> Iterator[tuple[str, str]]:
    stack: list[object] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, Evidence):
            yield node.what, node.sha256
        elif isinstance(node, DispositionEvidence):
            yield node.name, node.sha256
        elif isinstance(node, FlagException):
            yield f"{node.paper} {node.number}", node.sha256
        elif isinstance(node, msgspec.Struct):
            stack += [getattr(node, field) for field in reversed(node.__struct_fields__)]
        elif isinstance(node, tuple):
            stack += reversed(cast("tuple[object, ...]", node))
