"""Whoever has the file of an update: what it changes, and where it stands here."""

from __future__ import annotations

from pathlib import Path

from packtrain.errors import KitUpdateRefused
from packtrain.record.folder import VoyageFolder
from packtrain.stages.update.apply import lost_since
from packtrain.stages.update.opened import (
    Opened,
    Told,
    check_admitted,
    check_follows,
    open_update,
    operator_signature,
    told_of,
)


def show(folder: VoyageFolder, path: Path) -> Told:
    """Return what a kit update changes, and where it stands here; nothing is written.

    Raises:
        KitUpdateRefused, and errors of signatures: see `open_update`.
    """
    opened = open_update(folder, path)
    beside = operator_signature(folder, opened)
    try:
        standing = _standing(folder, opened)
    except KitUpdateRefused as error:
        standing = f"not to be taken here: {error.message}"
    signed = "countersigned by the operator" if beside is not None else "not countersigned by the operator"
    return told_of(folder, opened, f"{standing}; signed by the consignor, {signed}")


def _standing(folder: VoyageFolder, opened: Opened) -> str:
    # Only the consignee has the kit itself.
    if folder.voyage_file().voyage.role == "consignee" and lost_since(folder, opened) is not None:
        check_admitted(folder, str(opened.file.path))
        return "was in force here, and can be applied again: the kit in force is not in work/kit"
    return "in force here" if check_follows(folder, opened) is None else "the next one here"
