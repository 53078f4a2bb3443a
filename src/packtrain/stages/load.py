"""load: from admitted drives into the store, repaired on the way. Nothing is loaded that the site did not admit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.kit_chain import chain_of
from packtrain.documents.admission import Admission
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.dataset import Dataset
from packtrain.documents.declaration import Declaration
from packtrain.documents.group import Group
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    AgeFormatError,
    BeyondRepair,
    DocumentError,
    HostileArchive,
    IncompleteKnowledge,
    IntegrityError,
    MoreDrivesWanted,
    NotAdmitted,
    SystemRefused,
    WrongRole,
)
from packtrain.events import Notice, Sink
from packtrain.ports import Drive, Store
from packtrain.record import keys
from packtrain.record.custody import CustodyLog
from packtrain.record.dataset_folder import DATASET_NAME, holds_dataset
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.receipts import StageClock
from packtrain.training.kit import holds_kit, is_other_kit
from packtrain.volume.discover import Expected, Fleet, discover
from packtrain.volume.entry_list import gone, sentence
from packtrain.volume.kit_files import copy_kit, is_whole_kit, newest_whole
from packtrain.volume.loaded import PROGRESS_NAME, Loaded, read_progress
from packtrain.volume.reader import load_shipment

STAGE: Final = "load"
KIT_NAME: Final = "work/kit"
_NO_KIT: Final = "not here"
# Names are looked up at some 500,000 a second where the kernel remembers them; `status` should not be noticed.
_LOOKED_AT: Final = 100_000
_ASK: Final = 'the site operator runs "packtrain admit" and sends its dossier; "packtrain dossier import" takes it in'


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what is loaded and whereto.

    Which drives were mounted, or left out, does not count: any that suffice give the same files.

    Raises:
        NotAdmitted, AdmissionHeld, AdmissionRefused: there is no admission, or its verdict is another.
        IncompleteKnowledge: the shipment document did not come yet.
        StageNotReady: the packing statement did not come yet.
    """
    found = _inputs(folder)
    if folder.receipt(STAGE) is not None and (
        not holds_dataset(_store_path(folder)) or next(_gone(folder, _LOOKED_AT), None) is not None
    ):
        # What was loaded is not there any more: no receipt names this, so the stage runs again.
        found["store"] = sha256_bytes(b"gone")
    kit = _kit(folder)
    place = folder.root / KIT_NAME
    if folder.receipt(STAGE) is not None and kit and (not holds_kit(place, kit) or is_other_kit(place, kit)):
        found["kit"] = sha256_bytes(b"gone")
    return found


def is_settled(folder: VoyageFolder) -> bool:
    """Return whether a receipt alone may say that all is loaded: no entry is gone from the store since, and no byte
    of the kit is another.

    `inputs`, which `status` asks too, looks at so many entries as a second is enough for; this at all of them.
    """
    if folder.receipt(STAGE) is None:
        return True
    kit = _kit(folder)
    return (kit is None or is_whole_kit(folder.root / KIT_NAME, kit)) and next(_gone(folder), None) is None


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
    role = folder.voyage_file().voyage.role
    if role != "consignee":
        raise WrongRole("loading is the consignee's", where=str(folder.root), expected="consignee", found=role)
    _require_admission(folder)
    if keep_owner and os.geteuid() != 0:
        raise SystemRefused("only root may give files to other owners", hint="run it as root, or without --keep-owner")
    clock = StageClock(folder, STAGE, _inputs(folder))
    admitted = _admitted(folder)
    kit = _kit(folder)
    identity = _identity(folder, admitted)
    expected = Expected(
        plan=admitted.plan,
        plan_digest=folder.digest(Plan),
        shipment=admitted.shipment,
        groups=_groups(folder, admitted.shipment),
        admitted=admitted.serials,
    )
    fleet = discover(drives, folder.trust(), expected, without)
    if folder.receipt(STAGE) is not None and (told := sentence(_gone(folder))):
        sink(Notice(STAGE, told, is_warning=True))
    before = folder.receipt(STAGE)
    if kit is not None and before is not None and not verify_files and _lacks_only_kit(folder, kit, before):
        # As where nothing is lacking, what is in the store is not read again.
        sink(Notice(STAGE, f"the cargo is in the store since {before.finished} and is not read again, only the kit"))
        told = _tell_kit(_fetch_kit(folder, kit, fleet, sink), sink)
        return clock.finish(counts=before.counts, facts={**before.facts, "kit": told})
    # A store that was loaded before and is gone may come back in waves: until the last of them nothing is loaded.
    folder.drop_receipt(STAGE)
    # The drives with the kit may not be among those of the last wave.
    kit_told = _fetch_kit(folder, kit, fleet, sink) if kit is not None else _NO_KIT
    try:
        loaded = load_shipment(
            fleet.plan,
            fleet.groups,
            fleet.shipment,
            fleet.mounted,
            identity,
            store,
            _journal_folder(folder) / "journal.jsonl",
            sink,
            lost=fleet.lost,
            no_more=no_more,
            keep_owner=keep_owner,
            verify_files=verify_files,
            scratch=scratch,
            damage=fleet.damage,
        )
    except MoreDrivesWanted:
        _note(folder, fleet, "a wave; more drives are to be read")
        raise
    except BeyondRepair as error:
        # Counts, and no names: the log goes to the other parties.
        _note(folder, fleet, f"not whole: {error.found}; expected {error.expected}; the rest is beyond repair")
        raise
    except (HostileArchive, AgeFormatError, IntegrityError) as error:
        _note(folder, fleet, f"not whole: what these drives hold is not as it should be ({type(error).__name__})")
        raise
    missing = ", ".join(loaded.drives_lost)
    _note(folder, fleet, f"not here: {missing}" if missing else "all drives read")
    num_samples = _check_dataset(store, sink)
    facts = _facts(loaded, fleet, store)
    facts["file digests"] = "every file was hashed" if verify_files else "one file in 16 was hashed"
    if kit is not None:
        facts["kit"] = _tell_kit(kit_told, sink)
    return clock.finish(counts=_counts(loaded, fleet, num_samples), facts=facts)


def standing(folder: VoyageFolder) -> str:
    """Return what is known after the last wave, for `status`; "" before the first."""
    payload = _journal_folder(folder) / PROGRESS_NAME
    if not payload.is_file():
        return ""
    return "; ".join(read_progress(payload.read_bytes()))


def _inputs(folder: VoyageFolder) -> dict[str, str]:
    _require_admission(folder)
    _require_shipment(folder)
    return {
        "admission": folder.digest(Admission),
        "shipment": folder.digest(Shipment),
        "packing-statement": folder.digest(PackingStatement),
        "store": sha256_bytes(str(_store_path(folder)).encode("utf-8", "surrogateescape")),
    }


def _store_path(folder: VoyageFolder) -> Path:
    return folder.resolve(folder.voyage_file().site.store)


def _journal_folder(folder: VoyageFolder) -> Path:
    return folder.work / "load"


def _gone(folder: VoyageFolder, most: int | None = None) -> Iterator[bytes]:
    """Yield the names of entries that are gone from the store; of each group the first `most` are looked at."""
    records = (shipped.record for shipped in folder.read_signed(Shipment).groups)
    return gone(_journal_folder(folder), records, _store_path(folder), most)


# --- gates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Admitted:
    """The documents of one admitted shipment, signatures checked; and the drives that may be read, serial by UUID."""

    plan: Plan
    shipment: Shipment
    serials: dict[str, str]


def _require_admission(folder: VoyageFolder) -> None:
    if not folder.has(Admission):
        raise NotAdmitted(
            "the site operator has not admitted this shipment",
            where=str(folder.document_path(Admission)),
            expected="admission.json, signed by the operator",
            hint=_ASK,
        )
    # Said first: a refused voyage may lack the very papers that are asked for next, and nobody will bring them.
    admission, where = folder.read_signed(Admission), str(folder.document_path(Admission))
    if admission.verdict == "refuse":
        raise AdmissionRefused("the site operator refused this shipment", where=where, hint=_reasons(admission))
    if admission.verdict == "hold":
        raise AdmissionHeld("the site operator holds this shipment", where=where, hint=_reasons(admission))


def _require_shipment(folder: VoyageFolder) -> None:
    if not folder.has(Shipment):
        raise IncompleteKnowledge(
            "no shipment document says what the whole is: drives may be missing or withheld, and nobody could tell",
            where=str(folder.document_path(Shipment)),
            expected="shipment.json, signed by the consignor",
            hint='take in a dossier that holds it: "packtrain dossier import"',
        )


def _admitted(folder: VoyageFolder) -> _Admitted:
    where = str(folder.document_path(Admission))
    admission = folder.read_signed(Admission)
    parties = folder.parties()
    operator, consignee = parties.of("operator"), parties.of("consignee")
    if operator is not None and consignee is not None and operator.signer == consignee.signer:
        raise NotAdmitted(
            "operator and consignee sign with the same key: nobody admits a shipment to himself",
            where="parties.json",
            hint="the operator's admission needs a signer of its own",
        )
    plan, shipment = folder.read_signed(Plan), folder.read_signed(Shipment)
    statement = folder.read_signed(PackingStatement)
    covered = (
        (
            admission.shipment,
            admission.attempt,
            admission.plan,
            admission.shipment_root,
            admission.packing_statement,
            admission.declaration,
        ),
        (
            shipment.shipment,
            shipment.attempt,
            folder.digest(Plan),
            folder.digest(Shipment),
            folder.digest(PackingStatement),
            folder.digest(Declaration),
        ),
    )
    names = ("shipment", "attempt", "plan", "shipment root", "packing statement", "declaration")
    for name, admitted, found in zip(names, *covered, strict=True):
        if admitted != found:
            raise NotAdmitted(
                f"the admission does not cover this {name}",
                where=where,
                expected=str(admitted)[:36],
                found=str(found)[:36],
                hint=_ASK,
            )
    if shipment.purpose != "cargo" or plan.purpose != "cargo":
        raise NotAdmitted(
            f"a shipment with the purpose {plan.purpose} is not loaded into a store",
            where=where,
            expected="purpose cargo",
            found=f"purpose {plan.purpose}",
            hint="a rehearsal proves the way and holds a miniature; ask the consignor for the cargo",
        )
    root, plan_digest = folder.digest(Shipment), folder.digest(Plan)
    if (shipment.plan, statement.plan, statement.shipment_root) != (plan_digest, plan_digest, root):
        raise NotAdmitted(
            "plan, shipment and packing statement do not belong together", where=str(folder.documents), hint=_ASK
        )
    stated = {drive.uuid: drive.serial for case in statement.cases for drive in case.drives}
    return _Admitted(
        plan,
        shipment,
        {drive.uuid: drive.serial for drive in admission.drives if stated.get(drive.uuid) == drive.serial},
    )


def _reasons(admission: Admission) -> str:
    found = [f"{check.check}: {check.detail}" for check in admission.checks if check.outcome in ("hold", "refuse")]
    return "; ".join(found)[:1000] or "ask the site operator why"


def _identity(folder: VoyageFolder, admitted: _Admitted) -> str:
    path = folder.keys / keys.RELEASE
    envelope = keys.read_envelope(path, f"the operator opens its layer when it admits: {_ASK}")
    key = keys.open_inner(
        envelope,
        folder.identity(),
        folder.trust(),
        str(path),
        shipment=admitted.shipment.shipment,
        plan=folder.digest(Plan),
        role="consignee",
    )
    return key.identity


def _kit(folder: VoyageFolder) -> Kit | None:
    return folder.read_signed(Kit) if folder.has(Kit) else None


def _groups(folder: VoyageFolder, shipment: Shipment) -> dict[int, Group]:
    """Return the group documents that came with the dossier: without them a group with no drive here has no names."""
    groups: dict[int, Group] = {}
    trust = folder.trust()
    for shipped in shipment.groups:
        path = folder.documents / "groups" / f"{shipped.group}.json"
        if not path.is_file():
            continue
        payload = path.read_bytes()
        if sha256_bytes(payload) != shipped.record:
            raise IntegrityError(
                "group document is not the one that the shipment document names",
                where=str(path),
                expected=shipped.record[:12],
                found=sha256_bytes(payload)[:12],
            )
        signature = read_signature(path.with_name(path.name + ".sig"))
        groups[shipped.group] = trust.open(Group, payload, signature, str(path))
    return groups


# --- what was loaded -------------------------------------------------------------------------------------------------


def _check_dataset(store: Store, sink: Sink) -> int:
    """Hold the store against the data set's own document, if it came along; return the number of samples.

    Every volume was held against its signed SHA-256, and its files (one in 16 of them, or all: ADR 0013) against the
    catalog, whose digests come from this document: what is left to show is that every file of the data set is there.

    Raises:
        IntegrityError: a file that dataset.json lists is not in the store with its length.
    """
    size_bytes = store.size_bytes(DATASET_NAME.encode("ascii"))
    if size_bytes is None or size_bytes > MAX_DOCUMENT_BYTES:
        sink(Notice(STAGE, "the cargo has no dataset.json: files were counted, samples were not", is_warning=True))
        return 0
    path = store.local_path() / DATASET_NAME
    try:
        dataset = decode(Dataset, path.read_bytes(), str(path))
    except DocumentError as error:
        # Its bytes are the consignor's: a folder that was carried as it is may have a file of this name.
        sink(Notice(STAGE, f"{DATASET_NAME} is no data set's document: {error.what}", is_warning=True))
        return 0
    faults = [
        f"{file.name}: expected {file.bytes} bytes, found {found}"
        for file in (*dataset.shards, *dataset.files)
        if (found := store.size_bytes(file.name.encode("utf-8"))) != file.bytes
    ]
    if faults:
        raise IntegrityError(
            f"{len(faults)} files of the data set are not in the store: {'; '.join(faults[:20])}", where=store.location
        )
    return dataset.num_samples


def _fetch_kit(folder: VoyageFolder, kit: Kit, fleet: Fleet, sink: Sink) -> str:
    """Copy the kit in force from the drives unless it is here; return what the receipt says of where it is.

    Drives carry the kit that left. Where an update is in force and its kit is gone, that one is brought, for the
    updates to be applied to it again; so long `train` refuses it.
    """
    destination = folder.root / KIT_NAME
    if is_whole_kit(destination, kit):
        return KIT_NAME
    if _copy_kit(kit, fleet, destination, sink):
        sink(Notice(STAGE, f"kit is in {KIT_NAME}, held against kit.json: sh {destination}/install.sh FOLDER PYTHON"))
        return KIT_NAME
    if not folder.has(KitUpdate):
        return _NO_KIT
    chain = chain_of(folder)
    number = newest_whole(destination, [each.kit for each in chain])
    if number is None:
        left = chain[0].kit
        if left is None or not _copy_kit(left, fleet, destination, sink):
            return _NO_KIT
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


def _lacks_only_kit(folder: VoyageFolder, kit: Kit, receipt: Receipt) -> bool:
    """Return whether everything that a receipt says is here, as it was, but for the kit."""
    return (
        not is_whole_kit(folder.root / KIT_NAME, kit)
        and dict(receipt.inputs) == _inputs(folder)
        and holds_dataset(_store_path(folder))
        and next(_gone(folder), None) is None
    )


def _tell_kit(told: str, sink: Sink) -> str:
    if told == _NO_KIT:
        text = "kit is whole on no drive that was read: it lies on the first drive of each case"
        sink(Notice(STAGE, f"{text}; mount another of those and load again", is_warning=True))
    return told


def _copy_kit(kit: Kit, fleet: Fleet, destination: Path, sink: Sink) -> bool:
    is_here, faults = copy_kit(kit, fleet.mounted, destination)
    for fault in faults[:20]:
        sink(Notice(STAGE, fault, is_warning=True))
    return is_here


def _note(folder: VoyageFolder, fleet: Fleet, text: str) -> None:
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
