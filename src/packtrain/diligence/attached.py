"""What a dossier brings beside its documents: evidence, printed papers, in-toto statements.

Evidence is bound by the document that names its digest; papers and statements are signed, and say again what documents
say. No verdict rests on one of the two, so they are held against their signatures and papers, and kept by their sender.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.diligence import evidence
from packtrain.diligence.bag import Bag
from packtrain.diligence.paper_folder import PAPERS, read_papers_folder
from packtrain.diligence.papers import Papers
from packtrain.diligence.statements import STATEMENT_NAMES, check_statement, check_statements, signed_statements
from packtrain.documents.codec import MAX_DOCUMENT_BYTES
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import DossierError, KeyRevoked, UntrustedSigner
from packtrain.record.folder import VoyageFolder
from packtrain.record.trust import Trust

STATEMENTS: Final = "statements"
FOLDERS: Final = tuple(f"data/{name}/" for name in (evidence.FOLDER, PAPERS, STATEMENTS))
_MAX_STATEMENT_FILES: Final = 32


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
    for name in read_papers_folder(folder.root / PAPERS, folder.trust()):
        for file_name in (name, f"{name}.sig"):
            files[f"data/{PAPERS}/{file_name}"] = folder.root / PAPERS / file_name
    try:
        statements = signed_statements(papers, role, folder.signer())
    except KeyRevoked:
        # The dossier that tells the others of it has to leave all the same: it says nothing new.
        statements = dict[str, bytes]()
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

    `papers` are all of the folder as they will be: a statement of one that is older than the one here is left.
    """
    evidence.take(folder, sorted((bag.root / "data" / evidence.FOLDER).glob("*")))
    sender = sender_of(bag)
    for kind in (PAPERS, STATEMENTS):
        place = folder.documents / kind / sender
        arrived = sorted((bag.root / "data" / kind).glob("*"))
        if kind == STATEMENTS:
            stale = tuple(name for name in STATEMENT_NAMES if _says_otherwise(bag.root / "data" / kind / name, papers))
            arrived = [path for path in arrived if not path.name.startswith(stale)]
        for path in arrived:
            with path.open("rb") as source, durable.atomic_writer(place / path.name) as sink:
                shutil.copyfileobj(source, sink)
        # A statement of an earlier state of the voyage beside documents of this one would contradict them.
        if arrived:
            for path in place.glob("*"):
                if path.name not in {each.name for each in arrived}:
                    path.unlink()


def _says_otherwise(path: Path, papers: Papers) -> bool:
    return path.is_file() and check_statement(path.name, path.read_bytes(), papers) is not None


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
