"""Whether each amendment names what it changed, and no more; and what it says of the answers before is what was so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from packtrain.diligence.amendments import FIRED, SHORT_FORM_FAILED, altered_answers, changed_answers
from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.reading import Record
from packtrain.diligence.short_form import obstacles
from packtrain.documents.declaration import Declaration
from packtrain.documents.flags import Flags


def amendments(record: Record) -> Iterator[Fault]:
    """Yield what an amendment of the chain hides or invents."""
    for (_, newer), (older_digest, older) in itertools.pairwise(record.papers().chain()):
        where = f"amendment of {older_digest[:16]}"
        remarks = {change for change in newer.changes if change.startswith((SHORT_FORM_FAILED, FIRED))}
        stated, found = set(newer.changes) - remarks, set(changed_answers(older, newer))
        for change in sorted(found - stated):
            yield Fault("contradiction", where, f"a change that it does not name: {change}")
        for change in sorted(stated - found):
            yield Fault("contradiction", where, f"it names what did not change: {change}")
        for what in _remarked(record, remarks, older_digest, older, newer):
            yield Fault("contradiction", where, what)
        if newer.signed_on < older.signed_on:
            what = f"signed on {newer.signed_on}, before what it amends ({older.signed_on})"
            yield Fault("contradiction", where, what)


def _remarked(
    record: Record, remarks: set[str], older_digest: str, older: Declaration, newer: Declaration
) -> Iterator[str]:
    """Yield what is wrong with the sentences that an amendment bears on the answers before it."""
    in_the_way = f"{SHORT_FORM_FAILED}{'; '.join(obstacles(older))}"
    named: set[str] = set()
    for remark in sorted(remarks):
        if remark.startswith(FIRED):
            named |= set(remark.removeprefix(FIRED).split(", "))
        elif remark != in_the_way:
            yield f"what it says of the short form is not so: {remark}"
    runs = [run for _, run in record.all_of(Flags) if run.declaration == older_digest]
    fired = {
        f"{result.rule} {result.level} by the {run.by}": run.by
        for run in runs
        for result in run.results
        if result.level not in (None, "INFO")
    }
    for rule in sorted(named - fired.keys()):
        yield f"it names a rule that had fired, and no run that is here says so: {rule}"
    # What the site's run said may not have reached home by then; the consignor's own was there before it could amend.
    own = {rule for rule, by in fired.items() if by == "consignor"}
    if altered_answers(older, newer) and (kept_back := own - named):
        yield f"rules that had fired before it, and that it does not name: {', '.join(sorted(kept_back))}"
