"""What a person should see first: facts of the voyage, not faults of its record. Each stands in its section again."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.answers import Audit


def stands_out(audit: Audit) -> Iterator[str]:
    """Yield it, a sentence each, in the order of the sections."""
    if audit.for_whom is not None:
        for parent in audit.for_whom.parents:
            if parent.agreement == "differs":
                yield f"the declared parent of {parent.party} is not the one that the shares make: {parent.declared}"
    if audit.owned_by is not None:
        for chain in audit.owned_by.chains:
            if chain.end.startswith("undisclosed"):
                yield f"who is at the end above {chain.party} is undisclosed"
    yield from _cases(audit)
    yield from _flags(audit)
    for verdict in audit.site_verdicts:
        if verdict.is_current and verdict.verdict != "admit":
            yield f"the verdict of the site is {verdict.verdict}"
        if verdict.is_current and verdict.own_site:
            yield "consignor and operator sign with one key: the site judged its own papers"
        if not verdict.is_current and verdict.verdict != "admit":
            yield f"an earlier verdict of the site was {verdict.verdict} ({verdict.decided_on})"
    for closed in audit.came_home.closings:
        bare = sum(text.endswith(": not sanitised") for text in closed.drives)
        if bare:
            yield f"{bare} of {len(closed.drives)} drives are not sanitised, says the {closed.by}"


def _cases(audit: Audit) -> Iterator[str]:
    for case in audit.in_whose_hands.cases:
        for text in case.seals_broken:
            yield f"case {case.case}: seal broken, {text}"
        if case.released_to is not None:
            yield f"case {case.case} was released to the {case.released_to}, and nobody accepted it"
    for text in audit.in_whose_hands.drives_lost:
        yield f"drive lost: {text}"


def _flags(audit: Audit) -> Iterator[str]:
    flagged = audit.flagged
    if flagged.exceptions:
        yield f"{len(flagged.exceptions)} signatures stand for an exception to a STOP (section 7)"
    for run in flagged.runs:
        still = [f"{flag.level} {flag.rule}" for flag in run.flags if flag.open_because]
        if run.is_current and still:
            yield f"unresolved flags of the {run.by}: {', '.join(still)}"
    if flagged.open_at_admission:
        yield f"{len(flagged.open_at_admission)} flags were open when the site decided (section 7)"
    if flagged.amendments:
        yield f"the declaration was amended after it was signed, times: {len(flagged.amendments)} (section 7)"
    for screening in flagged.screenings:
        num_open = sum(candidate.is_open for candidate in screening.candidates)
        if screening.is_current and screening.outcome != "screened":
            yield f"the {screening.by} looked at no list of parties: not screened"
        if screening.is_current and num_open:
            yield f"candidates of the screening by the {screening.by} that are open: {num_open}"
