"""flag-answer.json: a person's signed answer to one flag. The flag stays visible; the answer is shown beside it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Document, Instant, Part, Sha256
from packtrain.documents.declared_party import Answer, Day, Evidence
from packtrain.documents.flags import RuleId
from packtrain.documents.parties import Role


class FlagException(Part, frozen=True, kw_only=True):
    """The paper on which a STOP may pass: whose it is, its number, its bytes.

    Attributes:
        valid_until: its last day; None where the paper names none.
    """

    paper: Literal["licence", "legal opinion"]
    number: Answer
    issued_by: Answer
    valid_until: Day | None
    sha256: Sha256


class FlagAnswer(Document, frozen=True, kw_only=True):
    """One answer to one rule's result.

    Attributes:
        by: the party whose key signs; only the party that ran the rules resolves its own flags.
        flags: SHA-256 of the flags document in which the answering person read the result.
        finding: digest of that result (`flags.finding_digest`): another result needs another answer.
        person: who answers. A second person of the party signs an answer of his own, with the reviewer's key.
        exception: for a STOP.
    """

    kind = "flag-answer"

    voyage: Answer
    by: Role
    flags: Sha256
    rule: RuleId
    finding: Sha256
    person: Answer
    because: Answer
    evidence: Annotated[tuple[Evidence, ...], msgspec.Meta(max_length=1000)]
    exception: FlagException | None
    answered_on: Instant
