"""Section 7 of an audit: exceptions first, then runs of the rules, amendments, screenings."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.flags_values import Flagged, FlagStory, RulesRun, ScreeningStory
from packtrain.report.audit_words import Block, Rows, Sentences, from_document


def flag_blocks(flagged: Flagged) -> Iterator[Block]:
    """Yield all of section 7."""
    if flagged.exceptions:
        yield Rows([("EXCEPTION", text) for text in flagged.exceptions])
    if flagged.open_at_admission:
        yield Rows([("OPEN AT ADMISSION", text) for text in flagged.open_at_admission])
    if not flagged.runs:
        yield Sentences(("No run of the rules is in this record: which flags there would have been is not known.",))
    for run in flagged.runs:
        yield from _run(run)
    if not flagged.amendments:
        yield Sentences(("No amendment of the declaration is in this record.",))
    for amendment in flagged.amendments:
        yield Sentences((f"Amendment signed {amendment.signed_on}, of declaration {amendment.supersedes[:16]}.",))
        yield from_document(amendment.told)
        yield Rows([("changed", change) for change in amendment.changes] or [("changed", "it names no change")])
    if not flagged.screenings:
        yield Sentences(("No screening is in this record: not screened.",))
    for screening in flagged.screenings:
        yield from _screening(screening)


def _run(run: RulesRun) -> Iterator[Block]:
    state = "the newest of this party" if run.is_current else "an older run"
    yield Sentences(
        (f"Rules run by the {run.by} ({run.moment}), {run.judged_on}, {state}: {run.sentence}.",), is_strong=True
    )
    yield from_document(run.told)
    rows = [("rule pack", run.rule_pack)]
    if run.policy is not None:
        rows.append(("site policy", f"sha256 {run.policy}; what it asks besides is not in this record"))
    for flag in run.flags:
        rows += _flag(flag)
    rows += [("not judged", text) for text in run.not_judged]
    yield Rows(rows)


def _flag(flag: FlagStory) -> Iterator[tuple[str, str]]:
    state = f"OPEN: {flag.open_because}" if flag.open_because else "answered"
    then = {None: "", True: "; open when the site decided", False: "; answered when the site decided"}
    yield f"{flag.level} {flag.rule}", f"{flag.title}: {state}{then[flag.was_open_at_admission]}"
    for finding in flag.findings:
        yield "  found", finding
    for answer in flag.answers:
        exception = f"; exception: {answer.exception}" if answer.exception else ""
        evidence = f"; evidence: {', '.join(answer.evidence)}" if answer.evidence else ""
        yield (
            "  answered",
            f"by {answer.person} for the {answer.by}, {answer.answered_on}: {answer.because}{exception}{evidence} "
            f"({answer.document})",
        )


def _screening(screening: ScreeningStory) -> Iterator[Block]:
    state = "the newest of this party" if screening.is_current else "an older one"
    yield Sentences(
        (f"Screening by the {screening.by}, {screening.screened_on}, {state}: {screening.outcome}.",), is_strong=True
    )
    yield from_document(screening.told)
    rows = [("list", text) for text in screening.lists] or [("list", "none: nothing was looked at")]
    num_open = sum(candidate.is_open for candidate in screening.candidates)
    rows.append(
        (
            "compared",
            f"{screening.num_subjects} names and addresses; candidates: {len(screening.candidates)}, "
            f"{num_open} of them open",
        )
    )
    for candidate in screening.candidates:
        strong = ", strong" if candidate.is_strong else ""
        rows.append(
            (
                "candidate",
                f'"{candidate.subject}" may be {candidate.entry}, {candidate.score} of 1000{strong}: {candidate.state}',
            )
        )
        rows += [("  answered", text) for text in candidate.answers]
    rows += [("remark", text) for text in screening.remarks]
    yield Rows(rows)
