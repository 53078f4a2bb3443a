"""What a dossier brings beside its documents: evidence, printed papers, in-toto statements.

Evidence is bound by the document that names its digest; papers and statements are signed, and say again what documents
say. No verdict rests on one of the two, so they are held against their signatures and papers, and kept by their sender.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.diligence import evidence
from packtrain.diligence.bag import Bag
from packtrain.diligence.paper_folder import PAPER_NAMES, PAPERS, read_papers_folder
from packtrain.diligence.papers import Papers
from packtrain.diligence.statements import STATEMENT_NAMES, check_statement, check_statements, signed_statements
from packtrain.documents.codec import MAX_DOCUMENT_BYTES
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import DossierError, KeyRevoked, UntrustedSigner
from packtrain.record.folder import VoyageFolder
from packtrain.record.trust import Trust

STATEMENTS: Final = "statements"
FOLDERS: Final = tuple(f"data/{name}/" for name in (evidence.FOLDER, PAPERS, STATEMENTS))
_MAX_STATEMENT_FILES: Final = 32
_MADE_FROM: Final = {
    "end-user-statement.html": ("declaration.json",),
    "sanitisation-certificate.html": ("shipment.json",),
    "seal-record.html": ("packing-statement.json",),
    "chain-of-custody.html": ("packing-statement.json",),
    **dict.fromkeys(
        ("pro-forma-invoice.html", "packing-list.html", "ata-general-list.html"),
        ("packing-statement.json", "customs.json"),
    ),
}
"""Each paper, and the documents without which it is none of these."""


def attached_files(folder: VoyageFolder, papers: Papers) -> dict[str, bytes | Path]:
    """Return what goes into a dossier beside the documents: payload name -> bytes, or the file that holds them.

    Raises:
        DossierError, SignatureMissing, SignatureInvalid, UntrustedSigner: a printed paper is not in order.
    """
    role = folder.voyage_file().voyage.role
    here = evidence.kept(folder.documents)
    files: dict[str, bytes | Path] = {
        f"data/{evidence.FOLDER}/{here[digest].name}": here[digest]
        for digest in sorted(papers.evidence() & here.keys())
    }
    # The dossier that tells the others of a lost key has to leave all the same. What that key signed and nobody vouched
    # for, printed papers and statements, says nothing new; the next key signs it anew.
    with contextlib.suppress(KeyRevoked):
        for name in read_papers_folder(folder.root / PAPERS, folder.trust()):
            for file_name in (name, f"{name}.sig"):
                files[f"data/{PAPERS}/{file_name}"] = folder.root / PAPERS / file_name
    statements = dict[str, bytes]()
    with contextlib.suppress(KeyRevoked):
        statements = signed_statements(papers, role, folder.signer())
    return files | {f"data/{STATEMENTS}/{name}": payload for name, payload in statements.items()}


def check_attached(bag: Bag, papers: Papers, trust: Trust) -> None:
    """Check what a dossier brings beside its documents.

    Args:
        bag: copied, its manifests checked.
        papers: its documents, verified.
        trust: the reader's own.

    Raises:
        DossierError: evidence that no document names, a file that is no paper or statement, a statement that says
            something else than its document.
        SignatureMissing, SignatureInvalid, UntrustedSigner: of a printed paper.
    """
    prefix = f"data/{evidence.FOLDER}/"
    brought = {name.removeprefix(prefix): digest for name, digest in bag.payload.items() if name.startswith(prefix)}
    evidence.check_arrived(brought, (paper.document for paper in papers.by_name.values()))
    sender = sender_of(bag)
    for name, paper in read_papers_folder(bag.root / "data" / PAPERS, trust).items():
        if sender not in paper.signers:
            raise UntrustedSigner(
                "a printed paper is signed by another party than the one that sent it",
                where=name,
                expected=sender,
                found=", ".join(sorted(paper.signers)),
            )
    if faults := check_statements(_statements(bag), papers, trust):
        raise DossierError(
            "; ".join(faults), where=STATEMENTS, hint="ask for a dossier made from one state of the voyage"
        )


def take_attached(folder: VoyageFolder, bag: Bag, papers: Papers) -> None:
    """Keep what `check_attached` found in order: evidence by its digest, papers and statements by their sender.

    `papers` are all of the folder as they will be: what says another document than the one here, because it is older,
    is left aside, and taken away where it is here. What a dossier merely leaves out stays.
    """
    evidence.take(folder, sorted((bag.root / "data" / evidence.FOLDER).glob("*")))
    sender = sender_of(bag)
    for kind in (PAPERS, STATEMENTS):
        place = folder.documents / kind / sender
        brought = bag.root / "data" / kind
        stale = _stale(kind, brought, papers)
        for path in sorted(brought.glob("*")):
            if not path.name.startswith(stale):
                with path.open("rb") as source, durable.atomic_writer(place / path.name) as sink:
                    shutil.copyfileobj(source, sink)
        # Of an earlier state of the voyage, beside documents of this one: a statement would contradict them.
        stale = _stale(kind, place, papers)
        for path in sorted(place.glob("*"), reverse=True):  # a signature before what it signs: none is left alone
            if path.name.startswith(stale):
                path.unlink()


def _stale(kind: str, place: Path, papers: Papers) -> tuple[str, ...]:
    """Return the papers or statements of a folder that say other documents than those here."""
    if kind == STATEMENTS:
        named = [name for name in STATEMENT_NAMES if (place / name).is_file()]
        return tuple(name for name in named if check_statement(name, (place / name).read_bytes(), papers) is not None)
    return tuple(name for name in PAPER_NAMES if (place / name).is_file() and _is_stale(place / name, papers))


def _is_stale(path: Path, papers: Papers) -> bool:
    """Return whether a printed paper was made from another document than the one here: it names them by SHA-256."""
    page = path.read_bytes()
    here = [paper.digest for name in _MADE_FROM[path.name] if (paper := papers.by_name.get(name)) is not None]
    # The annex of an end-user statement is optional: it is one of the packing statement that holds, or of none.
    gone = papers.superseded(PackingStatement) if path.name == "end-user-statement.html" else ()
    return not all(digest.encode("ascii") in page for digest in here) or any(
        digest.encode("ascii") in page for digest in gone
    )


def sender_of(bag: Bag) -> Role:
    """Return who sent a dossier, as it says itself; what counts is who signed what is in it.

    Raises:
        DossierError: it names no party.
    """
    named = bag.info.get("Packtrain-From", "nobody named")
    if named not in ROLES:
        raise DossierError(
            "the dossier does not say who sent it", where="bag-info.txt", expected=" or ".join(ROLES), found=named[:32]
        )
    return named


def _statements(bag: Bag) -> dict[str, bytes]:
    place = bag.root / "data" / STATEMENTS
    paths = sorted(place.glob("*")) if place.is_dir() else []
    if len(paths) > _MAX_STATEMENT_FILES:
        raise DossierError("too many statements", where=STATEMENTS, found=str(len(paths)))
    for path in paths:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise DossierError("statement is too long", where=f"{STATEMENTS}/{path.name}")
    return {path.name: path.read_bytes() for path in paths}
