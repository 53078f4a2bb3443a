"""What is open after a screening: at home before packing, at the site before a verdict. The same words at both ends.

Pure: a screening, the signed dispositions, what is asked of lists, and a day go in; nothing is read. It never says that
a party is clear: what it can say is that nothing is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from packtrain.diligence.screening.record import SignedDisposition
from packtrain.documents.disposition import DispositionVerdict
from packtrain.documents.screening import Candidate, ScreenedSubject, Screening

OpenKind = Literal[
    "not screened",
    "other papers",
    "list missing",
    "list too old",
    "not answered",
    "second person needed",
    "true match",
    "left out",
]


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """What is asked of lists.

    Attributes:
        max_age_days: the oldest that a list may be on the day of the verdict; None asks nothing.
        required: labels that have to be among the lists.
    """

    max_age_days: int | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """One thing that is not settled: what, in words, and the candidate where it is one."""

    kind: OpenKind
    what: str
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class CandidateState:
    """A candidate and what people said of it.

    Attributes:
        answers: the dispositions of the party that screened, the oldest first; all stay visible.
        disposition: "true match" if the last word of anybody is that, else "false match" if anybody's is, else None.
        has_two_signers: two persons, at least one of them another than the declaration's signer, agree on it.
    """

    subject: ScreenedSubject
    candidate: Candidate
    is_strong: bool
    answers: tuple[SignedDisposition, ...]
    disposition: DispositionVerdict | None
    has_two_signers: bool

    @property
    def open_point(self) -> OpenPoint | None:
        """Return what is open about it, or None."""
        about = (
            f'"{self.subject.text}" ({", ".join(self.subject.places[:3])}) may be "{self.candidate.text}" '
            f"({self.candidate.list}, {self.candidate.entry}), {self.candidate.score} of 1000"
        )
        if self.disposition == "true match":
            return OpenPoint("true match", f"{about}: a person says that it is", self.candidate.id)
        if self.disposition is None:
            return OpenPoint("not answered", f"{about}: nobody has answered", self.candidate.id)
        if self.is_strong and not self.has_two_signers:
            why = "one person dismissed it, and a candidate so strong needs a second"
            return OpenPoint("second person needed", f"{about}: {why}", self.candidate.id)
        return None


def states_of(
    screening: Screening, dispositions: Sequence[SignedDisposition], declaration_signer: str
) -> tuple[CandidateState, ...]:
    """Return every candidate and its state, in the order of the screening.

    Answers of another party than the one that screened do not count: each end judges its own screening.

    Args:
        screening: verified.
        dispositions: verified, of all parties.
        declaration_signer: the key that signed the declaration, as parties.json spells it.
    """

    def age(each: SignedDisposition) -> tuple[str, bool, str]:
        # Of two answers of one second the one that keeps the candidate open counts as the later.
        return each.disposition.answered_on, each.disposition.verdict == "true match", each.digest

    own: dict[str, list[SignedDisposition]] = {}
    for each in sorted(dispositions, key=age):
        if each.disposition.by == screening.by:
            own.setdefault(each.disposition.candidate, []).append(each)
    return tuple(
        _state(screening, subject, candidate, tuple(own.get(candidate.id, ())), declaration_signer)
        for subject in screening.subjects
        for candidate in subject.candidates
    )


def open_points(
    screening: Screening | None,
    dispositions: Sequence[SignedDisposition],
    policy: ListPolicy,
    *,
    on: date,
    declaration: str,
    packing_statement: str | None,
    declaration_signer: str,
) -> tuple[OpenPoint, ...]:
    """Return all that is open, lists first, then candidates; empty where nothing is.

    Args:
        screening: verified; None where there is none.
        dispositions: verified, of all parties.
        policy: what is asked of lists.
        on: the day of the verdict: lists age after a screening was signed.
        declaration, packing_statement: digests of the papers that hold now; None where there is no statement yet.
        declaration_signer: the key that signed the declaration, as parties.json spells it.
    """
    if screening is None or screening.outcome == "not screened":
        return (OpenPoint("not screened", "not screened: no list of parties was looked at"),)
    points = [*_papers(screening, declaration, packing_statement), *_lists(screening, policy, on)]
    for state in states_of(screening, dispositions, declaration_signer):
        if (point := state.open_point) is not None:
            points.append(point)
    for subject in screening.subjects:
        # Below "strong" the best of many stand for the rest; a strong one that nobody could see stands for nothing.
        if subject.num_left_out and subject.best_left_out >= screening.engine.strong:
            what = (
                f'"{subject.text}" is like so many entries that {subject.num_left_out} more, the best of them at '
                f"{subject.best_left_out} of 1000, were not kept: declare it with what sets it apart"
            )
            points.append(OpenPoint("left out", what))
    return tuple(points)


def found_in_words(screening: Screening | None) -> str:
    """Return what was screened and found, whatever people said since: never "no match"."""
    if screening is None or screening.outcome == "not screened":
        return "not screened: no list of parties was looked at"
    lists = ", ".join(f"{each.label} of {each.date}" for each in screening.lists)
    num = sum(len(subject.candidates) for subject in screening.subjects)
    return f"{len(screening.subjects)} names and addresses against {lists}: {num} candidates"


def in_words(screening: Screening | None, points: Sequence[OpenPoint]) -> str:
    """Return one sentence for papers, with what is open: never "cleared"."""
    found = found_in_words(screening)
    if screening is None or screening.outcome == "not screened":
        return found
    return f"{found}, {len(points)} points open" if points else f"{found}, no point open"


def _papers(screening: Screening, declaration: str, packing_statement: str | None) -> list[OpenPoint]:
    points: list[OpenPoint] = []
    if screening.declaration != declaration:
        points.append(OpenPoint("other papers", "the declaration was amended after it was screened: screen again"))
    if packing_statement is not None and screening.packing_statement != packing_statement:
        points.append(
            OpenPoint("other papers", "the carriers of the packing statement were not screened: screen again")
        )
    return points


def _lists(screening: Screening, policy: ListPolicy, on: date) -> list[OpenPoint]:
    labels = {each.label for each in screening.lists}
    points = [
        OpenPoint("list missing", f"the list {label} is asked for, and was not screened against")
        for label in policy.required
        if label not in labels
    ]
    for each in screening.lists:
        age = (on - date.fromisoformat(each.date)).days
        if policy.max_age_days is not None and age > policy.max_age_days:
            what = f"the list {each.label} is of {each.date}, {age} days old; at most {policy.max_age_days} are allowed"
            points.append(OpenPoint("list too old", what))
    return points


def _state(
    screening: Screening,
    subject: ScreenedSubject,
    candidate: Candidate,
    answers: tuple[SignedDisposition, ...],
    declaration_signer: str,
) -> CandidateState:
    last = {each.key: each.disposition.verdict for each in answers}
    disposition: DispositionVerdict | None = (
        "true match" if "true match" in last.values() else "false match" if last else None
    )
    agreeing = {key for key, verdict in last.items() if verdict == disposition}
    return CandidateState(
        subject=subject,
        candidate=candidate,
        is_strong=candidate.score >= screening.engine.strong,
        answers=answers,
        disposition=disposition,
        has_two_signers=len(agreeing) > 1 and bool(agreeing - {declaration_signer}),
    )
