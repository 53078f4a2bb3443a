from dataclasses import replace

import pytest

from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Facts
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.documents.flags import Level
from rule_facts import CARRIERS, DAY, GROUPS, NO_ARRIVAL, drives, lawful, reported

PACK = built_in_pack()


def levels_of(facts: Facts) -> dict[str, Level]:
    return {
        result.rule: result.level for result in evaluate(facts, PACK, GROUPS, DAY) if result.level not in (None, "INFO")
    }


def test_the_lawful_voyage_raises_no_flag_at_all() -> None:
    assert levels_of(lawful()) == {}


def test_the_reported_voyage_raises_what_was_expected_and_what_its_other_facts_say() -> None:
    expected = {"HQ-1": "STOP", "PT-1": "STOP", "OWN-4": "HOLD", "CUS-5": "HOLD", "PT-2": "HOLD", "DC-1": "HOLD"}
    # The model goes back to a country of the group: the facts say so, and no list of expectations unsays it.
    besides = {"RET-1": "STOP", "CUS-1": "FLAG", "CUS-3": "FLAG", "CUS-4": "FLAG", "PAY-1": "FLAG"}

    assert levels_of(reported()) == {**expected, **besides}


def test_the_reported_voyage_says_why() -> None:
    results = {result.rule: result for result in evaluate(reported(), PACK, GROUPS, DAY)}
    texts = {rule: "\n".join(finding.because for finding in result.findings) for rule, result in results.items()}

    assert "Developer (shipper, trained_for, end_user" in texts["HQ-1"]
    assert "no licence" in texts["HQ-1"]
    assert "carrier Carrier Four is not on the packing statement" in texts["PT-1"]
    assert "case D is not on the packing statement" in texts["PT-1"]
    assert "owners of 100 % of Offshore Holding not disclosed: the register there is not public" in texts["OWN-4"]
    assert "183 days old at the contract and formed at the request of Site Operator" in texts["CUS-5"]
    assert "Citizen One; Citizen Two; Citizen Three" in texts["CUS-5"]


@pytest.mark.parametrize(
    ("changed", "rule", "level"),
    [
        (replace(lawful(), arrival=replace(NO_ARRIVAL, lost=("A1",))), "PT-3", "FLAG"),
        (replace(lawful(), arrival=replace(NO_ARRIVAL, missing=("A1",))), "PT-3", "HOLD"),
        (replace(lawful(), arrival=replace(NO_ARRIVAL, unknown=("S-9 in case A",))), "PT-3", "STOP"),
        (replace(lawful(), arrival=replace(NO_ARRIVAL, swapped=("A1",))), "PT-3", "STOP"),
    ],
)
def test_a_drive_that_is_not_as_stated_changes_one_rule(changed: Facts, rule: str, level: Level) -> None:
    assert levels_of(changed) == {rule: level}


def test_an_end_user_left_open_holds_the_lawful_voyage() -> None:
    facts = lawful()
    observatory = facts.parties[0]
    roles = tuple(role for role in observatory.roles if role != "end_user")
    changed = replace(
        facts, parties=(replace(observatory, roles=roles), facts.parties[1]), unstated_roles=("end_user",)
    )

    assert levels_of(changed) == {"HQ-3": "HOLD"}


def test_one_carrier_who_is_not_on_the_statement_stops_the_lawful_voyage() -> None:
    facts = lawful()
    assert facts.carriage is not None
    changed = replace(facts, carriage=replace(facts.carriage, stated_carriers=CARRIERS[:3]))

    assert levels_of(changed) == {"PT-1": "STOP"}


def test_a_case_that_only_the_custody_log_knows_stops_the_lawful_voyage() -> None:
    facts = lawful()
    assert facts.carriage is not None
    changed = replace(facts, carriage=replace(facts.carriage, custody_cases=("A", "B", "C", "D", "E")))

    assert levels_of(changed) == {"PT-1": "STOP"}


def test_two_carriers_of_one_case_are_both_on_the_statement_with_a_semicolon_between() -> None:
    facts = lawful()
    assert facts.carriage is not None
    stated = ("Carrier One; Carrier Two", "carrier three", "Carrier Four")

    assert levels_of(replace(facts, carriage=replace(facts.carriage, stated_carriers=stated))) == {}


def test_before_packing_the_rules_on_drives_are_not_yet_judged() -> None:
    before = replace(lawful(), moment="declaration", carriage=None, arrival=None)
    outcomes = {result.rule: result.outcome for result in evaluate(before, PACK, GROUPS, DAY)}

    assert levels_of(before) == {}
    assert {rule for rule, outcome in outcomes.items() if outcome == "not yet"} == {"PT-1", "PT-3", "RT-1"}


def test_at_the_gate_there_is_no_voyage_without_a_statement() -> None:
    assert levels_of(replace(lawful(), carriage=None)) == {"PT-1": "STOP"}


def test_a_drive_stated_with_another_serial_is_not_covered() -> None:
    facts = lawful()
    assert facts.carriage is not None
    shipped = (*facts.carriage.shipped[1:], replace(drives("A")[0], serial="S-OTHER"))

    assert levels_of(replace(facts, carriage=replace(facts.carriage, shipped=shipped))) == {"PT-1": "STOP"}


def test_the_short_form_is_judged_without_the_full_forms_questions() -> None:
    short = replace(
        lawful(),
        form="short",
        unstated_roles=(),
        prohibited_uses=None,
        site=replace(lawful().site, address=None, kilowatts=None, is_attested=False),
        screening=None,
    )
    outcomes = {result.rule: result.outcome for result in evaluate(short, PACK, GROUPS, DAY)}

    assert levels_of(short) == {"SCR-3": "FLAG"}
    assert outcomes["DC-1"] == "not asked"
    assert outcomes["HQ-1"] == "passed"
