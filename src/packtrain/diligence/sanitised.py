"""Signed sanitisations of drives: kept, read, and what the newest of each drive says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.amendments import keep_in
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, encode, namespace
from packtrain.documents.sanitisation import Sanitisation
from packtrain.errors import DossierError, UntrustedSigner
from packtrain.ports import Signer
from packtrain.record.folder import VoyageFolder, read_signature

SANITISATIONS: Final = "sanitisations"
"""Folder below documents/: one document a run, called by its SHA-256."""
MAX_SANITISATIONS: Final = 8192


@dataclass(frozen=True, slots=True)
class SignedSanitisation:
    """A sanitisation and its digest."""

    digest: str
    record: Sanitisation


def keep_sanitisation(folder: VoyageFolder, record: Sanitisation, signer: Signer) -> str:
    """Sign a sanitisation into the folder; return its digest."""
    payload = encode(record)
    signature = signer.sign(namespace(Sanitisation), payload).encode("ascii")
    keep_in(folder.documents / SANITISATIONS, payload, signature)
    return sha256_bytes(payload)


def read_sanitisations(folder: VoyageFolder) -> tuple[SignedSanitisation, ...]:
    """Return all sanitisations here, of all parties, the oldest first, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: one is not in order.
        DossierError: one lies under a name that is not its digest, or there are more than 8192.
    """
    place = folder.documents / SANITISATIONS
    paths = sorted(place.glob("*.json")) if place.is_dir() else []
    if len(paths) > MAX_SANITISATIONS:
        raise DossierError("too many sanitisations", where=str(place), found=str(len(paths)))
    found = [_read(folder, path) for path in paths]
    return tuple(sorted(found, key=_age))


def newest_of_each(found: Iterable[SignedSanitisation]) -> dict[str, SignedSanitisation]:
    """Return by drive the last of sanitisations that come the oldest first: it says what holds now."""
    return {each.record.drive: each for each in found}


def _age(each: SignedSanitisation) -> tuple[str, str, str]:
    return each.record.finished, each.record.started, each.digest


def _read(folder: VoyageFolder, path: Path) -> SignedSanitisation:
    with path.open("rb") as stream:
        payload = stream.read(MAX_DOCUMENT_BYTES + 1)
    trust, signature = folder.trust(), read_signature(path.with_name(f"{path.name}.sig"))
    record = trust.open(Sanitisation, payload, signature, str(path))
    if record.by not in trust.signer_role(Sanitisation, payload, signature, str(path)):
        raise UntrustedSigner("sanitisation is signed by another party than it names", where=str(path))
    digest = sha256_bytes(payload)
    if path.stem != digest:
        raise DossierError("a document lies under a name that is not its own", where=str(path), expected=digest)
    return SignedSanitisation(digest, record)
