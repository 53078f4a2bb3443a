"""What must be there before a byte is read: the operator's admission of exactly this shipment, and the key to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.verdict import require_admitting
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.group import Group
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import IncompleteKnowledge, IntegrityError, NotAdmitted
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.volume.discover import Expected

_ASK: Final = 'the site operator runs "packtrain admit" and sends its dossier; "packtrain dossier import" takes it in'


@dataclass(frozen=True, slots=True)
class Admitted:
    """The documents of one admitted shipment, signatures checked; and the drives that may be read, serial by UUID."""

    plan: Plan
    shipment: Shipment
    serials: dict[str, str]


def require_admission(folder: VoyageFolder) -> None:
    """Refuse where the operator gave no verdict, or another one than to admit.

    Raises:
        NotAdmitted, AdmissionHeld, AdmissionRefused: so it is.
    """
    if not folder.has(Admission):
        raise NotAdmitted(
            "the site operator has not admitted this shipment",
            where=str(folder.document_path(Admission)),
            expected="admission.json, signed by the operator",
            hint=_ASK,
        )
    # Said first: a refused voyage may lack the very papers that are asked for next, and nobody will bring them.
    require_admitting(folder)


def require_shipment(folder: VoyageFolder) -> None:
    """Refuse where nothing says what the whole is.

    Raises:
        IncompleteKnowledge: the shipment document did not come yet.
    """
    if not folder.has(Shipment):
        raise IncompleteKnowledge(
            "no shipment document says what the whole is: drives may be missing or withheld, and nobody could tell",
            where=str(folder.document_path(Shipment)),
            expected="shipment.json, signed by the consignor",
            hint='take in a dossier that holds it: "packtrain dossier import"',
        )


def admitted_papers(folder: VoyageFolder) -> Admitted:
    """Return the papers of the shipment that the operator admitted.

    Raises:
        NotAdmitted: the admission is of other papers, the papers do not belong together, or it is no cargo.
    """
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
    return Admitted(
        plan,
        shipment,
        {drive.uuid: drive.serial for drive in admission.drives if stated.get(drive.uuid) == drive.serial},
    )


def identity_of(folder: VoyageFolder, admitted: Admitted) -> str:
    """Return the age identity of an admitted shipment, from release.age.

    Raises:
        KeyMissing, WrongKey: release.age is not here, or not to this consignee.
    """
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


def expected_of(folder: VoyageFolder, admitted: Admitted) -> Expected:
    """Return what drives of an admitted shipment are held against.

    Raises:
        IntegrityError, UntrustedSigner, SignatureInvalid: a group document is not the one that was shipped.
    """
    return Expected(
        plan=admitted.plan,
        plan_digest=folder.digest(Plan),
        shipment=admitted.shipment,
        groups=_groups_of(folder, admitted.shipment),
        admitted=admitted.serials,
    )


def _groups_of(folder: VoyageFolder, shipment: Shipment) -> dict[int, Group]:
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
