"""Reading a record: every file of a voyage folder's documents/, or of a dossier, with a verdict on each signature.

Nothing is raised for what the record holds: an audit lists all that is wrong. What cannot be believed is not told: a
document without a valid signature is named, and nothing that it says is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.attached import attached_faults
from packtrain.diligence.audit.bag_check import SeenBag, check_bag, payload_names, read_bag
from packtrain.diligence.audit.faults import Fault, shown
from packtrain.diligence.audit.files import Files
from packtrain.diligence.audit.keyring import MAX_KEY_FILE_BYTES, Keyring
from packtrain.diligence.audit.layout import (
    Place,
    attached,
    evidence_digest,
    is_local,
    own_name,
    place_of,
    second_signatures,
)
from packtrain.diligence.audit.log import CustodyLog, read_log
from packtrain.diligence.audit.signatures import SeenSignature, look_at
from packtrain.diligence.hand_over import LOG_NAME
from packtrain.diligence.papers import COUNTERSIGNATURES, Paper, Papers
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode
from packtrain.documents.parties import ROLES, Role
from packtrain.documents.ready import Ready
from packtrain.documents.revocation import Revocation
from packtrain.errors import DocumentError, DossierError
from packtrain.record.custody import MAX_LOG_BYTES
from packtrain.record.folder import VOYAGE_FILE
from packtrain.record.revocations import REVOCATIONS
from packtrain.record.trust import MAX_SIGNATURE_BYTES, SignedRevocation

RecordForm = Literal["voyage folder", "dossier"]
_SIG: Final = ".sig"
ALLOWED_SIGNERS: Final = "allowed_signers"
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """One file that is a document, or should be one.

    Attributes:
        name: below documents/.
        sha256: of its bytes.
        signature: its author's; `second` the second one, None where a document has no second signer.
        document: what it says; None where that may not be told.
        others: of a head of the log, the good signatures of counterparts over the same bytes.
    """

    name: str
    kind: str
    sha256: str
    signature: SeenSignature
    second: SeenSignature | None
    document: Document | None
    others: tuple[SeenSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """All of a record.

    Attributes:
        source: the folder.
        documents: by name, those that are not in order too.
        custody: the party's custody log, and by file name the logs that others gave.
        evidence: SHA-256 of the evidence files here that are what their name says.
        allowed_signers: the record's own list of keys, as bytes; shown, never trusted.
        tagmanifest: of a dossier, its identity.
        revocations: of keys that the auditor's list names, by who may revoke them.
    """

    source: str
    form: RecordForm
    documents: Mapping[str, SeenDocument]
    custody: CustodyLog
    other_logs: Mapping[str, CustodyLog]
    evidence: frozenset[str]
    allowed_signers: bytes | None
    tagmanifest: str | None
    faults: tuple[Fault, ...]
    revocations: tuple[SignedRevocation, ...] = ()

    def current(self, document_type: type[D]) -> D | None:
        """Return the document under its own name, where it may be believed."""
        seen = self.documents.get(f"{document_type.kind}.json")
        return seen.document if seen is not None and isinstance(seen.document, document_type) else None

    def all_of(self, document_type: type[D]) -> list[tuple[SeenDocument, D]]:
        """Return every believed document of a type, each content once, by name."""
        found = {
            seen.sha256: (seen, seen.document)
            # A document under its own name goes before the same one in a folder.
            for seen in sorted(self.documents.values(), key=lambda each: ("/" not in each.name, each.name))
            if isinstance(seen.document, document_type)
        }
        return sorted(found.values(), key=lambda pair: ("/" in pair[0].name, pair[0].name))

    def papers(self) -> Papers:
        """Return what may be believed as the papers that other rooms judge."""
        return documents_as_papers(self.documents)


def documents_as_papers(documents: Mapping[str, SeenDocument]) -> Papers:
    """Return what may be believed as the papers that other rooms judge."""
    return Papers(
        {
            name: Paper(name, seen.sha256, seen.document, seen.signature.roles)
            for name, seen in documents.items()
            if seen.document is not None
        }
    )


def read_record(source: Path, keyring: Keyring) -> Record:
    """Return everything that a voyage folder or a dossier holds.

    Args:
        source: the folder.
        keyring: the keys that count; `NOBODY` where no list is at hand.

    Raises:
        DossierError: it is neither a voyage folder nor a dossier, or there is no such folder.
    """
    if (source / VOYAGE_FILE).is_file():
        form, inner = "voyage folder", source / "documents"
    elif not (source / "packtrain").is_dir() and ((source / "data").is_dir() or (source / "bagit.txt").is_file()):
        form, inner = "dossier", source
    else:
        if (source / "packtrain").is_dir():
            hint = 'this is a drive: "packtrain check --signed" lists its documents'
        elif not source.is_file():
            hint = "name the voyage folder or dossier to audit: as the argument"
        else:
            hint = '"packtrain dossier export" writes a dossier; unpack it first'
        raise DossierError(
            "neither a voyage folder nor a dossier",
            where=str(source),
            expected="a folder with voyage.toml, or with bagit.txt and data/",
            found="no such folder" if not source.exists() else "another folder" if source.is_dir() else "a file",
            hint=hint,
        )
    if inner.is_symlink() and form == "voyage folder":
        fault = Fault("link", "documents", "a link: it is not followed, what it leads to is no part")
        return _record(source, form, keyring, None, [fault])
    return _record(source, form, keyring, Files(inner), [])


def _record(source: Path, form: RecordForm, keyring: Keyring, files: Files | None, faults: list[Fault]) -> Record:
    bag = SeenBag()
    names: dict[str, str] = {}
    if files is not None and form == "dossier":
        bag = read_bag(files)
        names, strangers = payload_names(files, bag.info.get("Packtrain-From", ""))
        faults += [*bag.faults, *strangers]
    elif files is not None:
        names = {name: name for name in files.names}
    reader = _Reader(files, keyring, names, is_own=form == "voyage folder")
    documents = reader.documents()
    custody, others = reader.logs()
    evidence = reader.evidence()
    faults += attached_faults(names, reader.read, documents_as_papers(documents), reader.keyring_then)
    signers = reader.read(ALLOWED_SIGNERS, MAX_KEY_FILE_BYTES)
    if files is not None and form == "dossier":
        faults += check_bag(files, bag)
    return Record(
        source=str(source),
        form=form,
        documents=documents,
        custody=custody,
        other_logs=others,
        evidence=evidence,
        allowed_signers=signers,
        tagmanifest=bag.tagmanifest,
        faults=(*faults, *reader.faults, *(files.faults if files is not None else ())),
        revocations=reader.revocations,
    )


class _Reader:
    """Reads the files below documents/ of one record, each once."""

    def __init__(self, files: Files | None, keyring: Keyring, names: Mapping[str, str], *, is_own: bool) -> None:
        self._files, self._keyring, self._names, self._is_own = files, keyring, names, is_own
        self.faults: list[Fault] = []
        self.revocations = self._revoked() if keyring.is_trusted else ()
        revoked = tuple((each.public_line, frozenset(each.revocation.documents)) for each in self.revocations)
        self._keyring = dataclasses.replace(keyring, revoked=revoked)
        self._signatures = {f"{name}{_SIG}" for name in names if place_of(name) is not None}
        self._signatures |= {second for name in names for second in second_signatures(name)}

    @property
    def keyring_then(self) -> Keyring:
        """Return the keys as they were before any was revoked: for what says again what documents say.

        No revocation lists printed papers and statements, and nothing rests on them.
        """
        revoked = {each.public_line for each in self.revocations}
        keys = (
            dataclasses.replace(key, is_former=key.is_former and key.key not in revoked) for key in self._keyring.keys
        )
        return dataclasses.replace(self._keyring, keys=tuple(keys), revoked=())

    def _revoked(self) -> tuple[SignedRevocation, ...]:
        """Return what the record says of revoked keys, by whoever may say so; read before anything is judged."""
        found: list[SignedRevocation] = []
        for name in sorted(name for name in self._names if (place := place_of(name)) and place.folder == REVOCATIONS):
            payload = self.read(name, MAX_DOCUMENT_BYTES)
            if payload is None:
                continue
            signature = look_at(Revocation, payload, self.read(f"{name}{_SIG}", MAX_SIGNATURE_BYTES), self._keyring)
            try:
                revocation = decode(Revocation, payload, shown(name))
            except DocumentError:
                continue  # named as malformed where all documents are read
            keys = self._keyring.of_party(revocation.by)
            lost = next((each for each in keys if each.fingerprint == revocation.fingerprint), None)
            may_revoke = lost is not None and (
                signature.key == lost.key
                or any(each.is_reviewer and each.key == signature.key for each in keys if not lost.is_reviewer)
            )
            if lost is not None and may_revoke and signature.standing == "vouched":
                found.append(SignedRevocation(sha256_bytes(payload), revocation, lost.key))
        return tuple(found)

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """Return the bytes of a file below documents/; None where it is not here, or cannot be read."""
        if self._files is None or name not in self._names:
            return None
        return self._files.read(self._names[name], most_bytes)

    def documents(self) -> dict[str, SeenDocument]:
        found: dict[str, SeenDocument] = {}
        for name in self._names:
            place = place_of(name)
            if place is not None:
                if (seen := self._document(name, place)) is not None:
                    found[name] = seen
            elif not (name in self._signatures or is_local(name) or evidence_digest(name) or attached(name)):
                what = "a signature of nothing" if name.endswith(_SIG) else "a file that no record of a voyage has"
                self.faults.append(Fault("unknown file", shown(name), what))
        return found

    def _document(self, name: str, place: Place) -> SeenDocument | None:
        payload = self.read(name, MAX_DOCUMENT_BYTES)
        if payload is None:
            return None
        kind, sha256 = place.document_type, sha256_bytes(payload)
        signature = self._signature(f"{name}{_SIG}", kind, payload)
        second = None
        others: list[SeenSignature] = []
        for more in second_signatures(name) if name not in COUNTERSIGNATURES else ():
            # A counterpart's signature over a head: not every one is there, and one that is has to fit.
            if more in self._names:
                others.append(self._signature(more, kind, payload))
                self._tell(name, None, others[-1])
        if (role := COUNTERSIGNATURES.get(name)) is not None:
            second = self._signature(f"{name}.{role}{_SIG}", kind, payload)
            if signature.standing == "vouched" and signature.roles == frozenset({role}):
                words = f"the first signature is the {role}'s, whose is the second: {signature.words}"
                signature = SeenSignature("foreign", words, signature.key, signature.fingerprint)
            if second.is_believed and self._keyring.is_trusted and role not in second.roles:
                words = f"the second signature is not the {role}'s: {second.words}"
                second = SeenSignature("foreign", words, second.key, second.fingerprint)
        try:
            document = decode(kind, payload, shown(name))
        except DocumentError as error:
            self._tell(name, signature, second)
            self.faults.append(Fault("malformed", shown(name), error.message.removeprefix(f"{shown(name)}: ")))
            return SeenDocument(name, kind.kind, sha256, signature, second, None)
        if (
            isinstance(document, Ready)
            and self._is_own
            and signature.standing == "none"
            and not document.ready_to_leave
        ):
            # Signed only when every clause was shown; an own sheet of a rehearsal that showed less stays at home.
            return None
        signature = self._own_word(document, signature)
        self._tell(name, signature, second)
        if (own := own_name(place, document, sha256)) is not None:
            what = f"it lies under a name that is not its own; its own is {own}"
            self.faults.append(Fault("wrong name", shown(name), what))
            return SeenDocument(name, kind.kind, sha256, signature, second, None)
        return SeenDocument(
            name,
            kind.kind,
            sha256,
            signature,
            second,
            document if signature.is_believed else None,
            tuple(each for each in others if each.is_believed),
        )

    def _own_word(self, document: Document, signature: SeenSignature) -> SeenSignature:
        """Return the signature, foreign where the document speaks for another party than the one that signed."""
        by = getattr(document, "by", None)
        if by is None or not signature.is_believed:
            return signature
        if by in signature.roles:
            roles: frozenset[Role] = frozenset(role for role in ROLES if role == by)
            return SeenSignature(signature.standing, signature.words, signature.key, signature.fingerprint, roles)
        words = f"it speaks for the {by}, and is signed by another: {signature.words}"
        return SeenSignature("foreign", words, signature.key, signature.fingerprint)

    def _tell(self, name: str, *signatures: SeenSignature | None) -> None:
        for number, signature in enumerate(signatures):
            if signature is not None and (fault := signature.fault(shown(name))) is not None:
                words = f"second signature: {fault.what}" if number else fault.what
                self.faults.append(Fault(fault.kind, fault.where, words))

    def _signature(self, file_name: str, kind: type[Document], payload: bytes) -> SeenSignature:
        return look_at(kind, payload, self.read(file_name, MAX_SIGNATURE_BYTES), self._keyring)

    def logs(self) -> tuple[CustodyLog, dict[str, CustodyLog]]:
        logs: dict[str, CustodyLog] = {}
        for name in self._names:
            if name.startswith("custody.") and is_local(name):
                payload = self.read(name, MAX_LOG_BYTES)
                if payload is not None:
                    logs[name] = read_log(payload, self._keyring, name)
                    self.faults += logs[name].faults
        own = logs.pop(LOG_NAME, None)
        return own or CustodyLog(LOG_NAME, (), ()), logs

    def evidence(self) -> frozenset[str]:
        found: set[str] = set()
        for name in self._names:
            digest = evidence_digest(name)
            if digest is None:
                continue
            payload = self.read(name, MAX_DOCUMENT_BYTES)
            if payload is not None and sha256_bytes(payload) == digest:
                found.add(digest)
            elif payload is not None:
                self.faults.append(Fault("altered", shown(name), "the file is not the one that its name promises"))
        return frozenset(found)
