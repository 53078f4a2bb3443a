"""Section 7: flags and who raised them, persons and how they answered, what was open at the verdict, what changed."""

from __future__ import annotations

from typing import Final

from packtrain.diligence.audit.flags_values import Amendment, Flagged, FlagStory, GivenAnswer, RulesRun
from packtrain.diligence.audit.reading import Record, SeenDocument
from packtrain.diligence.audit.screening_answer import screenings
from packtrain.diligence.audit.telling import told_of
from packtrain.diligence.rules.answers import RaisedFlag, SignedAnswer, open_flags
from packtrain.diligence.rules.policy import Policy
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import LEVELS, Flags

_NOT_JUDGED: Final = frozenset({"not judged", "not in force", "not yet", "not asked"})


def flagged(record: Record) -> Flagged:
    """Return all of section 7."""
    answers = [
        (seen, SignedAnswer(answer, answer.by, seen.signature.key)) for seen, answer in record.all_of(FlagAnswer)
    ]
    admission = record.current(Admission)
    decided_on = admission.decided_on if admission is not None else None
    found = sorted(record.all_of(Flags), key=lambda pair: (pair[1].judged_on, pair[0].name))
    runs = tuple(_run(seen, flags, answers, decided_on) for seen, flags in found)
    exceptions = [
        f"{flag.rule} {flag.level} ({flag.title}) passed by {answer.person} for the {answer.by} on {answer.exception}"
        if not flag.open_because
        else f"{flag.rule} {flag.level} ({flag.title}): {answer.person} signed for {answer.exception}; still open: "
        f"{flag.open_because}"
        for run in runs
        for flag in run.flags
        for answer in flag.answers
        if answer.exception is not None
    ]
    return Flagged(
        exceptions=tuple(dict.fromkeys(exceptions)),
        open_at_admission=_open_at_admission(runs, admission.flags if admission is not None else None),
        runs=runs,
        amendments=_amendments(record),
        screenings=screenings(record),
    )


def _open_at_admission(runs: tuple[RulesRun, ...], named: str | None) -> tuple[str, ...]:
    judged = next((run for run in runs if run.told.sha256 == named), None)
    if judged is None:
        return ()
    return tuple(f"{flag.level} {flag.rule}: {flag.title}" for flag in judged.flags if flag.was_open_at_admission)


def admitted_in_spite_of(record: Record) -> list[str]:
    """Return the STOPs and HOLDs of the site's own run of the rules that were open when it admitted.

    An answer that was given afterwards resolves nothing of what was decided before it.
    """
    admission = record.current(Admission)
    if admission is None or admission.verdict != "admit":
        return []
    answers = [
        SignedAnswer(answer, answer.by, seen.signature.key)
        for seen, answer in record.all_of(FlagAnswer)
        if answer.answered_on <= admission.decided_on
    ]
    named = next((flags for seen, flags in record.all_of(Flags) if seen.sha256 == admission.flags), None)
    if named is None:
        return []  # that it is missing is a fault of its own
    found = open_flags(named, answers, Policy(sha256=named.policy)).flags
    return [f"{flag.level} {flag.result.rule}" for flag in found if flag.is_open and flag.level in ("STOP", "HOLD")]


def _run(
    seen: SeenDocument, flags: Flags, answers: list[tuple[SeenDocument, SignedAnswer]], decided_on: str | None
) -> RulesRun:
    # What a site's policy asks besides is not in the record; its digest is, and the reader is told.
    policy = Policy(sha256=flags.policy)
    names = {id(signed): document.name for document, signed in answers}
    now = open_flags(flags, [signed for _, signed in answers], policy)
    then = None
    if decided_on is not None and flags.judged_on <= decided_on:
        before = [signed for _, signed in answers if signed.answer.answered_on <= decided_on]
        then = {flag.result.rule: flag.is_open for flag in open_flags(flags, before, policy).flags}
    gravest_first = sorted(now.flags, key=lambda flag: -LEVELS.index(flag.level))
    return RulesRun(
        told=told_of(seen),
        by=flags.by,
        moment=flags.moment,
        rule_pack=f"{flags.pack} of {flags.pack_date}, sha256 {flags.pack_sha256}",
        as_of=flags.as_of,
        judged_on=flags.judged_on,
        is_current=seen.name in ("flags.json", f"flags/{flags.by}.json"),
        is_before_verdict=flags.judged_on <= decided_on if decided_on is not None else None,
        policy=flags.policy,
        sentence=now.sentence,
        flags=tuple(_flag(flag, names, then) for flag in gravest_first),
        not_judged=tuple(
            f"{result.rule} {result.title}: {_said_once(result.outcome, result.because)}"
            for result in flags.results
            if result.outcome in _NOT_JUDGED
        ),
    )


def _said_once(outcome: str, because: str) -> str:
    """Return an outcome and its reason; a reason that begins with the outcome says both."""
    return because if because.startswith(outcome) else ", ".join(filter(None, (outcome, because)))


def _flag(flag: RaisedFlag, names: dict[int, str], then: dict[str, bool] | None) -> FlagStory:
    return FlagStory(
        rule=flag.result.rule,
        level=flag.level,
        title=flag.result.title,
        findings=tuple(f"{finding.level} {finding.case}: {finding.because}" for finding in flag.result.findings),
        answers=tuple(_answer(signed, names[id(signed)]) for signed in flag.answers),
        open_because=flag.open_because,
        was_open_at_admission=then.get(flag.result.rule) if then is not None else None,
    )


def _answer(signed: SignedAnswer, document: str) -> GivenAnswer:
    answer, paper = signed.answer, signed.answer.exception
    until = f", valid until {paper.valid_until or 'no day is stated'}" if paper else ""
    return GivenAnswer(
        document=document,
        by=answer.by,
        person=answer.person,
        key=signed.key,
        because=answer.because,
        evidence=tuple(f"{row.what} (sha256 {row.sha256})" for row in answer.evidence),
        exception=f"{paper.paper} {paper.number} of {paper.issued_by}{until} (sha256 {paper.sha256})"
        if paper
        else None,
        answered_on=answer.answered_on,
    )


def _amendments(record: Record) -> tuple[Amendment, ...]:
    """Return every amendment, the first one first; those that never came into force too."""
    found = [pair for pair in record.all_of(Declaration) if pair[1].supersedes is not None]
    return tuple(
        Amendment(told_of(seen), declaration.signed_on, declaration.supersedes or "", declaration.changes)
        for seen, declaration in sorted(found, key=lambda pair: (pair[1].signed_on, pair[0].name))
    )
