"""The papers of a voyage: the signed documents that travel between the parties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from packtrain.digest import sha256_bytes
from packtrain.diligence.amendments import ARCHIVES, declaration_chain
from packtrain.diligence.evidence import named_by
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode
from packtrain.documents.customs import Customs
from packtrain.documents.data_scan import DataScan
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.group import Group
from packtrain.documents.inspection import Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.documents.ready import Ready
from packtrain.documents.sanitisation import Sanitisation
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError, SignatureMissing, UntrustedSigner
from packtrain.record.folder import read_signature
from packtrain.record.trust import Trust

SHARED: Final[dict[str, type[Document]]] = {
    kind.kind: kind
    for kind in (
        Plan,
        Shipment,
        Declaration,
        PackingStatement,
        Customs,
        Kit,
        KitUpdate,
        Ready,
        DataScan,
        Admission,
        ExportList,
        Provenance,
    )
}
"""The documents that lie under their own name; groups, superseded documents and closings lie in folders."""

OF_EACH_PARTY: Final[dict[str, type[Closing | Screening | Flags | Inspection]]] = {
    "closings": Closing,
    "screenings": Screening,
    "flags": Flags,
    "inspections": Inspection,
}
"""Documents that each party makes of its own: <folder>/<role>.json at the others, <kind>.json at its maker."""

COUNTERSIGNATURES: Final[dict[str, Role]] = {"export-list.json": "operator"}
"""Documents with a second signature, NAME.<role>.sig, and whose it is."""

_OPERATORS_TOO: Final = re.compile(r"kit-update\.json|kit-updates/[0-9a-f]{64}\.json|provenance\.json")
"""Documents under which the operator's signature comes too, at those to whom it came: NAME.operator.sig."""

_FIRST_SIGNED_BY: Final[dict[type[Document], Role]] = {KitUpdate: "consignor", Provenance: "consignee"}
"""Documents that two parties sign, and whose the first signature has to be."""

_FOLDERS: Final[dict[str, type[Document]]] = {
    "groups": Group,
    "dispositions": Disposition,
    "flag-answers": FlagAnswer,
    "sanitisations": Sanitisation,
    **{folder: SHARED[kind] for kind, folder in ARCHIVES.items() if kind in SHARED},
    **OF_EACH_PARTY,
}
_BY_A_PARTY: Final = (Closing, Screening, Disposition, Flags, FlagAnswer, Inspection, Sanitisation)
_IN_FOLDER: Final = re.compile(r"(?P<folder>[a-z-]+)/(?P<stem>[0-9a-z]{1,64})\.json")
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Paper:
    """One verified document: its name below documents/, its digest, and what it says."""

    name: str
    digest: str
    document: Document
    signers: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Papers:
    """All verified documents of one folder, by name."""

    by_name: dict[str, Paper]

    def current(self, document_type: type[D]) -> D | None:
        """Return the document of this type that holds now, or None."""
        paper = self.by_name.get(f"{document_type.kind}.json")
        if paper is None:
            return None
        assert isinstance(paper.document, document_type)
        return paper.document

    def holds(self, digest: str) -> bool:
        """Return whether a document of this digest is here, of whatever kind and party."""
        return any(paper.digest == digest for paper in self.by_name.values())

    def digest(self, document_type: type[Document]) -> str | None:
        """Return the SHA-256 of the document of this type that holds now, or None."""
        paper = self.by_name.get(f"{document_type.kind}.json")
        return paper.digest if paper else None

    def superseded(self, document_type: type[D]) -> dict[str, D]:
        """Return the superseded documents of this type by digest."""
        return {paper.digest: document for paper, document in self._inside(ARCHIVES[document_type.kind], document_type)}

    def of_party(self, document_type: type[D], role: Role) -> D | None:
        """Return a document that each party makes of its own, as another party holds it, or None."""
        folder = next(name for name, kind in OF_EACH_PARTY.items() if kind is document_type)
        paper = self.by_name.get(f"{folder}/{role}.json")
        if paper is None:
            return None
        assert isinstance(paper.document, document_type)
        return paper.document

    def made_by(self, document_type: type[D], role: Role) -> dict[str, D]:
        """Return every document of this type that a party made of its own, superseded ones too, by digest."""
        return {
            paper.digest: paper.document
            for paper in self.by_name.values()
            if isinstance(paper.document, document_type) and getattr(paper.document, "by", None) == role
        }

    def sanitisations(self) -> dict[str, Sanitisation]:
        """Return the sanitisations of drives by digest, of every party."""
        return {paper.digest: record for paper, record in self._inside("sanitisations", Sanitisation)}

    def groups(self) -> dict[str, Group]:
        """Return the group documents by digest."""
        return {paper.digest: group for paper, group in self._inside("groups", Group)}

    def evidence(self) -> set[str]:
        """Return the digests of all files that these papers name as evidence."""
        return named_by(paper.document for paper in self.by_name.values())

    def chain(self) -> tuple[tuple[str, Declaration], ...]:
        """Return (digest, declaration) from the current one back to the first; empty where there is none."""
        current = self.current(Declaration)
        return declaration_chain(current, self.superseded(Declaration)) if current is not None else ()

    def attempt(self) -> tuple[str, int] | None:
        """Return shipment UUID and attempt of the papers of a packed shipment, or None where there are none."""
        groups = next(iter(self.groups().values()), None)
        document = self.current(Plan) or self.current(Shipment) or self.current(PackingStatement) or groups
        return (document.shipment, document.attempt) if document is not None else None

    def _inside(self, folder: str, document_type: type[D]) -> Iterator[tuple[Paper, D]]:
        for name, paper in sorted(self.by_name.items()):
            if name.startswith(f"{folder}/") and isinstance(paper.document, document_type):
                yield paper, paper.document


def document_type_of(name: str) -> type[Document] | None:
    """Return the type of a document that may travel, by its name below documents/, or None."""
    if (kind := SHARED.get(name.removesuffix(".json"))) is not None and name == f"{kind.kind}.json":
        return kind
    match = _IN_FOLDER.fullmatch(name)
    return _FOLDERS.get(match["folder"]) if match else None


def read_papers(documents: Path, trust: Trust, own: Role | None) -> Papers:
    """Return all documents below `documents` that may travel, each with its signature checked.

    Files of other names (dataset.json, parties.json) are not looked at. A party's own rehearsal sheet that was not
    signed, because something could not be shown, stays at home and is no fault; in what came from another it is.

    Args:
        documents: of a voyage folder, or of a dossier.
        trust: checks the signatures.
        own: whose voyage folder it is; None for a dossier. What each party makes of its own is named as it is at the
            others: see `place_of`.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: of the first document that is not in order.
        DossierError: a document lies under a name that is not its own.
    """
    by_name: dict[str, Paper] = {}
    for name in sorted(_names(documents, own)):
        document_type = document_type_of(name)
        if document_type is None or (own and document_type is Ready and not (documents / f"{name}.sig").is_file()):
            continue
        by_name[name] = _read(documents / place_of(name, own), name, document_type, trust)
    return Papers(by_name)


def place_of(name: str, own: Role | None) -> str:
    """Return where a paper lies below documents/ of the party `own`: flags/<own>.json is its flags.json."""
    folder, _, rest = name.partition("/")
    return f"{OF_EACH_PARTY[folder].kind}.json" if folder in OF_EACH_PARTY and rest == f"{own}.json" else name


def _names(documents: Path, own: Role | None) -> Iterator[str]:
    if own is not None:
        for folder, kind in OF_EACH_PARTY.items():
            if (documents / f"{kind.kind}.json").is_file():
                yield f"{folder}/{own}.json"
    for folder in (documents, *(documents / name for name in sorted(_FOLDERS))):
        if folder.is_dir():
            for path in folder.iterdir():
                if path.suffix == ".json" and path.is_file() and not path.is_symlink():
                    yield path.relative_to(documents).as_posix()


def _read(path: Path, name: str, document_type: type[Document], trust: Trust) -> Paper:
    with path.open("rb") as stream:
        payload = stream.read(MAX_DOCUMENT_BYTES + 1)
    signature = read_signature(path.with_name(path.name + ".sig"))
    signers = trust.signer_role(document_type, payload, signature, name)
    document = decode(document_type, payload, name)
    document_digest = sha256_bytes(payload)
    _check_name(name, document, document_digest)
    if isinstance(document, _BY_A_PARTY) and document.by not in signers:
        raise UntrustedSigner(
            f"{document.kind} is signed by another party than it names",
            where=name,
            expected=document.by,
            found=", ".join(sorted(signers)),
        )
    if (first := _FIRST_SIGNED_BY.get(document_type)) is not None and first not in signers:
        raise UntrustedSigner(
            f"{document.kind} is not signed by the {first}",
            where=name,
            expected=first,
            found=", ".join(sorted(signers)),
        )
    if (second := second_signer(name)) is not None:
        _check_countersignature(path, payload, document_type, second, trust)
    return Paper(name, document_digest, document, signers)


def _check_name(name: str, document: Document, document_digest: str) -> None:
    if "/" not in name:
        return
    stem = Path(name).stem
    own = (str(document.group) if isinstance(document, Group) else document_digest,)
    if isinstance(document, Closing | Inspection):
        own = (document.by,)
    elif isinstance(document, Screening | Flags):
        own = (document.by, document_digest)
    if stem not in own:
        raise DossierError("a document lies under a name that is not its own", where=name, expected=own[0], found=stem)


def _check_countersignature(
    path: Path, payload: bytes, document_type: type[Document], role: Role, trust: Trust
) -> None:
    signature = read_signature(path.with_name(f"{path.name}.{role}.sig"))
    if signature is None:
        return  # not countersigned yet; whoever needs the second signature asks for it
    if role not in trust.signer_role(document_type, payload, signature, f"{path.name}.{role}.sig"):
        raise UntrustedSigner("the second signature is another party's", where=path.name, expected=role)


def second_signer(name: str) -> Role | None:
    """Return whose second signature a document may have, or None."""
    return COUNTERSIGNATURES.get(name) or ("operator" if _OPERATORS_TOO.fullmatch(name) else None)


def signature_names(name: str) -> tuple[str, ...]:
    """Return the names of a document's signature files: its author's, and the second one where it may have one."""
    role = second_signer(name)
    return (f"{name}.sig", f"{name}.{role}.sig") if role else (f"{name}.sig",)


def check_names(names: set[str]) -> None:
    """Check that every file below a dossier's documents/ is a document that may travel, or the signature of one.

    Raises:
        DossierError: a file of another name, or a signature without its document.
        SignatureMissing: a document without its signature.
    """
    known = {name for name in names if document_type_of(name) is not None}
    signatures = {signature for name in known for signature in signature_names(name)}
    if strangers := sorted(names - known - signatures):
        raise DossierError("a file that no dossier has", where=strangers[0], found=f"{len(strangers)} such files")
    for name in sorted(known):
        if f"{name}.sig" not in names:
            raise SignatureMissing("document has no signature", where=name, hint="ask the sender for the whole dossier")
