"""Files of evidence: kept by their digest under documents/evidence/, and travelling with the papers that name them.

A document names evidence by SHA-256 and so binds it; the file itself is signed by nobody. Whoever has not the file sees
that it was named, and that it is not here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document
from packtrain.documents.declared_party import Evidence
from packtrain.documents.disposition import DispositionEvidence
from packtrain.documents.flag_answer import FlagException
from packtrain.documents.flags import Flags
from packtrain.errors import DossierError, SourceChanged, SourceUnreadable
from packtrain.record.folder import VoyageFolder

FOLDER: Final = "evidence"
MAX_EVIDENCE_BYTES: Final = 128 << 20
"""Of one file: half of what a dossier takes."""
_NAME: Final = re.compile(r"(?P<digest>[0-9a-f]{64})(\.[a-z0-9]{1,8})?")
_NO_ENDING: Final = re.compile(r"[^a-z0-9.]")


def keep(folder: VoyageFolder, path: Path) -> str:
    """Copy a file of evidence into the voyage folder under its digest; return the digest.

    Raises:
        SourceUnreadable: it cannot be read, or is longer than 128 MiB.
        SourceChanged: it changed while it was copied.
    """
    try:
        if (num_bytes := path.stat().st_size) > MAX_EVIDENCE_BYTES:
            raise SourceUnreadable(
                "a file of evidence is too long to travel with the papers",
                where=str(path),
                expected=f"at most {MAX_EVIDENCE_BYTES >> 20} MiB",
                found=f"{num_bytes:,} bytes",
                hint="name it by its sha256 instead, and show it on request",
            )
        digest = sha256_file(path)
        if find(folder.documents, digest) is not None:
            return digest
        target = folder.documents / FOLDER / f"{digest}{_ending(path)}"
        with path.open("rb") as source, durable.atomic_writer(target) as sink:
            shutil.copyfileobj(source, sink)
    except OSError as error:
        raise SourceUnreadable(f"evidence cannot be read: {error.strerror}", where=str(path)) from error
    if sha256_file(target) != digest:
        target.unlink()
        raise SourceChanged("evidence changed while it was copied", where=str(path), hint="run the same command again")
    return digest


def take(folder: VoyageFolder, arrived: Iterable[Path]) -> None:
    """Copy files of evidence that came with a dossier, checked before, into the voyage folder."""
    for path in arrived:
        target = folder.documents / FOLDER / path.name
        if find(folder.documents, path.name[:64]) is None:
            with path.open("rb") as source, durable.atomic_writer(target) as sink:
                shutil.copyfileobj(source, sink)


def find(documents: Path, digest: str) -> Path | None:
    """Return where the file of this digest is kept, or None."""
    return next((path for path in (documents / FOLDER).glob(f"{digest}*") if digest_of_name(path.name)), None)


def kept(documents: Path) -> dict[str, Path]:
    """Return the files of evidence that are here, by digest."""
    place = documents / FOLDER
    paths = sorted(place.iterdir()) if place.is_dir() else []
    return {digest: path for path in paths if (digest := digest_of_name(path.name)) is not None and path.is_file()}


def digest_of_name(name: str) -> str | None:
    """Return the digest that a file's name states, or None where it is no name of evidence."""
    match = _NAME.fullmatch(name)
    return match["digest"] if match else None


def named_by(documents: Iterable[Document]) -> set[str]:
    """Return the digests of all files that these documents name as evidence; a site's policy is one."""
    found: set[str] = set()
    for document in documents:
        found.update(digest for _, digest in pieces_named_by(document))
    return found


def pieces_named_by(document: Document) -> Iterator[tuple[str, str]]:
    """Yield what it is and SHA-256 of each file that a document names as evidence; a site's policy is one."""
    if isinstance(document, Admission | Flags) and document.policy is not None:
        yield "the site's policy", document.policy
    yield from _walk(document)


def check_arrived(given: Mapping[str, str], documents: Iterable[Document]) -> None:
    """Check files of evidence of a dossier against the documents that came with it.

    Args:
        given: name below evidence/ -> SHA-256 of what the file holds.
        documents: of the dossier, verified.

    Raises:
        DossierError: a name that is not the digest of its file, or a file that no document names.
    """
    wanted = named_by(documents)
    for name, digest in sorted(given.items()):
        if digest_of_name(name) != digest:
            raise DossierError("evidence lies under a name that is not its digest", where=name, expected=digest)
        if digest not in wanted:
            raise DossierError("a file that no document names as evidence", where=name)


def _walk(node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, Evidence):
        yield node.what, node.sha256
    elif isinstance(node, DispositionEvidence):
        yield node.name, node.sha256
    elif isinstance(node, FlagException):
        yield f"{node.paper} {node.number}", node.sha256
    elif isinstance(node, msgspec.Struct):
        for field in node.__struct_fields__:
            yield from _walk(getattr(node, field))
    elif isinstance(node, tuple):
        for item in cast("tuple[object, ...]", node):
            yield from _walk(item)


def _ending(path: Path) -> str:
    ending = _NO_ENDING.sub("", path.suffix.lower())[:9]
    return ending if len(ending) > 1 and ending.count(".") == 1 else ""
