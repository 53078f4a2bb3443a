"""The voyage folder: voyage.toml, documents/, receipts/, keys/, logs/, work/."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, TypeVar

from packtrain import durable
from packtrain.crypto import age, sshsig
from packtrain.crypto.sshsig import SshSigner
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode, encode, namespace
from packtrain.documents.parties import SIGNING_RIGHTS, Parties, allowed_signers
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import VoyageFile, decode_voyage_file
from packtrain.errors import KeyMalformed, KeyMissing, KeyRevoked, NotAVoyage, StageNotReady, VoyageFileError
from packtrain.object_storage.address import ObjectPlace, is_object_url, parse_url
from packtrain.ports import AskPassphrase, Signer
from packtrain.record.heads import read_heads
from packtrain.record.revocations import read_revocations
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust

VOYAGE_FILE: Final = "voyage.toml"
_MAX_IDENTITY_BYTES: Final = 16 * 1024
D = TypeVar("D", bound=Document)

_WRITTEN_BY: Final[dict[str, str]] = {
    "measurement": "measure",
    "placement": "plan",
    "forecast": "plan",
    "dataset": "prepare",
    "data-scan": "prepare",
    "withdrawals": "withdraw",
    "kit": "rehearse",
    "ready": "rehearse",
    "declaration": "declare",
    "screening": "screen",
    "plan": "pack",
    "shipment": "pack",
    "packing-statement": "carry seal",
    "customs": "papers",
    "admission": "admit",
    "kit-update": "update make",
    "inspection": "inspect",
    "provenance": "return",
    "export-list": "return",
    "pieces": "return pieces",
    "closing": "close",
    "parties": "init",
}


class VoyageFolder:
    """One party's voyage folder. Reading and writing of documents only; it knows no stage.

    Args:
        root: the folder that holds voyage.toml.

    Raises:
        NotAVoyage: there is no voyage.toml.
    """

    def __init__(self, root: Path) -> None:
        # Programs are started in other folders than the caller's, and are told paths of this one.
        # And a folder has one name, whether it is reached by "home" or by "../voyages/home": paths of it are digested.
        self.root = root = root.resolve() if ".." in root.parts else root.absolute()
        if not (root / VOYAGE_FILE).is_file():
            raise NotAVoyage(
                "no voyage.toml in this folder" if root.is_dir() else "there is no such folder",
                where=str(root),
                hint='make one with "packtrain init", or name the folder: as the argument, or by --voyage',
            )
        self.documents = root / "documents"
        self.receipts = root / "receipts"
        self.keys = root / "keys"
        self.logs = root / "logs"
        self.work = root / "work"
        self.ask_passphrase: AskPassphrase | None = None

    def voyage_file(self) -> VoyageFile:
        """Return voyage.toml, read anew.

        Raises:
            VoyageFileError: unreadable, a typo, or a value out of range.
        """
        path = self.root / VOYAGE_FILE
        try:
            payload = path.read_bytes()
        except OSError as error:
            raise VoyageFileError(f"cannot be read: {error.strerror}", where=str(path)) from error
        return decode_voyage_file(payload, str(path))

    def resolve(self, text: str) -> Path:
        """Return a path of voyage.toml, relative ones taken from the voyage folder."""
        return (self.root / Path(text).expanduser()).absolute()

    def store_location(self) -> str:
        """Return where the cargo goes at the site, as messages and documents name it: a path, or s3://BUCKET/PREFIX."""
        place = self.store_place()
        return str(self.store_folder()) if place is None else place.url

    def store_place(self) -> ObjectPlace | None:
        """Return where the cargo goes in object storage; None where it goes into a folder.

        Raises:
            VoyageFileError: [site] store is no place in object storage, or its endpoint is none.
        """
        site = self.voyage_file().site
        if not is_object_url(site.store):
            return None
        return parse_url(
            site.store,
            str(self.root / VOYAGE_FILE),
            endpoint=site.s3_endpoint,
            region=site.s3_region,
            allows_http=site.s3_plain_http,
        )

    def store_folder(self) -> Path:
        """Return the folder that the cargo goes into at the site.

        Raises:
            VoyageFileError: it goes into object storage, and what asks reads a folder.
        """
        text = self.voyage_file().site.store
        if is_object_url(text):
            raise VoyageFileError(
                "the store is object storage, and this reads it as a folder",
                where=str(self.root / VOYAGE_FILE),
                expected="a folder in [site] store",
                found=text,
                hint="copy the objects into a folder with a tool of the site, and name that in [site] store",
            )
        return self.resolve(text)

    def document_path(self, document_type: type[Document]) -> Path:
        """Return where a document of this type lies."""
        return self.documents / f"{document_type.kind}.json"

    def has(self, document_type: type[Document]) -> bool:
        """Return whether the document is there."""
        return self.document_path(document_type).is_file()

    def payload(self, document_type: type[Document]) -> bytes:
        """Return a document's bytes.

        Raises:
            StageNotReady: it is not there yet; the hint names the verb that writes it.
        """
        path = self.document_path(document_type)
        try:
            return _read_bounded(path)
        except FileNotFoundError as error:
            raise StageNotReady(
                f"{document_type.kind}.json is not here yet",
                where=str(self.root),
                hint=self._how_to_get(document_type.kind),
            ) from error

    def _how_to_get(self, kind: str) -> str:
        role = self.voyage_file().voyage.role
        signed_by_others = any(kind in kinds for kinds in SIGNING_RIGHTS.values()) and kind not in SIGNING_RIGHTS[role]
        verb = _WRITTEN_BY.get(kind)
        if verb is None or signed_by_others:
            return 'it comes with another party\'s dossier: "packtrain dossier import"'
        return f'run "packtrain {verb}" first'

    def digest(self, document_type: type[Document]) -> str:
        """Return the SHA-256 of a document's bytes; StageNotReady if it is not there."""
        return sha256_bytes(self.payload(document_type))

    def read(self, document_type: type[D]) -> D:
        """Return an own, unsigned document (placement, dataset); see `codec.decode` for errors."""
        return decode(document_type, self.payload(document_type), str(self.document_path(document_type)))

    def read_signed(self, document_type: type[D]) -> D:
        """Return a document after checking its signature against parties.json; see `Trust.open` for errors."""
        payload = self.payload(document_type)
        signature = self.signature_path(document_type)
        return self.trust().open(
            document_type, payload, read_signature(signature), str(self.document_path(document_type))
        )

    def signature_path(self, document_type: type[Document]) -> Path:
        """Return where a document's signature lies."""
        path = self.document_path(document_type)
        return path.with_name(path.name + ".sig")

    def write(self, document: Document) -> str:
        """Write an unsigned document durably; return its SHA-256."""
        payload = encode(document)
        durable.write_bytes(self.document_path(type(document)), payload)
        return sha256_bytes(payload)

    def write_signed(self, document: Document, signer: Signer) -> str:
        """Write a document and its signature durably, both or none; return the document's SHA-256."""
        payload = encode(document)
        self.keep_signed(
            self.document_path(type(document)).name, payload, signer.sign(namespace(type(document)), payload).encode()
        )
        return sha256_bytes(payload)

    def keep_signed(self, name: str, payload: bytes, signature: bytes) -> None:
        """Write a document (NAME below documents/) and NAME.sig as they were signed, durably, both or none."""
        durable.write_together(self.documents, {f"{name}.sig": signature, name: payload})

    def settle(self) -> None:
        """Finish the writing of a document that was cut off; call it with the folder's lock held."""
        durable.finish_together(self.documents)

    def parties(self) -> Parties:
        """Return parties.json (made from [parties] of voyage.toml; see record/parties.py)."""
        return self.read(Parties)

    def write_parties(self, parties: Parties) -> str:
        """Write parties.json and its allowed_signers form; return the document's SHA-256."""
        durable.write_bytes(self.documents / "allowed_signers", allowed_signers(parties).encode("ascii"))
        return self.write(parties)

    def trust(self) -> Trust:
        """Return the checker of signatures under this folder's parties.json and the revocations that are known here.

        Raises:
            DossierError, SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: a revocation, or a head by
                which its lines are judged, was altered.
        """
        parties = self.parties()
        revocations = read_revocations(self.documents, parties)
        heads = read_heads(self.documents, Trust(parties, revocations)) if revocations else ()
        return Trust(parties, revocations, heads)

    def signer(self) -> SshSigner:
        """Return this party's SSH signer.

        Raises:
            KeyMissing: keys/signer is not there.
            KeyRevoked: it was revoked: nobody would read what it signs from now on, this party included.
        """
        signer = SshSigner.load(self.keys / "signer")
        revocations = read_revocations(self.documents, self.parties()) if self.has(Parties) else ()
        for signed in revocations:
            if signed.public_line == signer.public_line:
                raise KeyRevoked(
                    "this party's signing key is revoked, and signs nothing any more",
                    where=str(self.keys / "signer"),
                    found=f"revocation {signed.digest[:12]}: {signed.revocation.because[:200]}",
                    hint="put a new key there, and let the other parties enter it in their voyage.toml",
                )
        return signer

    def public_line(self) -> str:
        """Return the public key of keys/signer, revoked or not; KeyMissing where it is not there."""
        return SshSigner.load(self.keys / "signer").public_line

    def identity(self) -> str:
        """Return this party's identity: an age identity, or the text of the OpenSSH private key that [keys] names.

        Raises:
            KeyMissing: the file that [keys] names (keys/identity.txt) is not there, or holds no identity.
            KeyMalformed: the identity in it was cut or altered, or is an SSH key that cannot be used.
        """
        path = self.resolve(self.voyage_file().keys.identity)
        hint = 'the key of this party was made by "packtrain init"; bring it from its backup'
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_IDENTITY_BYTES).decode("utf-8", "replace")
        except FileNotFoundError as error:
            raise KeyMissing("age identity is not there", where=str(path), hint=hint) from error
        if age.is_ssh_identity(text):
            sshsig.private_key(text.encode(), str(path))
            return text
        for line in text.splitlines():
            if line.startswith("AGE-SECRET-KEY-1"):
                try:
                    age.recipient_of(line.strip())
                except KeyMalformed as error:
                    raise KeyMalformed(error.what, where=str(path), expected=error.expected, hint=hint) from error
                return line.strip()
        raise KeyMissing("file holds no age identity", where=str(path), expected="a line AGE-SECRET-KEY-1…", hint=hint)

    def receipt_path(self, stage: str) -> Path:
        """Return where a stage's receipt lies."""
        return self.receipts / f"{stage}.json"

    def receipt(self, stage: str) -> Receipt | None:
        """Return a stage's receipt, or None where it never finished."""
        path = self.receipt_path(stage)
        if not path.is_file():
            return None
        return decode(Receipt, _read_bounded(path), str(path))

    def write_receipt(self, receipt: Receipt) -> None:
        """Write a stage's receipt durably: from now on the stage is done for these inputs."""
        durable.write_bytes(self.receipt_path(receipt.stage), encode(receipt))

    def drop_receipt(self, stage: str) -> None:
        """Take a stage's receipt away: it is being done once more, and what it did before does not stand any more."""
        path = self.receipt_path(stage)
        if path.exists():
            path.unlink()
            durable.sync_folder(path.parent)


def _read_bounded(path: Path) -> bytes:
    """Return a document's bytes; one byte over the bound is enough for `decode` to refuse it."""
    with path.open("rb") as stream:
        return stream.read(MAX_DOCUMENT_BYTES + 1)


def read_signature(path: Path) -> bytes | None:
    """Return a signature file's bytes (bounded), or None where there is none: a pipe has no end, and is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return stream.read(MAX_SIGNATURE_BYTES + 1)
