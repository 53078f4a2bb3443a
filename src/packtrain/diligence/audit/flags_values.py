"""Section 7 of an audit as values: flags and answers, amendments, screenings."""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence.audit.told import Told


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One person's answer to a flag."""

    document: str
    by: str
    person: str
    key: str
    because: str
    evidence: tuple[str, ...]
    exception: str | None
    answered_on: str


@dataclass(frozen=True, slots=True)
class FlagStory:
    """One flag of a run.

    Attributes:
        open_because: why it is open after all answers here; "" where it is answered.
        was_open_at_admission: by the answers dated before the verdict; None where there is none.
    """

    rule: str
    level: str
    title: str
    findings: tuple[str, ...]
    answers: tuple[GivenAnswer, ...]
    open_because: str
    was_open_at_admission: bool | None


@dataclass(frozen=True, slots=True)
class RulesRun:
    """One run of the rules by one party.

    Attributes:
        is_before_verdict: dated before the site's verdict; None where there is none.
        not_judged: rules that could not be judged, and why.
    """

    told: Told
    by: str
    moment: str
    rule_pack: str
    as_of: str
    judged_on: str
    is_current: bool
    is_before_verdict: bool | None
    policy: str | None
    sentence: str
    flags: tuple[FlagStory, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidateStory:
    """A candidate of a screening and what persons said of it; `state` is why it is open, or what they found."""

    subject: str
    entry: str
    score: int
    is_strong: bool
    answers: tuple[str, ...]
    state: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ScreeningStory:
    """One screening."""

    told: Told
    by: str
    screened_on: str
    is_current: bool
    outcome: str
    lists: tuple[str, ...]
    num_subjects: int
    candidates: tuple[CandidateStory, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amendment:
    """A signed change of the declaration: each answer as "field: old -> new"."""

    told: Told
    signed_on: str
    supersedes: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flagged:
    """Section 7: exceptions first, then what was open, then every run, every amendment, every screening.

    Attributes:
        open_at_admission: flags of the run that the verdict names, which nobody had answered by then.
    """

    exceptions: tuple[str, ...]
    open_at_admission: tuple[str, ...]
    runs: tuple[RulesRun, ...]
    amendments: tuple[Amendment, ...]
    screenings: tuple[ScreeningStory, ...]
