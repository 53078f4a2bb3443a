"""dossier export, import and statements: how papers pass between the parties' voyage folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence import dossier, statements
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder

STAGE = "dossier"
STATEMENTS = "statements"
"""Folder of the voyage folder that statements are written into where no other is named."""


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


def write_statements(
    folder: VoyageFolder, destination: Path | None, sink: Sink, *, envelopes: bool = False
) -> Mapping[str, str]:
    """Write the in-toto statements of this party's own documents, each signed; return file name -> SHA-256.

    What lies there under these names is written anew: a statement is of the documents as they are now.

    Args:
        folder: the party's voyage folder.
        destination: an own folder, made where there is none; None is statements/ in the voyage folder.
        sink: takes events.
        envelopes: each also as an envelope of DSSE.

    Raises: see `statements.statements_of`.
    """
    files = statements.statements_of(folder, envelopes=envelopes)
    place = destination or folder.root / STATEMENTS
    for name, payload in files.items():
        durable.write_bytes(place / name, payload)
    sink(Notice(STAGE, "they name persons and places, as the documents do: do not put them in a case"))
    return {name: sha256_bytes(payload) for name, payload in files.items()}
