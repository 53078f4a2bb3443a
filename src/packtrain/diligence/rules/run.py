"""One run of the rules as the document that a party signs: results, and by digest all that they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Facts
from packtrain.diligence.rules.pack import RulePack
from packtrain.diligence.rules.policy import Policy
from packtrain.documents.codec import digest
from packtrain.documents.country_group import CountryGroup
from packtrain.documents.flags import Flags, UsedGroup
from packtrain.documents.parties import Role


@dataclass(frozen=True, slots=True)
class Judged:
    """Whose rules run, and on which documents, by digest; None where there is none yet."""

    voyage: str
    by: Role
    declaration: str
    shipment_root: str | None
    screening: str | None


def run_rules(
    judged: Judged,
    facts: Facts,
    pack: RulePack,
    groups: Mapping[str, CountryGroup],
    policy: Policy,
    judged_on: str,
) -> Flags:
    """Return the flags of a voyage, to be signed.

    Args:
        judged: the documents that the facts were made from.
        facts: what they say.
        pack, groups, policy: what they are judged by.
        judged_on: the instant (UTC); its day is the day for which rules are in force.
    """
    as_of = date.fromisoformat(judged_on[:10])
    return Flags(
        voyage=judged.voyage,
        by=judged.by,
        moment=facts.moment,
        declaration=judged.declaration,
        shipment_root=judged.shipment_root,
        screening=judged.screening,
        pack=pack.id,
        pack_date=pack.date.isoformat(),
        pack_sha256=pack.sha256,
        policy=policy.sha256,
        groups=tuple(
            UsedGroup(name=name, as_of=group.as_of, sha256=digest(group)) for name, group in sorted(groups.items())
        ),
        as_of=as_of.isoformat(),
        results=evaluate(facts, pack, groups, as_of, policy),
        judged_on=judged_on,
        supersedes=None,  # `keep_flags` knows the run before
    )
