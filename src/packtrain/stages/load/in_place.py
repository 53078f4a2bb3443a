"""Reading a shipment where it lies: by the same admission as a load, and noted in the custody log as one is.

Nothing is written into a store. Whoever asks later what was done with the drives finds that they were read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import NotAdmitted, WrongRole
from packtrain.ports import Drive
from packtrain.record.envelopes import open_own
from packtrain.record.folder import VoyageFolder
from packtrain.stages.load.cargo import note_loaded
from packtrain.stages.load.gates import admitted_papers, expected_of, identity_of, require_admission, require_shipment
from packtrain.volume.discover import Expected, Fleet, discover

NOTE: Final = "read in place, file by file; nothing was put into a store"


def open_in_place(folder: VoyageFolder, drives: Sequence[Drive], without: Collection[str] = ()) -> tuple[Fleet, str]:
    """Return the verified drives of a shipment and its identity, for whoever may read it.

    At the site that is the consignee, of an admitted shipment, with what the operator released. At home it is the
    consignor, with its own envelope. The folder's lock must be held. Before anything of the cargo is handed out,
    `note_in_place` is to be called.

    Args:
        folder: the consignee's or the consignor's voyage folder.
        drives: the mounted drives, in any order.
        without: as of `discover`.

    Raises:
        WrongRole: the operator opens no cargo.
        NotAdmitted, AdmissionHeld, AdmissionRefused, IncompleteKnowledge, KeyMissing, WrongKey: as of `load`.
        StageNotReady: at home nothing was packed.
        ForeignDrive, SupersededDrive, DuplicateDrive, DriveNotClosed: see `discover`.
    """
    role = folder.voyage_file().voyage.role
    if role == "consignee":
        return _at_the_site(folder, drives, without)
    if role == "consignor":
        return _at_home(folder, drives, without)
    raise WrongRole(
        "the operator opens no cargo", where=str(folder.root), expected="consignee, or consignor at home", found=role
    )


def _at_the_site(folder: VoyageFolder, drives: Sequence[Drive], without: Collection[str]) -> tuple[Fleet, str]:
    require_admission(folder)
    require_shipment(folder)
    admitted = admitted_papers(folder)
    identity = identity_of(folder, admitted)
    return discover(drives, folder.trust(), expected_of(folder, admitted), without), identity


def note_in_place(folder: VoyageFolder, fleet: Fleet) -> None:
    """Note in the custody log that these drives are read at the site, once; at home nothing is noted.

    After they were opened: drives that gave nothing were not read. The folder's lock must be held.
    """
    if folder.voyage_file().voyage.role == "consignee":
        note_loaded(folder, fleet, NOTE)


def _at_home(folder: VoyageFolder, drives: Sequence[Drive], without: Collection[str]) -> tuple[Fleet, str]:
    plan = folder.read_signed(Plan)
    if plan.purpose != "cargo":
        raise NotAdmitted(
            f"a shipment with the purpose {plan.purpose} is not read as files",
            where=str(folder.document_path(Plan)),
            expected="purpose cargo",
            found=f"purpose {plan.purpose}",
        )
    key, _ = open_own(folder, plan.shipment)
    expected = Expected(
        plan=plan,
        plan_digest=folder.digest(Plan),
        shipment=folder.read_signed(Shipment) if folder.has(Shipment) else None,
    )
    return discover(drives, folder.trust(), expected, without), key.identity
