"""Whether answers that were signed stayed what they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question


class Answers(Parameters, frozen=True, kw_only=True):
    """Parts of the names of answers that decide what other rules say."""

    fields: tuple[str, ...]


def _amended(inquiry: Inquiry, wanted: Answers) -> Iterator[Finding]:
    facts = inquiry.facts
    inquiry.use("answers changed since the first declaration", facts.amended)
    for why in facts.escaped:
        yield Finding("back to the short form", why)
    for why in facts.stopped_before:
        yield Finding("stopped before", f"amended away: {why}")
    for field in facts.amended:
        if any(part in field for part in wanted.fields):
            yield Finding("changed", f"changed after it was declared: {field}")


QUESTIONS: Final = (
    Question("amended_answers", ("back to the short form", "stopped before", "changed"), Answers, _amended),
)
