"""screening.json: which names and addresses were held against which lists, and whom they might mean.

Signed by the party that ran it: the consignor at home, the operator with its own lists. It clears nobody: a candidate
stays in it for good, and what a person found about it is a document of its own (disposition.py).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Part, Sha256, Text
from packtrain.documents.parties import Role

Score = Annotated[int, msgspec.Meta(ge=0, le=1000)]
"""Whole per mille: documents have no fractions."""
Day = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]
MAX_LISTS: Final = 256
MAX_SUBJECTS: Final = 20_000
MAX_CANDIDATES: Final = 1000
"""Of one subject; what is kept beyond `most_candidates` of the engine nobody writes."""


class ScreeningEngine(Part, frozen=True, kw_only=True):
    """With what names were compared.

    Attributes:
        name: of the method and its version: another version finds other candidates.
        libraries: NAME VERSION of each library that it rests on.
        threshold: from this score on a pair is a candidate.
        strong: from this score on one person alone does not dismiss a candidate.
        most_candidates: candidates kept of one subject, the highest scores first.
    """

    name: Text
    libraries: tuple[Text, ...]
    threshold: Score
    strong: Score
    most_candidates: Count


class ScreenedList(Part, frozen=True, kw_only=True):
    """A list as it was on the day of the screening.

    Attributes:
        record: SHA-256 of its record, list.json.
        entries_sha256: SHA-256 over its entries.
        date: the list's own day; `age_days` is from then to the day of signing.
    """

    label: Label
    record: Sha256
    entries_sha256: Sha256
    date: Day
    age_days: Count
    num_entries: Count


class Candidate(Part, frozen=True, kw_only=True):
    """An entry that may be meant by a subject.

    Attributes:
        id: SHA-256 of subject, list and entry (docs/spec/documents.md, "Screening"): an answer names it. The same
            subject and the same entry have the same id in every screening; an entry that changed has another.
        matched: which of its texts is alike, and `text` that text as listed.
        names, countries, programs, source: what the list says of the entry, for whoever judges; cut where it is long.
        reasons: why the score is what it is, in words.
    """

    id: Sha256
    list: Label
    entry: Text
    kind: Text
    matched: Literal["name", "alias", "weak alias", "address"]
    text: Text
    score: Score
    reasons: tuple[Text, ...]
    names: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)]
    countries: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)]
    programs: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)]
    source: Text | None


class ScreenedSubject(Part, frozen=True, kw_only=True):
    """One name or address, all places of the papers where it stands, and its candidates.

    Attributes:
        country: as declared; shown, never a reason to leave a candidate out.
        note: what limits the comparison; "" where nothing does.
        candidates: the highest score first.
        num_left_out: candidates beyond those kept; `best_left_out` is the highest score among them.
    """

    text: Text
    kind: Literal["person", "organisation", "unknown", "address"]
    country: Text | None
    places: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    note: Text
    candidates: Annotated[tuple[Candidate, ...], msgspec.Meta(max_length=MAX_CANDIDATES)]
    num_left_out: Count
    best_left_out: Score


class Screening(Document, frozen=True, kw_only=True):
    """One screening.

    Attributes:
        by: the party that ran it and signs.
        declaration: SHA-256 of the declaration whose names were screened.
        packing_statement: SHA-256 of the statement whose carriers were; None where there was none yet.
        outcome: "not screened" where there was no list to screen against; never that nobody was found.
    """

    kind = "screening"

    by: Role
    declaration: Sha256
    packing_statement: Sha256 | None
    outcome: Literal["screened", "not screened"]
    engine: ScreeningEngine
    lists: Annotated[tuple[ScreenedList, ...], msgspec.Meta(max_length=MAX_LISTS)]
    subjects: Annotated[tuple[ScreenedSubject, ...], msgspec.Meta(max_length=MAX_SUBJECTS)]
    screened_on: Instant
