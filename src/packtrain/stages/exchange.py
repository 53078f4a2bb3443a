"""dossier export and import: how papers pass between the parties' voyage folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packtrain.diligence import dossier
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder

STAGE = "dossier"


def export_dossier(folder: VoyageFolder, destination: Path, to: Role, sink: Sink) -> Path:
    """Write the dossier for another party as a BagIt folder; return it. See `dossier.export_dossier` for errors."""
    exported = dossier.export_dossier(folder, destination, to)
    if folder.voyage_file().voyage.role == "consignor" and not folder.has(PackingStatement):
        text = (
            "no packing statement is in it, which says what lies in which case: the site cannot admit on it. Seal the "
            'cases ("packtrain carry seal"), and export again'
        )
        sink(Notice(STAGE, text, is_warning=True))
    num_documents = sum(name.endswith(".json") for name in exported.names)
    key = next((name for name in exported.names if name.startswith("data/keys/")), None)
    sink(
        Notice(
            STAGE,
            f"{num_documents} signed documents"
            + (f" and the key envelope {Path(key).name}, which only the {to} can open" if key else ", no key envelope")
            + "; send it by another way than the cases",
        )
    )
    return destination


def import_dossier(folder: VoyageFolder, source: Path, sink: Sink) -> Mapping[str, str]:
    """Take another party's dossier into this folder; return document name -> SHA-256 of what is new here.

    See `dossier.import_dossier` for errors: nothing is taken unless everything in it is in order.
    """
    imported = dossier.import_dossier(folder, source)
    for remark in imported.remarks:
        sink(Notice(STAGE, remark, is_warning=True))
    sink(
        Notice(
            STAGE, f"dossier {imported.tagmanifest[:16]}: every signature checked, {len(imported.taken)} new documents"
        )
    )
    return imported.taken
