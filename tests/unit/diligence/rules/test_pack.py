import re
from datetime import date

import pytest

from packtrain.digest import sha256_bytes
from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.pack import built_in_pack, read_pack
from packtrain.errors import RulePackError
from rule_facts import DAY, GROUPS, lawful, reported

PLAIN = """\
[pack]
id = "p"
date = 2026-11-24
about = "a pack"

[[rule]]
id = "DC-1"
title = "attested"
test = "site_attested"
levels = { "not attested" = "HOLD" }
mark = "verified"
source = "a source"
"""


def read(text: str = PLAIN, old: str = "", new: str = ""):
    assert old in text
    return read_pack(text.replace(old, new, 1).encode(), "pack.toml")


def test_a_pack_is_named_by_its_id_its_date_and_the_digest_of_its_bytes() -> None:
    pack = read()

    assert (pack.id, pack.date, pack.sha256) == ("p", date(2026, 11, 24), sha256_bytes(PLAIN.encode()))
    assert [rule.id for rule in pack.rules] == ["DC-1"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("site_attested", "site_blessed", "pack.toml, rule DC-1: unknown test"),
        ('"HOLD"', '"MAYBE"', "rule[0].levels"),
        ('"verified"', '"recalled"', 'rule DC-1, case not attested: a rule marked "recalled" is above FLAG'),
        ('"verified"', '"certain"', "rule[0].mark"),
        ('"not attested" = "HOLD"', "", "pack.toml, rule DC-1: levels for other cases"),
        ('"not attested" =', 'another = "HOLD", "not attested" =', "levels for other cases"),
        ("2026-11-24", "2026-13-24", "not valid TOML"),
        ("2026-11-24", '"someday"', "pack.date"),
        ('title = "attested"', 'title = "attested"\nin_force_from = 7', "in_force_from"),
        (
            'title = "attested"',
            'title = "attested"\nin_force_from = 2026-02-01\nin_force_to = 2026-01-01',
            "in force until before it begins",
        ),
        ('title = "attested"', 'title = "attested"\ncolour = "red"', 'unknown field "colour"'),
        ('title = "attested"', 'title = "attested"\nparameters = { roles = [] }', "parameters do not fit"),
        ('source = "a source"', 'source = ""', "source"),
        ('id = "DC-1"', 'id = "dc 1"', "rule[0].id"),
    ],
)
def test_a_pack_with_a_fault_is_refused_with_the_place(old: str, new: str, what: str) -> None:
    with pytest.raises(RulePackError) as caught:
        read(PLAIN, old, new)

    assert what in caught.value.message


def test_a_rule_twice_is_refused() -> None:
    with pytest.raises(RulePackError, match="two rules of one name"):
        read(PLAIN + PLAIN[PLAIN.index("[[rule]]") :])


def test_a_rule_that_needs_a_number_is_refused_without_it() -> None:
    with pytest.raises(RulePackError, match="parameters do not fit the test large_site"):
        read(PLAIN.replace("site_attested", "large_site").replace('"not attested"', 'large = "FLAG", "power unknown"'))


@pytest.mark.parametrize(("day", "outcome"), [(date(2025, 5, 12), "not in force"), (date(2025, 5, 13), "passed")])
def test_a_rule_counts_from_its_first_day_on(day: date, outcome: str) -> None:
    result = next(r for r in evaluate(lawful(), built_in_pack(), GROUPS, day) if r.rule == "DC-1")

    assert (result.outcome, result.level) == (outcome, None)
    assert outcome == "passed" or result.because == "not in force on 2025-05-12: from 2025-05-13"


@pytest.mark.parametrize(("day", "outcome"), [(date(2026, 1, 31), "passed"), (date(2026, 2, 1), "not in force")])
def test_a_rule_counts_to_its_last_day(day: date, outcome: str) -> None:
    pack = read(PLAIN, 'title = "attested"', 'title = "attested"\nin_force_to = 2026-01-31')

    assert evaluate(lawful(), pack, GROUPS, day)[0].outcome == outcome


def test_every_rule_of_the_built_in_pack_has_a_title_and_a_source() -> None:
    pack = built_in_pack()

    assert 35 <= len(pack.rules) <= 45
    assert pack.date <= date(2026, 12, 31)
    for rule in pack.rules:
        assert rule.title
        assert rule.source
        assert re.fullmatch(r"[A-Z]{2,4}-[0-9]{1,2}(-[A-Z]{2,4})?", rule.id)


def test_the_built_in_pack_never_speaks_of_anybody_as_cleared() -> None:
    results = [*evaluate(lawful(), built_in_pack(), GROUPS, DAY), *evaluate(reported(), built_in_pack(), GROUPS, DAY)]
    text = " ".join(str(result) for result in results).casefold()

    assert "cleared" not in text
    assert "compliant" not in text
