"""What load notes and where: its inputs, what is gone since, and how far it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.documents.admission import Admission
from packtrain.documents.kit import Kit
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.shipment import Shipment
from packtrain.ports import Store
from packtrain.record.dataset_folder import holds_dataset
from packtrain.record.folder import VoyageFolder
from packtrain.stages.load.gates import require_admission, require_shipment
from packtrain.training.kit_held import is_whole_kit, looks_like_kit
from packtrain.volume.entry_list import gone, in_folder, in_store
from packtrain.volume.loaded import PROGRESS_NAME, read_progress

STAGE: Final = "load"
KIT_NAME: Final = "work/kit"
# Names are looked up at some 500,000 a second where the kernel remembers them; `status` should not be noticed.
_LOOKED_AT: Final = 100_000


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what is loaded and whereto.

    Which drives were mounted, or left out, does not count: any that suffice give the same files.

    Raises:
        NotAdmitted, AdmissionHeld, AdmissionRefused: there is no admission, or its verdict is another.
        IncompleteKnowledge: the shipment document did not come yet.
        StageNotReady: the packing statement did not come yet.
    """
    found = current_inputs(folder)
    if folder.receipt(STAGE) is not None and (
        not is_dataset_there(folder) or next(entries_gone(folder, most=_LOOKED_AT), None) is not None
    ):
        # What was loaded is not there any more: no receipt names this, so the stage runs again.
        found["store"] = sha256_bytes(b"gone")
    kit = kit_of(folder)
    place = folder.root / KIT_NAME
    if folder.receipt(STAGE) is not None and kit and not looks_like_kit(place, kit):
        found["kit"] = sha256_bytes(b"gone")
    return found


def is_settled(folder: VoyageFolder, store: Store) -> bool:
    """Return whether a receipt alone may say that all is loaded: no entry is gone from the store since, and no byte
    of the kit is another.

    `inputs`, which `status` asks too, looks at so many entries as a second is enough for; this at all of them.

    Raises:
        StoreUnreachable: there is no looking into the store.
    """
    if folder.receipt(STAGE) is None:
        return True
    kit = kit_of(folder)
    return (kit is None or is_whole_kit(folder.root / KIT_NAME, kit)) and next(
        entries_gone(folder, store), None
    ) is None


def standing(folder: VoyageFolder) -> str:
    """Return what is known after the last wave, for `status`; "" before the first."""
    payload = journal_folder(folder) / PROGRESS_NAME
    if not payload.is_file():
        return ""
    return "; ".join(read_progress(payload.read_bytes()))


def current_inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of `inputs`, with no look at what became of the store and the kit since."""
    require_admission(folder)
    require_shipment(folder)
    return {
        "admission": folder.digest(Admission),
        "shipment": folder.digest(Shipment),
        "packing-statement": folder.digest(PackingStatement),
        "store": sha256_bytes(folder.store_location().encode("utf-8", "surrogateescape")),
    }


def kit_of(folder: VoyageFolder) -> Kit | None:
    """Return the document of the kit in force; None where none came along."""
    return folder.read_signed(Kit) if folder.has(Kit) else None


def is_dataset_there(folder: VoyageFolder) -> bool:
    """Return whether the data set is in the store, by names and lengths; of object storage that is not asked here:
    `status` waits for no network."""
    return folder.store_place() is not None or holds_dataset(folder.store_folder())


def journal_folder(folder: VoyageFolder) -> Path:
    """Return where a load that goes on in waves keeps what it knows."""
    return folder.work / "load"


def entries_gone(folder: VoyageFolder, store: Store | None = None, most: int | None = None) -> Iterator[bytes]:
    """Yield the names of entries that are gone from the store; of each group the first `most` are looked at.

    Without `store` only a store that is a folder is looked into.
    """
    if folder.store_place() is None:
        is_there = in_folder(folder.store_folder())
    elif store is not None:
        is_there = in_store(store)
    else:
        return
    records = (shipped.record for shipped in folder.read_signed(Shipment).groups)
    yield from gone(journal_folder(folder), records, is_there, most)
