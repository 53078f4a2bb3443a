"""screen: a party holds the names and addresses of the papers against its lists, and people answer what comes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto.sshsig import SshSigner
from packtrain.digest import sha256_bytes
from packtrain.diligence import evidence
from packtrain.diligence.lists import store
from packtrain.diligence.screening.record import (
    ENGINE,
    SignedDisposition,
    engine,
    keep_disposition,
    keep_screening,
    make_screening,
)
from packtrain.diligence.screening.state import ScreeningState, screening_state
from packtrain.diligence.screening.verdict import CandidateState, found_in_words
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition, DispositionEvidence, DispositionVerdict
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.receipt import Receipt
from packtrain.documents.screening import Screening
from packtrain.errors import CandidateUnknown
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant

STAGE: Final = "screen"
_LEAST_PREFIX: Final = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says of a candidate.

    Attributes:
        candidate: its id, or the beginning of it.
        evidence: files that support it; their digests are signed, and copies of them are kept beside the papers.
        key: the private key to sign with: a reviewer's. None is this party's own.
    """

    candidate: str
    verdict: DispositionVerdict
    because: str
    evidence: Sequence[Path] = ()
    key: Path | None = None


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a screening is made from: the papers, the lists, and the method."""
    named = {kind.kind: folder.digest(kind) for kind in (Declaration, PackingStatement) if folder.has(kind)}
    named |= {f"list {record.label}": digest(record) for record in store.records(folder)}
    method = "\n".join((ENGINE, *engine().libraries))
    return {
        **named,
        "engine": sha256_bytes(method.encode()),
        "signer": sha256_bytes(folder.signer().public_line.encode()),
    }


def screen(folder: VoyageFolder, sink: Sink) -> Receipt:
    """Sign a screening of the papers against this party's lists into screening.json; return the receipt.

    Raises:
        StageNotReady: there is no declaration here.
        IntegrityError: a list was changed since it was added.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: a paper is not in order.
    """
    clock = StageClock(folder, STAGE, inputs(folder))
    screening = make_screening(folder, folder.voyage_file().voyage.role, sink)
    keep_screening(folder, screening)
    state = screening_state(folder)
    if screening.outcome == "not screened":
        text = 'not screened: no list was added. "packtrain lists add" takes the publishers\' files; nobody ships them'
        sink(Notice(STAGE, text, is_warning=True))
    elif state.open_points:
        text = f'{len(state.open_points)} points are open: "packtrain screen show" lists them'
        sink(Notice(STAGE, text, is_warning=True))
    for subject in screening.subjects:
        if subject.note:
            sink(Notice(STAGE, f'{subject.places[0]} "{subject.text}" {subject.note}', is_warning=True))
        if subject.num_left_out:
            text = (
                f'{subject.places[0]} "{subject.text}": {subject.num_left_out} more candidates were not kept, '
                f"the best of them at {subject.best_left_out} of 1000"
            )
            sink(Notice(STAGE, text, is_warning=True))
    return clock.finish(
        outputs=(Screening,),
        counts={
            "subjects": len(screening.subjects),
            "lists": len(screening.lists),
            "candidates": len(state.states),
            "strong": sum(each.is_strong for each in state.states),
        },
        facts={
            "screening": found_in_words(screening),
            "engine": ", ".join((screening.engine.name, *screening.engine.libraries)),
        },
    )


def answer(folder: VoyageFolder, given: Answer, sink: Sink) -> SignedDisposition:
    """Sign what a person says of a candidate; return it. The candidate stays in the screening.

    Raises:
        StageNotReady: nothing was screened yet.
        CandidateUnknown: no candidate of the newest screening, or more than one, has this id.
        KeyMissing, KeyMalformed: the key cannot be used.
        UntrustedSigner: the key is neither this party's signer nor its reviewer in parties.json.
        SourceUnreadable: a file of evidence cannot be read.
        DocumentError: there is no reason, or it is too long.
    """
    state = screening_state(folder)
    found = _candidate(state, given.candidate.strip().lower())
    screening = state.screening
    signer = SshSigner.load(given.key) if given.key is not None else folder.signer()
    disposition = Disposition(
        by=screening.by,
        screening=digest(screening),
        candidate=found.candidate.id,
        subject=found.subject.text,
        list=found.candidate.list,
        entry=found.candidate.entry,
        text=found.candidate.text,
        score=found.candidate.score,
        verdict=given.verdict,
        because=given.because.strip(),
        evidence=tuple(_evidence(folder, path) for path in given.evidence),
        answered_on=instant(),
    )
    signed = SignedDisposition(keep_disposition(folder, disposition, signer), disposition, signer.public_line)
    now = next(each for each in screening_state(folder).states if each.candidate.id == found.candidate.id)
    if (point := now.open_point) is not None:
        sink(Notice(STAGE, f"still open: {point.what}", is_warning=True))
    return signed


def _candidate(state: ScreeningState, prefix: str) -> CandidateState:
    found = [each for each in state.states if each.candidate.id.startswith(prefix)]
    if len(found) == 1 and len(prefix) >= _LEAST_PREFIX:
        return found[0]
    raise CandidateUnknown(
        "no candidate of the newest screening has this id"
        if not found
        else "the id is too short to name one candidate",
        expected=f"an id, or {_LEAST_PREFIX} digits and more of its beginning",
        found=prefix[:64],
        hint='"packtrain screen show" lists the candidates and their ids',
    )


def _evidence(folder: VoyageFolder, path: Path) -> DispositionEvidence:
    return DispositionEvidence(name=path.name, sha256=evidence.keep(folder, path))
