"""A folder of printed papers, NAME.html with NAME.html.sig: written, and read back only if all is in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.parties import Role
from packtrain.errors import DocumentError, DossierError
from packtrain.ports import Signer
from packtrain.record.folder import read_signature
from packtrain.record.trust import Trust

PAPERS: Final = "papers"
"""The folder below a voyage folder."""
PAPER_KIND: Final = "paper"
PAPER_NAMESPACE: Final = "packtrain-paper@v1"
PAPER_NAMES: Final = (
    "pro-forma-invoice.html",
    "packing-list.html",
    "ata-general-list.html",
    "seal-record.html",
    "chain-of-custody.html",
    "end-user-statement.html",
    "sanitisation-certificate.html",
)
"""Every paper that there is; a folder of papers holds no other file."""
MAX_PAPER_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SignedPaper:
    """One verified paper: its SHA-256, and the roles of the key that signed it."""

    digest: str
    signers: frozenset[Role]


def write_papers_folder(place: Path, pages: Mapping[str, bytes], signer: Signer) -> dict[str, str]:
    """Write each page with its signature; return name -> SHA-256. What is there already is left alone."""
    digests: dict[str, str] = {}
    for name, payload in pages.items():
        signature = signer.sign(PAPER_NAMESPACE, payload).encode("ascii")
        if _bytes_of(place / name) != payload or read_signature(place / f"{name}.sig") != signature:
            # Not `write_together`: it would carry out what an unfinished list in a folder of another's says. A crash in
            # between leaves a page that does not verify, until the command is run again.
            durable.write_bytes(place / f"{name}.sig", signature)
            durable.write_bytes(place / name, payload)
        digests[name] = sha256_bytes(payload)
    return digests


def read_papers_folder(place: Path, trust: Trust) -> dict[str, SignedPaper]:
    """Return every paper of a folder by name, each signature checked; empty where there is no folder.

    Raises:
        DossierError: a file that is no paper, a link, or a signature without its paper.
        DocumentError: a paper is longer than any.
        SignatureMissing, SignatureInvalid, UntrustedSigner: see `Trust.signer_of`.
    """
    if not place.is_dir():
        return {}
    known = {*PAPER_NAMES, *(f"{name}.sig" for name in PAPER_NAMES)}
    found: dict[str, SignedPaper] = {}
    names = sorted(path.name for path in place.iterdir())
    for name in names:
        if name not in known or (place / name).is_symlink() or not (place / name).is_file():
            raise DossierError("a file that no folder of papers has", where=str(place), found=name[:80])
        if name.endswith(".sig") and name.removesuffix(".sig") not in names:
            raise DossierError("a signature without its paper", where=str(place), found=name)
    for name in (name for name in names if not name.endswith(".sig")):
        where = str(place / name)
        payload = _bytes_of(place / name)
        assert payload is not None
        if len(payload) > MAX_PAPER_BYTES:
            raise DocumentError("paper is too long", where=where, expected=f"at most {MAX_PAPER_BYTES} bytes")
        signature = read_signature(place / f"{name}.sig")
        _, signers = trust.signer_of(PAPER_KIND, PAPER_NAMESPACE, payload, signature, where)
        found[name] = SignedPaper(sha256_bytes(payload), signers)
    return found


def _bytes_of(path: Path) -> bytes | None:
    """Return a file's bytes, one more than the bound at most; None where there is none."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_PAPER_BYTES + 1)
    except FileNotFoundError:
        return None
