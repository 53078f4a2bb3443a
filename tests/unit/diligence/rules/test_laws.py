"""What holds of every pack, voyage and policy: nothing that is worse, stricter or reordered makes a flag go away."""

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Facts, Leg
from packtrain.diligence.rules.pack import RulePack, built_in_pack, rank
from packtrain.diligence.rules.policy import NO_POLICY, Policy
from packtrain.documents.flags import LEVELS, Level
from rule_facts import (
    ADVANCED,
    CARRIERS,
    DAY,
    GROUPS,
    NO_ARRIVAL,
    candidate,
    company,
    drives,
    group,
    lawful,
    licence,
    person,
    persons,
    reported,
    share,
    with_company,
)

PACK = built_in_pack()
BASES = {
    "lawful": lawful,
    "company": with_company,
    "reported": reported,
    "minority": lambda: replace(
        _screening(with_company(), candidates=(candidate("P. Two", disposition="true match"),)),
        shares=(share("P. One", "Optics", 30, 45), share("P. Two", "Optics", 40)),
    ),
}


def levels(facts: Facts, pack: RulePack = PACK, policy: Policy = NO_POLICY, groups: Any = GROUPS) -> dict[str, int]:
    """Return a number a rule: -1 where nothing was found."""
    return {
        result.rule: -1 if result.level is None else rank(result.level)
        for result in evaluate(facts, pack, groups, DAY, policy)
    }


def _party(facts: Facts, **changed: Any) -> Facts:
    return replace(
        facts, parties=(*facts.parties, replace(company("Another", "CN", "customer", "reseller"), **changed))
    )


def _carriage(facts: Facts, **added: tuple[Any, ...]) -> Facts:
    assert facts.carriage is not None
    return replace(
        facts,
        carriage=replace(
            facts.carriage, **{name: (*getattr(facts.carriage, name), *more) for name, more in added.items()}
        ),
    )


def _screening(facts: Facts, **added: tuple[Any, ...]) -> Facts:
    assert facts.screening is not None
    return replace(
        facts,
        screening=replace(
            facts.screening, **{name: (*getattr(facts.screening, name), *more) for name, more in added.items()}
        ),
    )


# Each adds something that a rule looks for, and takes nothing away.
WORSE = {
    "a customer elsewhere": lambda f: _party(f),
    "a customer that says nothing": lambda f: _party(
        f, headquarters=None, declared_parent=None, incorporated_on=None, kind=None, website=None, evidence=()
    ),
    "a ticked box": lambda f: replace(f, prohibited_uses=(*(f.prohibited_uses or ()), "missile")),
    "words": lambda f: replace(f, end_use=f.end_use + " for military surveillance"),
    "a true match": lambda f: _screening(f, candidates=(candidate("Optics", disposition="true match"),)),
    "a listed owner": lambda f: _screening(f, candidates=(candidate("P. One", disposition="true match"),)),
    "an open address": lambda f: _screening(f, candidates=(candidate(is_address=True),)),
    "one person's dismissal": lambda f: _screening(
        f, candidates=(candidate(is_strong=True, disposition="false match"),)
    ),
    "a company nobody knows above": lambda f: replace(f, shares=(*f.shares, share("Shell", "Optics", 1))),
    "hardware without papers": lambda f: replace(
        f, site=replace(f.site, hardware=(*f.site.hardware, replace(ADVANCED, item="more", authority=None)))
    ),
    "an unattested site": lambda f: replace(f, site=replace(f.site, is_attested=False)),
    "a drive that is not stated": lambda f: _carriage(f, shipped=drives("E")),
    "a carrier that is not stated": lambda f: _carriage(f, custody_carriers=("Carrier Nine",)),
    "a country that is not on the route": lambda f: _carriage(f, custody_countries=("AE",)),
    "a swapped drive": lambda f: replace(f, arrival=replace(f.arrival or NO_ARRIVAL, swapped=("A1",))),
    "a lost drive": lambda f: replace(f, arrival=replace(f.arrival or NO_ARRIVAL, lost=("A2",))),
    "a border": lambda f: replace(f, route=replace(f.route, legs=(*f.route.legs, Leg("QA", None, CARRIERS)))),
    "no customs paper": lambda f: replace(f, route=replace(f.route, customs_reference=None)),
    "persons": lambda f: replace(
        f,
        data=replace(
            f.data, persons=(*f.data.persons, persons(country="US", number=None, transfer_tool=None, kind=None))
        ),
    ),
    "a scan's finding": lambda f: replace(f, data=replace(f.data, scan_findings=("7 cards",))),
    "an undisclosed role": lambda f: replace(f, unstated_roles=(*f.unstated_roles, "end_user", "reseller")),
    "a model that goes elsewhere": lambda f: replace(f, home=replace(f.home, country="CN")),
    "no screening": lambda f: replace(f, screening=replace(f.screening, lists=())) if f.screening else f,
    "a changed payer": lambda f: replace(f, amended=(*f.amended, "payer.name")),
}


@given(base=st.sampled_from(sorted(BASES)), worse=st.lists(st.sampled_from(sorted(WORSE)), max_size=5))
def test_what_is_worse_never_takes_a_flag_away(base: str, worse: list[str]) -> None:
    facts = BASES[base]()
    before = levels(facts)
    for name in worse:
        facts = WORSE[name](facts)
        after = levels(facts)
        assert all(after[rule] >= before[rule] for rule in before), (name, before, after)
        before = after


@given(
    base=st.sampled_from(sorted(BASES)), worse=st.sampled_from(sorted(WORSE)), order=st.randoms(use_true_random=False)
)
def test_the_order_of_the_rules_and_of_the_facts_does_not_matter(base: str, worse: str, order: Any) -> None:
    facts = WORSE[worse](BASES[base]())
    rules = list(PACK.rules)
    order.shuffle(rules)
    parties = list(facts.parties)
    order.shuffle(parties)

    shuffled = evaluate(facts, replace(PACK, rules=tuple(rules)), GROUPS, DAY)

    assert sorted(map(str, shuffled)) == sorted(map(str, evaluate(facts, PACK, GROUPS, DAY)))
    assert levels(replace(facts, parties=tuple(parties))) == levels(facts)


policies = st.builds(
    Policy,
    by_level=st.dictionaries(st.sampled_from(LEVELS), st.sampled_from(LEVELS), max_size=4).map(
        lambda raised: {level: wanted for level, wanted in raised.items() if rank(wanted) >= rank(level)}
    ),
    by_rule=st.dictionaries(st.sampled_from([rule.id for rule in PACK.rules]), st.sampled_from(LEVELS), max_size=6),
)


@given(base=st.sampled_from(sorted(BASES)), worse=st.sampled_from(sorted(WORSE)), policy=policies)
def test_a_policy_only_raises(base: str, worse: str, policy: Policy) -> None:
    facts = WORSE[worse](BASES[base]())
    before, after = levels(facts), levels(facts, policy=policy)

    assert all(after[rule] >= before[rule] for rule in before)
    assert {rule for rule in after if after[rule] >= 0} == {rule for rule in before if before[rule] >= 0}


@given(base=st.sampled_from(sorted(BASES)), worse=st.lists(st.sampled_from(sorted(WORSE)), max_size=5), policy=policies)
def test_a_rule_that_could_not_be_read_again_is_never_above_a_flag(base: str, worse: list[str], policy: Policy) -> None:
    facts = BASES[base]()
    for name in worse:
        facts = WORSE[name](facts)

    for groups in (GROUPS, {}):
        found = evaluate(facts, PACK, groups, DAY, policy)
        assert all(r.level in (None, "INFO", "FLAG") for r in found if r.mark == "recalled")


@given(
    rule=st.sampled_from([rule.id for rule in PACK.rules if rule.mark != "recalled"]),
    level=st.sampled_from(LEVELS),
    worse=st.sampled_from(sorted(WORSE)),
)
def test_raising_a_level_in_the_pack_lowers_nothing(rule: str, level: Level, worse: str) -> None:
    def higher(case_level: Level) -> Level:
        return level if rank(level) > rank(case_level) else case_level

    facts = WORSE[worse](reported())
    raised = replace(
        PACK,
        rules=tuple(
            replace(r, levels={case: higher(of) for case, of in r.levels.items()}) if r.id == rule else r
            for r in PACK.rules
        ),
    )
    before, after = levels(facts), levels(facts, raised)

    assert after[rule] >= before[rule]
    assert {r: after[r] for r in after if r != rule} == {r: before[r] for r in before if r != rule}


@given(worse=st.sampled_from(sorted(WORSE)))
def test_without_any_country_group_nothing_is_milder_for_a_voyage_over_a_border(worse: str) -> None:
    facts = WORSE[worse](with_company())
    fresh = {name: known for name, known in GROUPS.items() if name in ("D5",)}
    without, known = levels(facts, groups={}), levels(facts, groups=fresh)

    # HOLD at least wherever the group would have been asked, even if it would have let the voyage pass.
    assert without["HQ-1"] >= rank("HOLD")
    assert without["RET-1"] >= rank("HOLD")
    assert all(without[rule] >= min(known[rule], rank("HOLD")) for rule in known if rule != "GRP-1")


def test_a_licence_makes_a_stop_a_hold_and_never_nothing() -> None:
    facts = reported()

    assert levels(replace(facts, licences=(licence(),)))["HQ-1"] == rank("HOLD")


def test_a_rule_with_more_findings_than_a_document_holds_says_how_many_are_left_out() -> None:
    facts = _screening(lawful(), candidates=tuple(candidate(identifier=f"c{i}") for i in range(1000)))
    result = next(r for r in evaluate(facts, PACK, GROUPS, DAY) if r.rule == "SCR-1")

    assert len(result.findings) == 201
    assert result.findings[-1].because.startswith("and 800 more findings (SHA-256 ")
    assert len(msgspec.json.encode(result)) < 1 << 20


def test_two_long_answers_that_begin_alike_are_told_apart() -> None:
    one, other = (replace(lawful(), end_use="military " + "x" * 4080 + end) for end in "ab")
    first, second = (next(r for r in evaluate(f, PACK, GROUPS, DAY) if r.rule == "TR-2") for f in (one, other))

    assert first != second
    assert all(len(text) <= 4096 for text in (*first.inputs, first.findings[0].because))


def test_owners_in_a_circle_end() -> None:
    facts = replace(
        with_company(),
        owners=(person("P. One"),),
        shares=(share("Ring", "Optics", 60), share("Optics", "Ring", 60), share("Ring", "Ring", 40)),
    )

    assert levels(facts)["OWN-4"] == rank("HOLD")


def test_an_empty_group_of_the_name_is_a_group() -> None:
    assert levels(reported(), groups={**GROUPS, "D5": group("D5", "KP")})["HQ-1"] == -1
