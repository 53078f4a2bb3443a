"""Signed documents that lie under their own digest in a folder below documents/: heads, revocations. Never replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import DocumentError, DossierError
from packtrain.record.trust import MAX_SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """The bytes of one such document, its digest, its author's signature, and those of others by role."""

    name: str
    digest: str
    payload: bytes
    signature: bytes | None
    seconds: Mapping[Role, bytes]


def read_kept(documents: Path, place: str, *, max_bytes: int, most: int) -> Iterator[KeptDocument]:
    """Yield the documents of one folder in the order of their names; no signature is checked yet.

    Raises:
        DossierError: there are more than `most`, or one lies under a name that is not its digest.
        DocumentError: one is longer than `max_bytes`.
    """
    paths = sorted((documents / place).glob("*.json"))
    if len(paths) > most:
        raise DossierError(f"too many documents in {place}", where=str(documents / place), expected=f"at most {most}")
    for path in paths:
        found = read_one(documents, place, path.stem, max_bytes=max_bytes)
        if found is None:
            raise DocumentError("document cannot be read", where=str(path))
        yield found


def read_one(documents: Path, place: str, digest: str, *, max_bytes: int) -> KeptDocument | None:
    """Return the document of this digest in one folder, None where it is not there; no signature is checked yet.

    Raises:
        DossierError: what lies under this name has another digest.
        DocumentError: it is longer than `max_bytes`.
    """
    path = documents / place / f"{digest}.json"
    payload = _bounded(path, max_bytes)
    if payload is None:
        return None
    if len(payload) > max_bytes:
        raise DocumentError("document is too long", where=str(path), expected=f"at most {max_bytes} bytes")
    if (found := sha256_bytes(payload)) != digest:
        raise DossierError("a document lies under a name that is not its digest", where=str(path), expected=found)
    seconds: dict[Role, bytes] = {}
    for role in ROLES:
        if (second := _bounded(path.with_name(f"{path.name}.{role}.sig"), MAX_SIGNATURE_BYTES)) is not None:
            seconds[role] = second
    return KeptDocument(
        name=f"{place}/{path.name}",
        digest=digest,
        payload=payload,
        signature=_bounded(path.with_name(f"{path.name}.sig"), MAX_SIGNATURE_BYTES),
        seconds=seconds,
    )


def keep(documents: Path, place: str, payload: bytes, signature: bytes, seconds: Mapping[Role, bytes]) -> str:
    """Write a document and its signatures durably, all or none; return its SHA-256. Other signatures stay."""
    digest = sha256_bytes(payload)
    name = f"{place}/{digest}.json"
    durable.write_together(
        documents,
        {f"{name}.{role}.sig": second for role, second in seconds.items()} | {f"{name}.sig": signature, name: payload},
    )
    return digest


def _bounded(path: Path, max_bytes: int) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(max_bytes + 1)
    except FileNotFoundError:
        return None
