"""What the papers to print are made from: this party's signed documents, verified, and what of them is not here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from packtrain.crypto.sshsig import fingerprint
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.sanitised import read_sanitisations
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document
from packtrain.documents.customs import Customs, GoodsKind
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Parties, Role
from packtrain.documents.sanitisation import Sanitisation
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder

CUSTODY: Final = "custody"
_HOW: Final = {
    "declaration": 'no declaration is signed: "packtrain declare"',
    "packing-statement": 'the cases are not sealed: "packtrain carry seal"',
    "customs": 'no customs answers are signed: "packtrain papers --write-form", answer in customs.toml, run it again',
    "shipment": 'nothing is packed: "packtrain pack"',
    "closing": 'this party has not closed the voyage: "packtrain close"',
    CUSTODY: 'the custody log is empty: it begins with "packtrain carry seal"',
}
_COMES: Final = "it comes with the consignor's dossier"
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of goods, numbered the same on every paper.

    Attributes:
        label: the drive's label; "" for what is no drive.
        serial: "" where it has none.
        is_printed: the serial was read from the drive by a person; packtrain could not read it.
        goods: None before the customs answers are signed.
    """

    number: int
    case: str
    label: str
    serial: str
    is_printed: bool
    pieces: int
    goods: GoodsKind | None


@dataclass(frozen=True, slots=True)
class PaperSources:
    """The documents, each None where it is not here.

    Attributes:
        role, fingerprint: of the party that makes the papers.
        sanitised: the sanitisations that the closing record names, by digest.
        digests: SHA-256 of each document that is here, by kind; of the custody log, of its last line.
        reasons: why a document that lies here is not used, by kind.
    """

    role: Role
    fingerprint: str
    parties: Parties
    declaration: Declaration | None
    shipment: Shipment | None
    statement: PackingStatement | None
    customs: Customs | None
    closing: Closing | None
    sanitised: dict[str, Sanitisation]
    custody: tuple[CustodyLine, ...]
    digests: dict[str, str]
    reasons: dict[str, str]

    def why_not(self, kind: str) -> str | None:
        """Return why a document cannot be used; None where it can."""
        if kind in self.digests:
            return None
        if kind in self.reasons:
            return self.reasons[kind]
        return _HOW[kind] if self.role == "consignor" or kind == "closing" else f"no {kind} is here: {_COMES}"

    def without_customs(self, why: str) -> PaperSources:
        """Return these sources without the customs answers."""
        rest = {name: digest for name, digest in self.digests.items() if name != Customs.kind}
        return replace(self, customs=None, digests=rest, reasons={**self.reasons, Customs.kind: why})

    def root(self) -> str | None:
        """Return the shipment root; None before anything is packed."""
        return self.statement.shipment_root if self.statement is not None else self.digests.get("shipment")

    def items(self) -> list[Item]:
        """Return all goods: the drives case by case, then what else the customs answers name."""
        if self.statement is None:
            return []
        kinds = {uuid: kind.goods for kind in self.customs.drive_kinds for uuid in kind.drives} if self.customs else {}
        printed = {each.drive: each.serial for each in self.customs.printed_serials} if self.customs else {}
        items: list[Item] = []
        for case in self.statement.cases:
            for drive in sorted(case.drives, key=lambda drive: natural(drive.label)):
                serial = printed.get(drive.uuid, drive.serial)
                goods = kinds.get(drive.uuid)
                items.append(Item(len(items) + 1, case.label, drive.label, serial, drive.uuid in printed, 1, goods))
        for other in self.customs.others if self.customs else ():
            serial = "" if other.serial == "none" else other.serial
            items.append(Item(len(items) + 1, other.case, "", serial, False, other.pieces, other.goods))
        return items


@dataclass(frozen=True, slots=True)
class RenderedPapers:
    """Pages by file name, and why the others cannot be made yet, by file name."""

    pages: dict[str, bytes]
    not_yet: dict[str, str]


Render = Callable[[PaperSources], RenderedPapers]
"""What makes pages of the documents: it writes nothing and signs nothing."""


def natural(label: str) -> tuple[tuple[str, int], ...]:
    """Return a key that sorts A2 before A10."""
    return tuple((text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", label))


def gather(folder: VoyageFolder) -> PaperSources:
    """Return this party's documents, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, CustodyBroken: one was altered.
        DossierError: the packing statement is of another shipment than the one here.
        KeyMissing: keys/signer is not there.
    """
    digests: dict[str, str] = {}
    reasons: dict[str, str] = {}

    def read(document_type: type[D]) -> D | None:
        if not folder.has(document_type):
            return None
        document = folder.read_signed(document_type)
        digests[document_type.kind] = folder.digest(document_type)
        return document

    declaration, shipment, statement = read(Declaration), read(Shipment), read(PackingStatement)
    customs, closing = read(Customs), read(Closing)
    if statement is not None and shipment is not None and statement.shipment_root != digests[Shipment.kind]:
        raise DossierError(
            "the packing statement is of another shipment",
            where=str(folder.document_path(PackingStatement)),
            expected=f"shipment root {digests[Shipment.kind][:12]}",
            found=statement.shipment_root[:12],
            hint='run "packtrain carry seal" again' if folder.voyage_file().voyage.role == "consignor" else None,
        )
    if customs is not None and (statement is None or customs.packing_statement != digests[PackingStatement.kind]):
        reasons[Customs.kind] = "the customs answers that are signed are of another packing statement"
        del digests[Customs.kind]
        customs = None
    if closing is not None and (shipment is None or closing.shipment != shipment.shipment):
        reasons[Closing.kind] = "closing.json is of another shipment"
        del digests[Closing.kind]
        closing = None
    lines = custody_log(folder).read(folder.trust())
    shipment_id = statement.shipment if statement is not None else None
    custody = tuple(line for line in lines if line.event.shipment == shipment_id)
    if custody:
        digests[CUSTODY] = custody[-1].digest
    named = {drive.record for drive in closing.drives} if closing is not None else set[str | None]()
    parties, role = folder.parties(), folder.voyage_file().voyage.role
    return PaperSources(
        role=role,
        fingerprint=fingerprint(folder.signer().public_line),
        parties=parties,
        declaration=declaration,
        shipment=shipment,
        statement=statement,
        customs=customs,
        closing=closing,
        sanitised={each.digest: each.record for each in read_sanitisations(folder) if each.digest in named},
        custody=custody,
        digests=digests,
        reasons=reasons,
    )
