"""What the documents name by digest: whether it is here, and is the one that they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.reading import Record, SeenDocument
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document
from packtrain.documents.customs import Customs
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.group import Group
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment

_NAMED: Final[tuple[tuple[type[Document], str, str], ...]] = (
    (Declaration, "supersedes", "declaration"),
    (Plan, "declaration", "declaration"),
    (Group, "plan", "plan"),
    (Shipment, "plan", "plan"),
    (PackingStatement, "plan", "plan"),
    (PackingStatement, "declaration", "declaration"),
    (PackingStatement, "shipment_root", "shipment"),
    (Ready, "kit", "kit"),
    (Screening, "declaration", "declaration"),
    (Screening, "packing_statement", "packing-statement"),
    (Disposition, "screening", "screening"),
    (Flags, "declaration", "declaration"),
    (Flags, "shipment_root", "shipment"),
    (Flags, "screening", "screening"),
    (FlagAnswer, "flags", "flags"),
    (Admission, "plan", "plan"),
    (Admission, "shipment_root", "shipment"),
    (Admission, "declaration", "declaration"),
    (Admission, "packing_statement", "packing-statement"),
    (Admission, "screening", "screening"),
    (Admission, "flags", "flags"),
    (Flags, "supersedes", "flags"),
    (Customs, "packing_statement", "packing-statement"),
    (Customs, "shipment_root", "shipment"),
    (Customs, "supersedes", "customs"),
    (ExportList, "shipment_root", "shipment"),
    (ExportList, "admission", "admission"),
    (ExportList, "kit", "kit"),
    (KitUpdate, "shipment_root", "shipment"),
    (KitUpdate, "supersedes", "kit-update"),
    (KitUpdate, "from_kit", "kit"),
    (KitUpdate, "to_kit", "kit"),
    (KitUpdate, "ready", "ready"),
    (Provenance, "shipment_root", "shipment"),
    (Provenance, "admission", "admission"),
    (Provenance, "export_list", "export-list"),
    (Closing, "export_list", "export-list"),
)
"""(document, field, kind of the document whose SHA-256 the field is)."""

_OF_AN_ATTEMPT: Final = frozenset({"plan", "shipment"})
"""What packing again replaces: superseded documents may name those of the attempt before, which nobody keeps."""


def dangling(record: Record) -> Iterator[Fault]:
    """Yield a fault for each document that another names and that is not here, or is another here."""
    here: dict[str, dict[str, SeenDocument]] = {}
    for seen in record.documents.values():
        here.setdefault(seen.kind, {})[seen.sha256] = seen
    attempt = record.papers().attempt()
    is_repacked = attempt is not None and attempt[1] > 1
    for seen in sorted(record.documents.values(), key=lambda each: each.name):
        document = seen.document
        if document is None:
            continue
        named: list[tuple[str, str]] = [
            (kind, str(digest))
            for document_type, field, kind in _NAMED
            if isinstance(document, document_type) and (digest := getattr(document, field)) is not None
        ]
        if isinstance(document, Shipment):
            named += [("group", group.record) for group in document.groups]
        for kind, digest in dict.fromkeys(named):
            # One that is here and is not in order was named as such already.
            if digest not in here.get(kind, {}) and not (is_repacked and "/" in seen.name and kind in _OF_AN_ATTEMPT):
                yield _fault(record, seen.name, kind, digest)


def _fault(record: Record, name: str, kind: str, digest: str) -> Fault:
    current = record.documents.get(f"{kind}.json")
    if current is None or kind == "declaration" or current.document is None:
        where = f"{kind} {digest[:16]}"
        here = " (the one here does not verify)" if current is not None and current.document is None else ""
        return Fault("missing", where, f"{name} names it, and it is not in this record{here}")
    what = f"it names {kind} {digest[:16]}; the one here is {current.sha256[:16]}"
    return Fault("contradiction", name, what)
