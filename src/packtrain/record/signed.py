"""Which documents are signed, by whom, and whether that counts: one line a document, nothing raised.

`load`, `admit` and the others stop at the first document that is not in order. This lists them all, on drives, in a
voyage folder and in a dossier, against the same parties.json.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto import sshsig
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, json_object, namespace
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.customs import Customs
from packtrain.documents.data_scan import DataScan
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.group import Group
from packtrain.documents.inspection import Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import SIGNING_RIGHTS, STATEMENT_NAMESPACE, STATEMENT_TYPE, Role
from packtrain.documents.pieces import Pieces
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.documents.ready import Ready
from packtrain.documents.revocation import Revocation
from packtrain.documents.sanitisation import Sanitisation
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.documents.withdrawals import Withdrawals
from packtrain.errors import DocumentError, DriveFailed, PacktrainError, SignatureMissing
from packtrain.ports import Drive
from packtrain.record.custody import MAX_LOG_BYTES, read_log
from packtrain.record.folder import VOYAGE_FILE
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust

_TYPES: Final[dict[str, type[Document]]] = {
    kind.kind: kind
    for kind in (
        Admission,
        Closing,
        Customs,
        DataScan,
        CustodyHead,
        Declaration,
        Disposition,
        DriveRecord,
        ExportList,
        FlagAnswer,
        Flags,
        Group,
        Inspection,
        Kit,
        KitUpdate,
        PackingStatement,
        Pieces,
        Plan,
        Provenance,
        Ready,
        Revocation,
        Sanitisation,
        Screening,
        Shipment,
        Withdrawals,
    )
}
_SIGNED_KINDS: Final = frozenset(kind for kinds in SIGNING_RIGHTS.values() for kind in kinds)
_ON_EVERY_DRIVE: Final = ("packtrain/plan.json", "packtrain/group.json", "packtrain/drive.json")
_CUSTODY: Final = "custody.jsonl"
_SIG: Final = ".sig"
# A drive has a handful of documents and a folder some hundred; more is no reason to read for hours.
_MAX_DOCUMENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """What is known of one document and one signature.

    Attributes:
        place: the drive or folder; `name` is the file below it, `signature` the signature's.
        namespace: of SSHSIG; "" where the kind of the document is not known.
        signer: role and fingerprint; "" where the signature does not count.
        verdict: "good", or what is wrong.
        exit_code: 0, or that of the error.
    """

    place: str
    name: str
    signature: str
    namespace: str
    signer: str
    verdict: str
    exit_code: int

    def __str__(self) -> str:
        """Return the line that people read."""
        signed = f"signed by {self.signer}, {self.namespace}" if self.signer else self.namespace or "of unknown kind"
        return f"{self.name}: {signed}: {self.verdict}"


def on_drive(drive: Drive, trust: Trust) -> Iterator[SignedDocument]:
    """Yield every signed document of a drive, and those that should be signed."""
    try:
        names = set(drive.names())
    except DriveFailed as error:
        yield _failed(drive.location, "", "", "", error)
        return
    documents = {name.removesuffix(_SIG) for name in names if name.endswith(".json" + _SIG)} | set(_ON_EVERY_DRIVE)
    documents |= {name for name in names if name.startswith("packtrain/") and name.count("/") == 1 and _is_json(name)}
    for name in sorted(documents)[:_MAX_DOCUMENTS]:
        try:
            payload = drive.read_bytes(name, MAX_DOCUMENT_BYTES)
            signature = drive.read_bytes(name + _SIG, MAX_SIGNATURE_BYTES) if name + _SIG in names else None
        except DriveFailed as error:
            yield _failed(drive.location, name, name + _SIG, "", error)
            continue
        yield judge(drive.location, name, name + _SIG, payload, signature, trust)
    name = f"packtrain/{_CUSTODY}"
    if name in names:
        try:
            yield _judge_log(drive.location, name, drive.read_bytes(name, MAX_LOG_BYTES), trust)
        except DriveFailed as error:
            yield _failed(drive.location, name, name, "", error)


def in_folder(folder: Path, trust: Trust) -> Iterator[SignedDocument]:
    """Yield every document below a folder that is signed, or is of a kind that parties sign.

    Of a voyage folder only documents/ and outbox/ are looked at. Links are not followed.
    """
    roots: Sequence[Path] = [folder / "documents", folder / "outbox"] if (folder / VOYAGE_FILE).is_file() else [folder]
    paths = sorted(path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    for path in paths[:_MAX_DOCUMENTS]:
        name = str(path.relative_to(folder))
        if path.name == _CUSTODY:
            yield _judge_log(str(folder), name, _bounded(path, MAX_LOG_BYTES), trust)
        elif _is_json(path.name):
            payload = _bounded(path, MAX_DOCUMENT_BYTES)
            signatures = [beside for beside in paths if beside.parent == path.parent and _signs(beside.name, path.name)]
            for signature in signatures:
                bytes_of = _bounded(signature, MAX_SIGNATURE_BYTES)
                yield judge(str(folder), name, str(signature.relative_to(folder)), payload, bytes_of, trust)
            if not signatures and _kind(payload, name) in _SIGNED_KINDS:
                yield judge(str(folder), name, name + _SIG, payload, None, trust)


def judge(
    place: str, name: str, signature_name: str, payload: bytes, signature: bytes | None, trust: Trust
) -> SignedDocument:
    """Return the verdict on one document and one signature."""
    where = f"{place}/{name}"
    if is_statement(payload):
        return _judge_statement(place, name, signature_name, payload, signature, trust)
    document_type = _TYPES.get(_kind(payload, where) or "")
    if document_type is None:
        error = DocumentError("it is no document that a party signs, or it is damaged", where=where)
        return _failed(place, name, signature_name, "", error)
    space = namespace(document_type)
    try:
        roles = trust.signer_role(document_type, payload, signature, where)
        trust.open(document_type, payload, signature, where)
    except PacktrainError as error:
        return _failed(place, name, signature_name, space, error)
    return SignedDocument(place, name, signature_name, space, _named(roles, trust), "good", 0)


def is_statement(payload: bytes) -> bool:
    """Return whether a file says of itself that it is a statement of in-toto."""
    try:
        return json_object(payload, "").get("_type") == STATEMENT_TYPE
    except DocumentError:
        return False


def _judge_statement(
    place: str, name: str, signature_name: str, payload: bytes, signature: bytes | None, trust: Trust
) -> SignedDocument:
    """Return the verdict on a statement's signature; that it follows from a document is seen where both are."""
    try:
        roles = trust.statement_signer(payload, signature, f"{place}/{name}")
    except PacktrainError as error:
        return _failed(place, name, signature_name, STATEMENT_NAMESPACE, error)
    return SignedDocument(place, name, signature_name, STATEMENT_NAMESPACE, _named(roles, trust), "good", 0)


def _named(roles: Collection[Role], trust: Trust) -> str:
    keys = sorted({party.signer for party in trust.parties.parties if party.role in roles})
    return f"{' and '.join(sorted(roles))} {', '.join(sshsig.fingerprint(key) for key in keys)}"


def _judge_log(place: str, name: str, payload: bytes, trust: Trust) -> SignedDocument:
    """Return the verdict on a custody log as a whole: every line carries its own signature."""
    space = namespace(CustodyEvent)
    try:
        lines = read_log(payload, trust, f"{place}/{name}")
    except PacktrainError as error:
        return _failed(place, name, name, space, error)
    roles = sorted({line.event.by for line in lines})
    return SignedDocument(place, name, name, space, " and ".join(roles) or "nobody", f"good, {len(lines)} entries", 0)


def _failed(place: str, name: str, signature: str, space: str, error: PacktrainError) -> SignedDocument:
    verdict = "no signature" if isinstance(error, SignatureMissing) else error.what
    found = f" ({error.found})" if error.found else ""
    return SignedDocument(place, name, signature, space, "", f"NOT GOOD: {verdict}{found}", error.exit_code)


def _kind(payload: bytes, where: str) -> str | None:
    try:
        kind = json_object(payload, where).get("type")
    except DocumentError:
        return None
    return kind.removeprefix("packtrain.") if isinstance(kind, str) else None


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _signs(signature: str, document: str) -> bool:
    """Return whether a file name is that of a signature over `document`: NAME.sig, or NAME.ROLE.sig."""
    return signature.endswith(_SIG) and signature.startswith(document + ".")


def _bounded(path: Path, max_bytes: int) -> bytes:
    """Return a file's bytes, one more than the bound at most: whoever parses them then refuses."""
    try:
        with path.open("rb") as stream:
            return stream.read(max_bytes + 1)
    except OSError:
        return b""
