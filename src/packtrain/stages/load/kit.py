"""The kit that comes with the cargo, into work/kit: the one in force, or the nearest that a drive has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from packtrain.diligence.kit_chain import chain_of
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.receipt import Receipt
from packtrain.events import Notice, Sink
from packtrain.ports import Store
from packtrain.record.folder import VoyageFolder
from packtrain.stages.load.kept import KIT_NAME, STAGE, current_inputs, entries_gone, is_dataset_there
from packtrain.training.kit_held import is_whole_kit, newest_whole

NO_KIT: Final = "not here"


def lacks_only_kit(folder: VoyageFolder, kit: Kit, receipt: Receipt, store: Store) -> bool:
    """Return whether everything that a receipt says is here, as it was, but for the kit."""
    return (
        not is_whole_kit(folder.root / KIT_NAME, kit)
        and dict(receipt.inputs) == current_inputs(folder)
        and is_dataset_there(folder)
        and next(entries_gone(folder, store), None) is None
    )


CopyKit = Callable[[Kit, Path], tuple[bool, tuple[str, ...]]]
"""Copies a kit from the drives to a folder, on whatever host they are; see `copy_kit`."""


def fetch_kit(folder: VoyageFolder, kit: Kit, copy: CopyKit, sink: Sink) -> str:
    """Copy the kit in force from the drives unless it is here; return what the receipt says of where it is.

    Drives carry the kit that left. Where an update is in force and its kit is gone, that one is brought, for the
    updates to be applied to it again; so long `train` refuses it.
    """
    destination = folder.root / KIT_NAME
    if is_whole_kit(destination, kit):
        return KIT_NAME
    if _copy_kit(kit, copy, destination, sink):
        sink(Notice(STAGE, f"kit is in {KIT_NAME}, held against kit.json: sh {destination}/install.sh FOLDER PYTHON"))
        return KIT_NAME
    if not folder.has(KitUpdate):
        return NO_KIT
    chain = chain_of(folder)
    number = newest_whole(destination, [each.kit for each in chain])
    if number is None:
        left = chain[0].kit
        if left is None or not _copy_kit(left, copy, destination, sink):
            return NO_KIT
        number = 0
    which = f"the kit of update {number}" if number else "the kit that left on the drives"
    last = len(chain) - 1
    again = f"update {last}" if number + 1 == last else f"updates {number + 1} to {last}, one after the other,"
    told = f"{which}, and update {last} is in force"
    sink(
        Notice(
            STAGE,
            f"in {KIT_NAME} is {told}: no drive here has its kit. Apply {again} again: "
            f'"packtrain update apply FILE"; until then "packtrain train" refuses',
            is_warning=True,
        )
    )
    return told


def tell_kit(told: str, sink: Sink) -> str:
    """Warn where the kit is on no drive that was read; return `told`, for the receipt."""
    if told == NO_KIT:
        text = "kit is whole on no drive that was read: it lies on the first drive of each case"
        sink(Notice(STAGE, f"{text}; mount another of those and load again", is_warning=True))
    return told


def _copy_kit(kit: Kit, copy: CopyKit, destination: Path, sink: Sink) -> bool:
    is_here, faults = copy(kit, destination)
    for fault in faults[:20]:
        sink(Notice(STAGE, fault, is_warning=True))
    return is_here
