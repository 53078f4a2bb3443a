"""The documents of an update where they come into force: kit, sheet, update, and the archive of what they replace."""

from __future__ import annotations

from packtrain.diligence.kit_chain import OPERATOR_SIGNATURE, archived_files
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.ready import Ready
from packtrain.record.folder import VoyageFolder
from packtrain.stages.update.opened import Opened
from packtrain.training.update_file import UPDATE


def documents_of(folder: VoyageFolder, opened: Opened, countersignature: bytes) -> dict[str, bytes]:
    """Return what `durable.write_together` writes below documents/: all of it comes into force at once."""
    archived: dict[str, bytes] = {}
    for document_type in (Kit, Ready, KitUpdate):
        kept = archived_files(folder, document_type)
        if kept and folder.digest(document_type) not in _digests(opened):
            archived |= kept
    return archived | {f"{UPDATE}{OPERATOR_SIGNATURE}": countersignature} | dict(opened.file.documents)


def _digests(opened: Opened) -> set[str]:
    """Return the digests of what comes into force: called again after it did, nothing goes to an archive."""
    return {opened.digest, opened.update.to_kit, opened.update.ready}
