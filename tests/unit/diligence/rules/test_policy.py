from dataclasses import replace
from datetime import date

import pytest

from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Facts, ScreenedList
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.rules.policy import Policy, read_policy
from packtrain.documents.flags import RuleResult
from packtrain.errors import PolicyError
from rule_facts import DAY, GROUPS, NO_ARRIVAL, lawful, reported

PACK = built_in_pack()
LOST = replace(lawful(), arrival=replace(NO_ARRIVAL, lost=("A1",)))


def policy(text: str) -> Policy:
    return read_policy(text.encode(), "site.toml", PACK)


def judged(facts: Facts, rule: str, by: Policy) -> RuleResult:
    return next(result for result in evaluate(facts, PACK, GROUPS, DAY, by) if result.rule == rule)


@pytest.mark.parametrize(
    ("text", "level"),
    [("", "FLAG"), ('[rules]\n"PT-3.lost" = "HOLD"', "HOLD"), ('[levels]\nFLAG = "STOP"', "STOP")],
)
def test_a_policy_raises_and_the_packs_own_level_stays_beside_it(text: str, level: str) -> None:
    finding = judged(LOST, "PT-3", policy(text)).findings[0]

    assert (finding.level, finding.pack_level) == (level, "FLAG")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[levels]\nSTOP = "HOLD"', "levels.STOP lowers a level"),
        ('[rules]\n"HQ-1" = "HOLD"', "rules.HQ-1 lowers a level"),
        ('[rules]\n"PT-3.missing" = "FLAG"', "rules.PT-3.missing lowers a level"),
        ('[rules]\n"PT-3.gone" = "HOLD"', "PT-3 has no such case"),
        ('[rules]\n"XX-9" = "HOLD"', "no such rule"),
        ('[rules]\n"RT-1" = "HOLD"', "rules.RT-1 is marked recalled"),
        ('[second_signer]\nrules = ["XX-9"]', "no such rule"),
        ("max_list_age_days = 8", "max_list_age_days is larger"),
        ("max_group_age_days = 31", "max_group_age_days is larger"),
        ('[rules]\n"HQ-1" = "OFF"', "rules"),
        ("skip = true", 'unknown field "skip"'),
    ],
)
def test_a_policy_that_is_milder_or_means_nothing_is_refused(text: str, what: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(text)

    assert what in caught.value.message


def test_raising_all_flags_does_not_raise_what_could_not_be_read_again() -> None:
    strict = policy('[levels]\nFLAG = "STOP"\nINFO = "STOP"')

    assert judged(replace(lawful(), amended=("payer",)), "PAY-1", strict).level == "FLAG"
    assert judged(reported(), "CUS-3", strict).level == "STOP"


def test_a_required_list_that_was_not_screened_against_holds() -> None:
    result = judged(lawful(), "SCR-3", policy('required_lists = ["us-csl", "un"]'))

    assert [finding.because for finding in result.findings] == ["the site's policy requires the list un"]
    assert result.level == "HOLD"


@pytest.mark.parametrize(("age", "level"), [(3, None), (4, "HOLD")])
def test_the_sites_own_age_of_lists_counts_from_the_day_of_signing(age: int, level: str | None) -> None:
    facts = lawful()
    assert facts.screening is not None
    signed = facts.screening.signed_on.toordinal()
    lists = (ScreenedList("us-csl", date.fromordinal(signed - age)),)

    facts = replace(facts, screening=replace(facts.screening, lists=lists))
    result = judged(facts, "SCR-3", policy("max_list_age_days = 3"))

    assert result.level == level


def test_the_sites_own_age_of_country_groups() -> None:
    assert judged(lawful(), "GRP-1", policy("max_group_age_days = 3")).level == "FLAG"
    assert judged(lawful(), "GRP-1", policy("max_group_age_days = 4")).level is None


def test_a_policy_is_named_by_the_digest_of_its_bytes() -> None:
    assert policy("").sha256 != policy("max_list_age_days = 3").sha256
