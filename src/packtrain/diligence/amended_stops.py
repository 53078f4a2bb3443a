"""What the rules would stop in answers that were signed once and amended since.

Every superseded declaration travels, so the site asks of each what the consignor may not have asked, or not have sent:
would it have been stopped? A run of the rules that stayed at home cannot hide it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import msgspec

from packtrain.diligence.facts_of import facts_of
from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Facts
from packtrain.diligence.rules.pack import RulePack
from packtrain.documents.country_group import CountryGroup
from packtrain.documents.declaration import Declaration


def amended_stops(
    chain: Sequence[Declaration], facts: Facts, pack: RulePack, groups: Mapping[str, CountryGroup], as_of: date
) -> tuple[str, ...]:
    """Return each STOP of the pack that superseded answers raise and the answers in force do not, in words.

    A licence that was added counts for the answers before it too: bringing the paper is the way past a STOP, telling
    another fact is not.

    Args:
        chain: the declaration in force, then each that it supersedes back to the first.
        facts: of the declaration in force.
        pack, groups, as_of: as in `evaluate`.
    """
    now = set(_stops(facts, pack, groups, as_of))
    found = (
        f"{rule} STOP, by the answers signed on {older.declared_on}: {because}"
        for declaration in chain[1:]
        for older in _as_declared(declaration, chain[0], facts)
        for rule, because in _stops(older, pack, groups, as_of)
        if (rule, because) not in now
    )
    return tuple(dict.fromkeys(found))


def _as_declared(older: Declaration, current: Declaration, facts: Facts) -> Iterator[Facts]:
    """Yield the facts of superseded answers: as they were, and with the site and machines that hold now."""
    if older.full is None:
        # Six answers say nothing of licences and machines: what is said of them now counts.
        older = msgspec.structs.replace(older, form=current.form, full=current.full)
    before = replace(facts_of([older], "declaration"), licences=facts.licences)
    yield before
    if before.site != facts.site:
        yield replace(before, site=facts.site)


def _stops(facts: Facts, pack: RulePack, groups: Mapping[str, CountryGroup], as_of: date) -> Iterator[tuple[str, str]]:
    for result in evaluate(facts, pack, groups, as_of):
        for finding in result.findings:
            if finding.pack_level == "STOP":
                yield result.rule, finding.because
