"""For each rule of the built-in pack: a voyage that it lets pass, and voyages that it does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Ancestor, Facts, Leg, Owner, ScreenedList, Share
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.scan_findings import scan_findings
from packtrain.documents.data_scan import DataScan
from packtrain.documents.flags import Level, RuleResult
from rule_facts import (
    ADVANCED,
    CARRIERS,
    DAY,
    GROUPS,
    NO_ARRIVAL,
    candidate,
    company,
    group,
    lawful,
    licence,
    person,
    persons,
    public_body,
    share,
    with_company,
)
from sample_documents import samples

PACK = built_in_pack()


def judged(facts: Facts, rule: str, groups: Any = GROUPS) -> RuleResult:
    return next(result for result in evaluate(facts, PACK, groups, DAY) if result.rule == rule)


def party(number: int = 0, **changed: Any) -> Facts:
    facts = with_company()
    parties = list(facts.parties)
    parties[number] = replace(parties[number], **changed)
    return replace(facts, parties=tuple(parties))


def site(**changed: Any) -> Facts:
    return replace(lawful(), site=replace(lawful().site, **changed))


def hardware(**changed: Any) -> Facts:
    return site(hardware=(replace(ADVANCED, **changed),))


def found(*candidates: Any, **changed: Any) -> Facts:
    facts = with_company()
    assert facts.screening is not None
    return replace(facts, screening=replace(facts.screening, candidates=candidates, **changed))


def listed(name: str, *shares: Share, facts: Facts | None = None) -> Facts:
    facts = facts or found(candidate(name, disposition="true match", has_two_signers=True))
    return replace(facts, shares=shares, owners=tuple(person(f"P. {i}") for i in ("One", "Two", "Three")))


def data(**changed: Any) -> Facts:
    return replace(lawful(), data=replace(lawful().data, **changed))


def rows(*row: Any) -> Facts:
    return data(has_personal=True, controller="the hospital", lawful_basis="consent", persons=row)


def home(**changed: Any) -> Facts:
    return replace(lawful(), home=replace(lawful().home, **changed))


def carried(**changed: Any) -> Facts:
    facts = lawful()
    assert facts.carriage is not None
    return replace(facts, carriage=replace(facts.carriage, **changed))


def contract(**changed: Any) -> Facts:
    return replace(with_company(), contract=replace(lawful().contract, **changed))


def without_role(role: str) -> Facts:
    facts = with_company()
    parties = tuple(replace(each, roles=tuple(r for r in each.roles if r != role)) for each in facts.parties)
    return replace(facts, parties=parties, unstated_roles=(role,))  # pyright: ignore[reportArgumentType]


def other_user(*, has_contract: bool) -> Facts:
    facts = without_role("end_user")
    return replace(
        facts,
        parties=(*facts.parties, public_body("User", "CL", "end_user")),
        contract=replace(facts.contract, has_evidence=has_contract),
    )


HQ_CN = party(headquarters="CN")
PARENT_CN = party(declared_parent="Parent", parent_country="CN")
CASES: list[tuple[str, Level, str, Facts]] = [
    ("HQ-1", "STOP", "headquarters in CN", HQ_CN),
    ("HQ-1", "STOP", "headquarters in MO", party(headquarters="MO")),
    ("HQ-1", "HOLD", "held: L-7", replace(HQ_CN, licences=(licence(),))),
    ("HQ-1", "STOP", "no licence", replace(HQ_CN, licences=(licence(date(2026, 11, 23)), licence(None)))),
    ("HQ-1", "STOP", "no licence", replace(HQ_CN, licences=(licence(has_evidence=False),))),
    ("HQ-1", "HOLD", "is not said", replace(HQ_CN, site=replace(HQ_CN.site, hardware=()))),
    ("HQ-2", "STOP", "Parent, above Optics", PARENT_CN),
    (
        "HQ-2",
        "STOP",
        "Middle, above Optics",
        party(declared_parent="Top", parent_country="CL", above=(Ancestor("Middle", "CN"), Ancestor("Top", "CL"))),
    ),
    ("HQ-2", "HOLD", "declared Other, by its owners' shares none", party(declared_parent="Other", parent_country="CL")),
    ("HQ-2", "HOLD", "own each other", party(above=(Ancestor("A", "CL"), Ancestor("B", "CL")), above_ends="cycle")),
    ("HQ-3", "HOLD", "headquarters of Optics", party(headquarters=None)),
    ("HQ-3", "HOLD", "ultimate parent of Optics", party(declared_parent=None)),
    ("HQ-3", "HOLD", "country of Parent", party(declared_parent="Parent", parent_country=None)),
    ("HQ-3", "HOLD", "headquarters of Middle", party(above=(Ancestor("Middle", None),))),
    ("HQ-3", "HOLD", "who the customer is", without_role("customer")),
    ("TR-1", "HOLD", "for whom the model is trained", without_role("trained_for")),
    ("TR-1", "HOLD", "no contract is shown", other_user(has_contract=False)),
    ("TR-2", "STOP", "declared use: missile", replace(lawful(), prohibited_uses=("missile",))),
    ("TR-2", "HOLD", "not disclosed", replace(lawful(), prohibited_uses=None)),
    ("TR-2", "FLAG", "militar", replace(lawful(), end_use="a MILITARY planner")),
    ("TR-2", "FLAG", "导弹", replace(lawful(), end_use="用于导弹制导")),
    ("OWN-1", "STOP", "Optics", listed("P. One", share("P. One", "Optics", 50))),
    ("OWN-1", "STOP", "is on a list itself", found(candidate("Optics", disposition="true match"))),
    (
        "OWN-1",
        "STOP",
        "60 % of Optics",
        listed("P. One", share("P. One", "P. Two", 50), share("P. Two", "Optics", 60)),
    ),
    ("OWN-1-EU", "STOP", "Optics", listed("P. One", share("P. One", "Optics", 50))),
    ("OWN-1-UK", "STOP", "Optics", listed("P. One", share("P. One", "Optics", 51))),
    ("OWN-1-BIS", "FLAG", "Optics", listed("P. One", share("P. One", "Optics", 50))),
    ("OWN-2", "HOLD", "up to 60 %", listed("P. One", share("P. One", "Optics", 10), share("P. Two", "Optics", 40))),
    ("OWN-3", "FLAG", "P. One holds 10 % of Optics, and is listed", listed("P. One", share("P. One", "Optics", 10))),
    ("OWN-3", "FLAG", "D. Rector, director of Optics", found(candidate("D. Rector", disposition="true match"))),
    ("OWN-4", "HOLD", "owners of 50 % of Optics", replace(with_company(), shares=(share("P. One", "Optics", 50),))),
    ("OWN-4", "HOLD", "owners of 100 % of Optics", replace(with_company(), shares=())),
    (
        "OWN-4",
        "HOLD",
        "as of 2025-11-23",
        replace(with_company(), shares=tuple(replace(s, as_of=date(2025, 11, 23)) for s in with_company().shares)),
    ),
    (
        "OWN-4",
        "HOLD",
        "no paper shows it",
        replace(with_company(), shares=tuple(replace(s, has_evidence=False) for s in with_company().shares)),
    ),
    (
        "OWN-4",
        "HOLD",
        "owners of 100 % of Holding",
        replace(
            with_company(),
            owners=(Owner(name="Holding", kind=None, headquarters="CL", has_evidence=True),),
            shares=(share("Holding", "Optics", 100),),
        ),
    ),
    (
        "OWN-4",
        "HOLD",
        "no paper shows that it is",
        replace(lawful(), parties=(replace(lawful().parties[0], evidence=()), lawful().parties[1])),
    ),
    ("SCR-1", "HOLD", "nobody has decided", found(candidate())),
    ("SCR-1", "HOLD", "12 more of Optics", found(left_out=("12 more of Optics",))),
    ("SCR-1", "STOP", "is the same", found(candidate("Carrier One", disposition="true match"))),
    ("SCR-2", "HOLD", "nobody has decided", found(candidate("1 Long Street", is_address=True))),
    ("SCR-2", "HOLD", "is the same", found(candidate("1 Long Street", is_address=True, disposition="true match"))),
    ("SCR-3", "HOLD", "not screened", replace(lawful(), screening=None)),
    ("SCR-3", "HOLD", "not screened", found(lists=())),
    ("SCR-3", "HOLD", "8 days old, at most 7", found(lists=(ScreenedList("us-csl", date(2026, 11, 15)),))),
    ("SCR-3", "HOLD", "after 2026-11-23", found(lists=(ScreenedList("us-csl", date(2026, 11, 26)),))),
    ("SCR-4", "HOLD", "one person alone", found(candidate(is_strong=True, disposition="false match"))),
    ("CUS-1", "INFO", "after 2022-10-07", party(incorporated_on=date(2022, 10, 8))),
    ("CUS-1", "FLAG", "364 days old", party(incorporated_on=date(2025, 10, 2))),
    ("CUS-1", "FLAG", "not disclosed", party(incorporated_on=None)),
    ("CUS-2", "FLAG", "residence", party(address_kind="residence")),
    ("CUS-2", "FLAG", "not disclosed", party(address_kind=None)),
    ("CUS-2", "FLAG", "p.o. box", party(address="P.O. Box 7")),
    ("CUS-3", "FLAG", "website", party(website="none")),
    ("CUS-3", "FLAG", "register", party(evidence=())),
    ("CUS-4", "FLAG", "earlier work", party(related_work="none")),
    ("CUS-4", "FLAG", "line of business", party(line_of_business=None)),
    ("CUS-5", "HOLD", "in CN", party(formed_at_request_of="the site", headquarters="CN")),
    ("CUS-5", "HOLD", "of undisclosed age", party(incorporated_on=None, declared_parent=None)),
    ("CUS-5", "HOLD", "in US", party(incorporated_on=date(2026, 9, 1), declared_parent="P", parent_country="US")),
    ("CUS-5", "HOLD", "not known", party(incorporated_on=date(2026, 9, 1), above_ends="undisclosed")),
    ("AMD-1", "FLAG", "declared: shipper.name", replace(lawful(), amended=("shipper.name",))),
    ("AMD-1", "FLAG", "full.end_user.headquarters", replace(lawful(), amended=("full.end_user.headquarters",))),
    ("AMD-1", "STOP", "amended away: HQ-1", replace(lawful(), stopped_before=("HQ-1 STOP, by answers before",))),
    ("AMD-1", "HOLD", "did not apply before", replace(lawful(), escaped=("the short form did not apply before",))),
    ("PAY-1", "FLAG", "who pays", without_role("payer")),
    ("PAY-1", "FLAG", "crypto", contract(payment="crypto")),
    ("PAY-1", "FLAG", "not disclosed", contract(payment=None)),
    ("PAY-1", "FLAG", "full.payer", replace(lawful(), amended=("full.payer",))),
    (
        "PAY-1",
        "FLAG",
        "Bank pays for Optics",
        replace(without_role("payer"), parties=(*without_role("payer").parties, company("Bank", "US", "payer"))),
    ),
    ("FWD-1", "HOLD", "passes goods on", party(2, trades_for_others=True)),
    ("FWD-1", "HOLD", "not disclosed", party(2, trades_for_others=None, kind="company")),
    ("FWD-1", "HOLD", "no address", site(address=None)),
    ("DC-1", "HOLD", "does not attest", site(is_attested=False)),
    ("DC-2", "FLAG", "10,001 kW", site(is_attested=False, kilowatts=10_001)),
    ("DC-2", "FLAG", "power", site(kilowatts=None)),
    ("DC-3", "HOLD", "control list", hardware(classification="none")),
    ("DC-3", "HOLD", "origin", hardware(origin=None, is_advanced=None)),
    ("DC-3", "HOLD", "authority", hardware(authority="none")),
    ("DC-3", "HOLD", "no paper", hardware(has_evidence=False)),
    ("DC-3", "HOLD", "no hardware", site(hardware=())),
    ("DC-4", "FLAG", "moves into MY", site(country="MY", hardware=(replace(ADVANCED, moves=True),))),
    ("DC-5", "HOLD", "Broker", replace(lawful(), parties=(*lawful().parties, company("Broker", "NL", "reseller")))),
    ("DC-5", "HOLD", "not disclosed", replace(lawful(), unstated_roles=("reseller",))),
    ("PT-1", "STOP", "drive Z9 of the custody log", carried(custody_drives=("Z9",))),
    ("PT-1", "STOP", "there is no packing statement", carried(stated=(), custody_drives=("A1",))),
    ("PT-2", "HOLD", "CL to NL", replace(lawful(), route=replace(lawful().route, customs_reference=None))),
    ("PT-3", "HOLD", "missing: A1", replace(lawful(), arrival=replace(NO_ARRIVAL, missing=("A1",)))),
    ("RT-1", "FLAG", "names AE", carried(custody_countries=("CL", "AE", "NL"))),
    ("RT-1", "FLAG", "carrier five", carried(custody_carriers=(*CARRIERS, "Carrier Five"))),
    ("RET-1", "STOP", "goes to CN", home(country="CN")),
    ("RET-1", "HOLD", "L-7", replace(home(country="CN"), licences=(licence(),))),
    ("RET-1", "HOLD", "where the model goes", home(country=None)),
    ("RET-1", "HOLD", "who gets the model", without_role("recipient")),
    (
        "RET-1",
        "STOP",
        "is not the end user",
        replace(
            without_role("recipient"),
            parties=(*without_role("recipient").parties, public_body("Friend", "CL", "recipient")),
        ),
    ),
    ("RET-2", "FLAG", "operations", home(training_operations=None)),
    ("RET-2", "FLAG", "control number", home(classification=None)),
    ("DAT-1", "HOLD", "found: 12 e-mail", data(scan_findings=("12 e-mail addresses in column contact",))),
    (
        "DAT-2",
        "FLAG",
        "persons of DE",
        replace(rows(persons(country="DE", transfer_tool="none")), site=site(country="US").site),
    ),
    ("DAT-3", "FLAG", "persons of SG", rows(persons(country="SG", transfer_tool=None))),
    ("DAT-4", "FLAG", "persons of CN", rows(persons(country="CN", transfer_tool="none", number=100_000))),
    ("DAT-4", "FLAG", "health", rows(persons(country="CN", transfer_tool="none", kind="health", number=1))),
    ("DAT-4", "FLAG", "not disclosed", rows(persons(country="CN", transfer_tool="none", number=None))),
    (
        "DAT-5",
        "HOLD",
        "genomic (over 100 persons)",
        replace(rows(persons(country="US", kind="genomic", number=101)), site=site(country="HK").site),
    ),
    (
        "DAT-5",
        "HOLD",
        "Consortium in CN",
        replace(
            rows(persons(country="US", number=None)),
            parties=(lawful().parties[0], replace(lawful().parties[1], headquarters="CN")),
        ),
    ),
    ("DAT-6", "FLAG", "who answers", data(has_personal=True, persons=(persons(),), lawful_basis="consent")),
    ("DAT-6", "FLAG", "whose data", data(has_personal=True, controller="C", lawful_basis="consent")),
]


@pytest.mark.parametrize(("rule", "level", "because", "facts"), CASES, ids=lambda value: str(value)[:24])
def test_the_rule_fires_and_says_why(rule: str, level: Level, because: str, facts: Facts) -> None:
    result = judged(facts, rule)

    assert (result.outcome, result.level) == ("fired", level)
    assert because in "\n".join(finding.because for finding in result.findings)


def test_a_scan_that_found_nothing_passes_and_no_scan_is_said() -> None:
    for findings, looked_at in (((), "none"), (None, "not scanned")):
        result = judged(data(scan_findings=findings), "DAT-1")
        assert result.outcome == "passed"
        assert f"found by a scan: {looked_at}" in " / ".join(result.inputs)


def test_what_a_scan_of_the_data_says_in_words_fires_where_no_personal_data_was_declared() -> None:
    scan = samples()[DataScan]
    assert isinstance(scan, DataScan)
    words = scan_findings(scan)
    assert words == ("raw/tables/people.xlsx, sheet 2, column 3: e-mail addresses in 96 of 100 sampled rows",)
    result = judged(data(scan_findings=words), "DAT-1")
    assert (result.outcome, result.level) == ("fired", "HOLD")
    assert words[0] in result.findings[0].because
    declared = data(has_personal=True, persons=(persons(),), scan_findings=words)
    assert judged(declared, "DAT-1").outcome == "passed"


PASSES: dict[str, Callable[[], Facts]] = {
    "HQ-1": lambda: replace(HQ_CN, site=site(hardware=(replace(ADVANCED, is_advanced=False),)).site),
    "HQ-2": lambda: party(declared_parent="Top", parent_country="US", above=(Ancestor("Top", "US"),)),
    "TR-1": lambda: other_user(has_contract=True),
    "TR-2": lambda: replace(lawful(), end_use="demilitarised zones as nature reserves"),
    "OWN-1": lambda: listed("P. One", share("P. One", "Optics", 49), share("P. Two", "Optics", 51)),
    "OWN-1-UK": lambda: listed("P. One", share("P. One", "Optics", 50), share("P. Two", "Optics", 50)),
    "OWN-2": lambda: listed("P. One", share("P. One", "Optics", 49), share("P. Two", "Optics", 51)),
    "OWN-4": lambda: replace(with_company(), shares=(share("P. One", "Optics", 75),)),
    "SCR-1": lambda: found(candidate(disposition="false match")),
    "SCR-2": lambda: found(candidate(disposition="false match", is_address=True)),
    "SCR-3": lambda: found(lists=(ScreenedList("us-csl", date(2026, 11, 16)),)),
    "SCR-4": lambda: found(candidate(is_strong=True, disposition="false match", has_two_signers=True)),
    "CUS-1": lambda: party(incorporated_on=date(2022, 10, 7)),
    "CUS-5": lambda: party(incorporated_on=date(2026, 9, 1)),
    "DC-2": lambda: site(kilowatts=10_001),
    "DC-3": lambda: hardware(is_advanced=False, authority="none", has_evidence=False),
    "DC-4": lambda: replace(site(country="MY", hardware=(replace(ADVANCED, moves=True),)), licences=(licence(),)),
    "DC-5": lambda: replace(
        lawful(), parties=(*lawful().parties, replace(company("Broker", "NL", "reseller"), has_dossier=True))
    ),
    "PT-2": lambda: replace(
        lawful(),
        route=replace(lawful().route, start="DE", legs=(Leg("NL", "road", CARRIERS),), customs_reference="none"),
    ),
    "DAT-2": lambda: rows(persons(country="DE", transfer_tool="none")),
    "DAT-3": lambda: rows(persons(country="SG")),
    "DAT-4": lambda: rows(persons(country="CN", transfer_tool="none", number=99_999)),
    "DAT-5": lambda: replace(rows(persons(country="US", kind="genomic", number=100)), site=site(country="HK").site),
    "DAT-6": lambda: rows(persons()),
}


@pytest.mark.parametrize("rule", [rule.id for rule in PACK.rules])
def test_the_rule_lets_a_voyage_pass_and_says_what_it_looked_at(rule: str) -> None:
    result = judged(PASSES.get(rule, with_company)(), rule)

    assert (result.outcome, result.level, result.findings) == ("passed", None, ())
    assert result.inputs


def test_every_rule_has_a_voyage_that_it_does_not_let_pass() -> None:
    assert {rule.id for rule in PACK.rules} - {rule for rule, *_ in CASES} == {"GRP-1"}


@pytest.mark.parametrize(("as_of", "level"), [("2026-10-24", "FLAG"), ("2026-10-25", None), ("2026-11-26", "FLAG")])
def test_an_old_country_group_is_a_flag_itself(as_of: str, level: Level | None) -> None:
    old = {**GROUPS, "D5": group("D5", "CN", as_of=as_of)}

    assert judged(lawful(), "GRP-1", old).level == level
    assert judged(HQ_CN, "HQ-1", old).level == "STOP"


def test_a_missing_country_group_leaves_its_rules_unjudged_and_holds_the_full_form() -> None:
    without = {name: known for name, known in GROUPS.items() if name != "D5"}
    result = judged(lawful(), "HQ-1", without)

    assert (result.outcome, result.level) == ("not judged", "HOLD")
    assert result.because == "not judged: no country group D5"
    assert judged(replace(lawful(), form="short"), "HQ-1", without).level == "FLAG"


def test_what_is_known_without_the_group_still_stops() -> None:
    macau = party(headquarters="MO")
    other = public_body("Other", "CL", "model_owner")
    result = judged(replace(macau, parties=(*macau.parties, other)), "HQ-1", {})

    assert (result.outcome, result.level) == ("fired", "STOP")
    assert result.because == "not judged: no country group D5"


def test_a_recalled_rule_without_its_group_is_a_flag_and_no_more() -> None:
    assert judged(rows(persons(country="DE")), "DAT-2", {}).level == "FLAG"


def test_without_a_customs_union_every_border_is_one() -> None:
    assert judged(PASSES["PT-2"](), "PT-2", {}).level == "HOLD"
