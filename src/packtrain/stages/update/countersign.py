"""The operator: looks at what an update changes, and signs it, or does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from packtrain import durable
from packtrain.diligence.kit_chain import OPERATOR_SIGNATURE
from packtrain.documents.codec import namespace
from packtrain.documents.kit_update import KitUpdate
from packtrain.errors import KitUpdateRefused
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.stages.update.kept import documents_of
from packtrain.stages.update.opened import Told, check_admitted, check_follows, open_update, signature_beside, told_of
from packtrain.training.update_file import UPDATE

Approve = Callable[[Told], None]
"""Is shown what an update changes before it is signed; raises where it is not to be."""


def countersign(folder: VoyageFolder, path: Path, approve: Approve, *, exports_seen: bool = False) -> Told:
    """Sign a kit update as the site's operator; the signature lies beside the file. Return what was signed.

    Called again on the update in force it writes the signature once more.

    Args:
        folder: the operator's voyage folder.
        path: the file of the update.
        approve: shown what changes, before anything is signed.
        exports_seen: a person has looked at what may leave besides, or no more: needed where export.toml changed.

    Raises:
        KitUpdateRefused: see `open_update` and `check_follows`; or exports changed, and nobody says to have seen it.
    """
    opened = open_update(folder, path)
    before = check_follows(folder, opened)
    beside, payload = signature_beside(path), opened.file.documents[UPDATE]
    if before is None:
        own = folder.document_path(KitUpdate)
        signature = read_signature(own.with_name(own.name + OPERATOR_SIGNATURE))
        told = told_of(folder, opened, "countersigned here before")
        if signature is not None:
            durable.write_bytes(beside, signature)
            return told
        check_admitted(folder, str(path))
        approve(told)
    else:
        told = told_of(folder, opened, "the next one here")
        if opened.update.export_rules_changed and not exports_seen:
            raise KitUpdateRefused(
                f"the update changes what may leave: {'; '.join((told.changes and told.changes.export_rules) or ())}",
                where=str(path),
                hint="look at it, and countersign with --exports-seen if it may; nothing was signed",
            )
        approve(told)
    signature = folder.signer().sign(namespace(KitUpdate), payload).encode("ascii")
    durable.write_together(folder.documents, documents_of(folder, opened, signature))
    durable.write_bytes(beside, signature)
    return told_of(
        folder,
        opened,
        "countersigned here",
        f'send {path.name} and {beside.name} to the consignee: "packtrain update apply {path.name}"',
    )
