"""The cargo: from the drives into the store, repaired on the way, in as many waves as it takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.dataset import DataFile, Dataset, Shard
from packtrain.documents.kit import Kit
from packtrain.documents.receipt import Receipt
from packtrain.errors import (
    AgeFormatError,
    BeyondRepair,
    DocumentError,
    HostileArchive,
    HostsLost,
    IntegrityError,
    MoreDrivesWanted,
    SystemRefused,
    WrongRole,
)
from packtrain.events import Notice, Sink
from packtrain.ports import Drive, Store
from packtrain.record.custody import CustodyLog
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages.load.gates import Admitted, admitted_papers, expected_of, identity_of, require_admission
from packtrain.stages.load.kept import STAGE, current_inputs, entries_gone, journal_folder, kit_of
from packtrain.stages.load.kit import NO_KIT, fetch_kit, lacks_only_kit, tell_kit
from packtrain.training.loaded_index import INDEX_FACT
from packtrain.training.miniature_travels import FOLDER, carried_miniature
from packtrain.volume.discover import Fleet, discover
from packtrain.volume.entry_list import sentence
from packtrain.volume.fleet import Mounted
from packtrain.volume.kit_files import copy_kit
from packtrain.volume.loaded import Loaded
from packtrain.volume.reader import load_shipment


def load(
    folder: VoyageFolder,
    drives: Sequence[Drive],
    store: Store,
    sink: Sink,
    *,
    without: Sequence[str] = (),
    no_more: bool = False,
    keep_owner: bool = False,
    verify_files: bool = False,
    scratch: Path | None = None,
) -> Receipt:
    """Restore the admitted shipment into the store, and the kit, if one came, into work/kit; return the receipt.

    Called again after it was killed, or after a full store, it goes on where it stopped. Drives may come in waves: a
    call with some of them restores what they give, and its error names those that are wanted next.

    Args:
        folder: the consignee's voyage folder.
        drives: the mounted drives, in any order; what others hold is rebuilt where these suffice.
        store: where the files go.
        sink: takes events.
        without: labels or mount points of drives to leave out, or labels of drives or cases that will not come.
        no_more: no drive will come that is neither mounted nor was read before.
        keep_owner: owner, set-id and sticky bits and capabilities are kept too; only root may.
        scratch: a folder that keeps syndromes between waves, so that no drives have to be mounted together.
        verify_files: hold every file against its SHA-256 in the catalog, not one in 16 (ADR 0013).

    Raises:
        WrongRole: the folder is not the consignee's.
        NotAdmitted, AdmissionHeld, AdmissionRefused: there is no admission of this shipment by the operator.
        IncompleteKnowledge: the shipment document did not come: nobody can say what the whole is.
        KeyMissing, WrongKey: release.age is not here, or not to this consignee.
        DriveMissing: a name in `without` is no drive's.
        ForeignDrive, SupersededDrive, DuplicateDrive, DriveNotClosed: see `discover`.
        MoreDrivesWanted: at the end: what these drives give is in the store; others are named.
        BeyondRepair: at the end: what can be read was restored, the rest is listed.
        DriveFull, StoreInUse, HostileArchive, IntegrityError: see `load_shipment`.
    """
    way = _Here(folder, drives, store, sink)
    options = Options(tuple(without), no_more, keep_owner, verify_files, scratch)
    return load_by(way, folder, store, sink, options)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked of a load, see `load`."""

    without: tuple[str, ...] = ()
    no_more: bool = False
    keep_owner: bool = False
    verify_files: bool = False
    scratch: Path | None = None


class Way(Protocol):
    """How drives are read: here, or by the hosts that have them mounted."""

    def fleet(self, admitted: Admitted, options: Options) -> Fleet:
        """Return the verified drives."""
        ...

    def copy_kit(self, kit: Kit, destination: Path) -> tuple[bool, tuple[str, ...]]:
        """Copy the kit from the drives of the fleet; see `kit_files.copy_kit`."""
        ...

    def read(self, fleet: Fleet, identity: str, options: Options) -> Loaded:
        """Read the fleet into the store."""
        ...

    def facts(self) -> dict[str, str]:
        """Return what the receipt says of who read."""
        ...


@dataclass(frozen=True, slots=True)
class _Here:
    folder: VoyageFolder
    drives: Sequence[Drive]
    store: Store
    sink: Sink
    mounted: list[Mounted] = field(default_factory=list[Mounted])

    def fleet(self, admitted: Admitted, options: Options) -> Fleet:
        fleet = discover(self.drives, self.folder.trust(), expected_of(self.folder, admitted), options.without)
        self.mounted[:] = fleet.mounted
        return fleet

    def copy_kit(self, kit: Kit, destination: Path) -> tuple[bool, tuple[str, ...]]:
        return copy_kit(kit, self.mounted, destination)

    def read(self, fleet: Fleet, identity: str, options: Options) -> Loaded:
        return load_shipment(
            fleet.plan,
            fleet.groups,
            fleet.shipment,
            fleet.mounted,
            identity,
            self.store,
            journal_folder(self.folder) / "journal.jsonl",
            self.sink,
            lost=fleet.lost,
            no_more=options.no_more,
            keep_owner=options.keep_owner,
            verify_files=options.verify_files,
            scratch=options.scratch,
            damage=fleet.damage,
        )

    def facts(self) -> dict[str, str]:
        return {}


def load_by(way: Way, folder: VoyageFolder, store: Store, sink: Sink, options: Options) -> Receipt:
    """Restore the admitted shipment; see `load`."""
    role = folder.voyage_file().voyage.role
    if role != "consignee":
        raise WrongRole("loading is the consignee's", where=str(folder.root), expected="consignee", found=role)
    require_admission(folder)
    if options.keep_owner and os.geteuid() != 0:
        raise SystemRefused("only root may give files to other owners", hint="run it as root, or without --keep-owner")
    clock = StageClock(folder, STAGE, current_inputs(folder))
    admitted = admitted_papers(folder)
    kit = kit_of(folder)
    identity = identity_of(folder, admitted)
    fleet = way.fleet(admitted, options)
    if folder.receipt(STAGE) is not None and (told := sentence(entries_gone(folder, store))):
        sink(Notice(STAGE, told, is_warning=True))
    before = folder.receipt(STAGE)
    if (
        kit is not None
        and before is not None
        and not options.verify_files
        and lacks_only_kit(folder, kit, before, store)
    ):
        # As where nothing is lacking, what is in the store is not read again.
        sink(Notice(STAGE, f"the cargo is in the store since {before.finished} and is not read again, only the kit"))
        told = tell_kit(fetch_kit(folder, kit, way.copy_kit, sink), sink)
        return clock.finish(counts=before.counts, facts={**before.facts, "kit": told})
    # A store that was loaded before and is gone may come back in waves: until the last of them nothing is loaded.
    folder.drop_receipt(STAGE)
    # The drives with the kit may not be among those of the last wave.
    kit_told = fetch_kit(folder, kit, way.copy_kit, sink) if kit is not None else NO_KIT
    try:
        loaded = way.read(fleet, identity, options)
    except (MoreDrivesWanted, HostsLost):
        note_loaded(folder, fleet, "a wave; more drives are to be read")
        raise
    except BeyondRepair as error:
        # Counts, and no names: the log goes to the other parties.
        note_loaded(folder, fleet, f"not whole: {error.found}; expected {error.expected}; the rest is beyond repair")
        raise
    except (HostileArchive, AgeFormatError, IntegrityError) as error:
        note_loaded(folder, fleet, f"not whole: what these drives hold is not as it should be ({type(error).__name__})")
        raise
    missing = ", ".join(loaded.drives_lost)
    note_loaded(folder, fleet, f"not here: {missing}" if missing else "all drives read")
    dataset = _check_dataset(store, sink)
    num_samples = dataset.num_samples if dataset is not None else 0
    facts = _facts(loaded, fleet, store) | way.facts()
    for file in dataset.files if dataset is not None else ():
        if file.name == INDEX_FACT:
            facts[INDEX_FACT] = file.sha256
    facts["file digests"] = "every file was hashed" if options.verify_files else "one file in 16 was hashed"
    if kit is not None:
        facts["kit"] = tell_kit(kit_told, sink)
    return clock.finish(counts=_counts(loaded, fleet, num_samples), facts=facts)


def _check_dataset(store: Store, sink: Sink) -> Dataset | None:
    """Hold the store against the data set's own document, if it came along; return that.

    Every volume was held against its signed SHA-256, and its files (one in 16 of them, or all: ADR 0013) against the
    catalog, whose digests come from this document: what is left to show is that every file of the data set is there.

    Raises:
        IntegrityError: a file that dataset.json lists is not in the store with its length.
    """
    payload = store.read_bytes(DATASET_NAME.encode("ascii"), MAX_DOCUMENT_BYTES)
    if payload is None:
        sink(Notice(STAGE, "the cargo has no dataset.json: files were counted, samples were not", is_warning=True))
        return None
    try:
        dataset = decode(Dataset, payload, f"{store.location}/{DATASET_NAME}")
    except DocumentError as error:
        # Its bytes are the consignor's: a folder that was carried as it is may have a file of this name.
        sink(Notice(STAGE, f"{DATASET_NAME} is no data set's document: {error.what}", is_warning=True))
        return None
    expected: dict[str, Shard | DataFile] = {file.name: file for file in (*dataset.shards, *dataset.files)}
    # A packtrain of before left the miniature at home; the entries were counted, so that all of it is there or none.
    if store.is_folder(FOLDER.encode("ascii")):
        expected |= carried_miniature(dataset)
    faults = [
        f"{name}: expected {file.bytes} bytes, found {found}"
        for name, file in expected.items()
        if (found := store.size_bytes(name.encode("utf-8"))) != file.bytes
    ]
    if faults:
        raise IntegrityError(
            f"{len(faults)} files of the data set are not in the store: {'; '.join(faults[:20])}", where=store.location
        )
    return dataset


def note_loaded(folder: VoyageFolder, fleet: Fleet, text: str) -> None:
    """Append the custody entry, unless a run before this one did: of the same drives, with the same end."""
    log = CustodyLog(folder.documents / "custody.jsonl")
    trust = folder.trust()
    uuids = tuple(item.record.uuid for item in fleet.mounted)
    text = text[:4096]
    entry = ("loaded", "consignee", uuids, text)
    if any((e.verb, e.by, e.drives, e.note) == entry for e in (line.event for line in log.read(trust))):
        return
    log.append(
        "loaded",
        shipment=fleet.plan.shipment,
        by="consignee",
        signer=folder.signer(),
        trust=trust,
        cases=tuple(dict.fromkeys(item.record.case for item in fleet.mounted)),
        drives=uuids,
        note=text,
    )


def _counts(loaded: Loaded, fleet: Fleet, num_samples: int) -> dict[str, int]:
    return {
        "samples_loaded": num_samples,
        "entries_loaded": loaded.files,
        "bytes_loaded": loaded.bytes,
        "blocks_repaired": loaded.blocks_repaired,
        "volumes_rebuilt": loaded.volumes_rebuilt,
        "drives_lost": len(loaded.drives_lost),
        "drives_total": len(fleet.plan.drives),
    }


def _facts(loaded: Loaded, fleet: Fleet, store: Store) -> dict[str, str]:
    facts = {"shipment": fleet.plan.shipment, "store": store.location}
    stripes = sum(state.stripes for state in loaded.groups)
    facts["proven"] = f"{sum(state.stripes_proven for state in loaded.groups)} of {stripes} stripes"
    if loaded.drives_lost:
        facts["drives lost"] = ", ".join(loaded.drives_lost)[:4096]
    if loaded.not_set:
        facts["not set"] = "; ".join(loaded.not_set[:20])[:4096]
    if loaded.damage:
        facts["damage"] = "; ".join(str(damage) for damage in loaded.damage[:20])[:4096]
        drives = Counter(damage.drive for damage in loaded.damage)
        facts["damaged drives"] = ", ".join(f"{label}: {count}" for label, count in sorted(drives.items()))[:4096]
    return facts
