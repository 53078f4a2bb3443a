"""Where a party's screening stands today: its newest one, what people said of it, and what is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from packtrain.diligence.screening.record import read_dispositions
from packtrain.diligence.screening.verdict import (
    CandidateState,
    ListPolicy,
    OpenPoint,
    in_words,
    open_points,
    states_of,
)
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.screening import Screening
from packtrain.record.folder import VoyageFolder


@dataclass(frozen=True, slots=True)
class ScreeningState:
    """The newest screening of this party, what people said, and what is open."""

    screening: Screening
    states: tuple[CandidateState, ...]
    open_points: tuple[OpenPoint, ...]
    in_words: str


def screening_state(folder: VoyageFolder) -> ScreeningState:
    """Return the newest screening of this party, what people said of its candidates, and what is open today.

    Raises:
        StageNotReady: nothing was screened yet, or there is no declaration.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError: a document is not in order.
    """
    screening = folder.read_signed(Screening)
    dispositions = read_dispositions(folder)
    consignor = folder.parties().of("consignor")
    signer = consignor.signer if consignor is not None else ""
    points = open_points(
        screening,
        dispositions,
        ListPolicy(),
        on=datetime.now(UTC).date(),
        declaration=folder.digest(Declaration),
        packing_statement=folder.digest(PackingStatement) if folder.has(PackingStatement) else None,
        declaration_signer=signer,
    )
    return ScreeningState(screening, states_of(screening, dispositions, signer), points, in_words(screening, points))
