"""A disposition: one person's signed answer to one candidate of a screening. The candidate stays where it is."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Document, Instant, Label, Part, Sha256, Text
from packtrain.documents.parties import Role
from packtrain.documents.screening import Score

DispositionVerdict = Literal["false match", "true match"]


class DispositionEvidence(Part, frozen=True, kw_only=True):
    """A file that supports the answer. The file itself stays with who answers, and is shown on request."""

    name: Text
    sha256: Sha256


class Disposition(Document, frozen=True, kw_only=True):
    """Who says what of a candidate, and why.

    Attributes:
        by: the party for which it is said: its signer, or its reviewer.
        screening: SHA-256 of the screening that was looked at.
        candidate: the candidate's id; subject, list, entry, text and score repeat it for people.
        because: the reason in the person's own words.
    """

    kind = "disposition"

    by: Role
    screening: Sha256
    candidate: Sha256
    subject: Text
    list: Label
    entry: Text
    text: Text
    score: Score
    verdict: DispositionVerdict
    because: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    evidence: Annotated[tuple[DispositionEvidence, ...], msgspec.Meta(max_length=64)]
    answered_on: Instant
