"""Runs a rule pack over the facts. Every rule says something; what it says is the same whatever the others say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.rules.facts import Facts
from packtrain.diligence.rules.inquiry import Inquiry
from packtrain.diligence.rules.pack import MOST_OF_A_RECALLED_RULE, Rule, RulePack, highest, rank
from packtrain.diligence.rules.policy import NO_POLICY, Policy
from packtrain.documents.country_group import CountryGroup
from packtrain.documents.flags import MAX_FINDINGS, Level, RuleFinding, RuleOutcome, RuleResult

_MAX_TEXT: Final = 4000
"""A result's texts quote answers of up to 4,096 characters; a document's text has as many in all."""


def evaluate(
    facts: Facts, pack: RulePack, groups: Mapping[str, CountryGroup], as_of: date, policy: Policy = NO_POLICY
) -> tuple[RuleResult, ...]:
    """Return what every rule of a pack says, in the order of the pack; passes are among them.

    Args:
        facts: what is judged.
        pack: the rules.
        groups: country groups by name, as the user supplied them.
        as_of: the day for which rules are in force, licences valid and groups fresh.
        policy: of the site.
    """
    return tuple(_result(rule, Inquiry(facts, groups, as_of, policy.limits), policy) for rule in pack.rules)


def _result(rule: Rule, inquiry: Inquiry, policy: Policy) -> RuleResult:
    if not rule.is_in_force(inquiry.as_of):
        return _of(rule, inquiry, "not in force", because=f"not in force on {inquiry.as_of}: {_period(rule)}")
    if rule.is_full_only and not inquiry.facts.is_full:
        return _of(rule, inquiry, "not asked", because="the short form does not ask for this")
    found = {
        (finding.case, finding.because): _finding(rule, finding.case, finding.because, policy)
        for finding in rule.question.ask(inquiry, rule.parameters)
    }
    findings = sorted(found.values(), key=lambda finding: (-rank(finding.level), finding.case, finding.because))
    levels: list[Level] = [finding.level for finding in findings]
    because = ""
    if inquiry.missing_groups:
        because = f"not judged: no country group {', '.join(sorted(inquiry.missing_groups))}"
        levels.append(_unjudged(rule, inquiry.facts, policy))
    elif inquiry.not_yet and not findings:
        because = f"not yet: {inquiry.not_yet}"
    outcome: RuleOutcome = (
        "fired" if findings else "not judged" if inquiry.missing_groups else "not yet" if inquiry.not_yet else "passed"
    )
    return _of(rule, inquiry, outcome, tuple(levels), _bounded(findings), because)


def _finding(rule: Rule, case: str, because: str, policy: Policy) -> RuleFinding:
    level = rule.levels[case]
    return RuleFinding(case=case, level=policy.raised(rule, case, level), pack_level=level, because=_cut(because))


def _unjudged(rule: Rule, facts: Facts, policy: Policy) -> Level:
    """Return how grave it is that a rule could not be judged: what is not known holds a voyage over a border."""
    level: Level = "HOLD" if facts.is_full else "FLAG"
    if rule.mark == "recalled":
        level = MOST_OF_A_RECALLED_RULE
    return policy.raised(rule, "", level)


def _of(
    rule: Rule,
    inquiry: Inquiry,
    outcome: RuleOutcome,
    levels: tuple[Level, ...] = (),
    findings: tuple[RuleFinding, ...] = (),
    because: str = "",
) -> RuleResult:
    return RuleResult(
        rule=rule.id,
        title=rule.title,
        mark=rule.mark,
        source=rule.source,
        source_url=rule.source_url,
        in_force_from=rule.in_force_from.isoformat() if rule.in_force_from else None,
        in_force_to=rule.in_force_to.isoformat() if rule.in_force_to else None,
        outcome=outcome,
        level=highest(levels) if levels else None,
        inputs=_inputs(inquiry),
        findings=findings,
        because=because,
    )


def _bounded(findings: list[RuleFinding]) -> tuple[RuleFinding, ...]:
    """Return the gravest findings, and how many are left out: the bound of the document must hide none."""
    if len(findings) <= MAX_FINDINGS:
        return tuple(findings)
    rest = findings[MAX_FINDINGS:]
    more = RuleFinding(
        case=rest[0].case,
        level=rest[0].level,
        pack_level=rest[0].pack_level,
        because=f"and {len(rest):,} more findings {_fingerprint(*(finding.because for finding in rest))}",
    )
    return (*findings[:MAX_FINDINGS], more)


def _inputs(inquiry: Inquiry) -> tuple[str, ...]:
    texts = [_cut(text) for text in inquiry.inputs]
    rest = texts[MAX_FINDINGS:]
    return (*texts[:MAX_FINDINGS], *((f"and {len(rest):,} more {_fingerprint(*rest)}",) if rest else ()))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… {_fingerprint(text)}"


def _fingerprint(*texts: str) -> str:
    """Return a mark of what is left out: an answer is bound to all that a rule said, not to its first page."""
    return f"(SHA-256 {sha256_bytes(chr(10).join(texts).encode())[:16]})"


def _period(rule: Rule) -> str:
    first = f"from {rule.in_force_from}" if rule.in_force_from else ""
    last = f"to {rule.in_force_to}" if rule.in_force_to else ""
    return f"{first} {last}".strip()
