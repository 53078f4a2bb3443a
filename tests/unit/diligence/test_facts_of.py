"""From signed documents to the facts that rules look at: both scenarios, and what each paper adds."""

from dataclasses import replace
from datetime import date
from fractions import Fraction as F
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

import rule_facts
from document_strategies import documents
from packtrain.diligence.arrival import SightedDrive
from packtrain.diligence.declaration_file import declare_from
from packtrain.diligence.facts_of import Carried, Screened, arrival_of, facts_of
from packtrain.diligence.rules.evaluate import evaluate
from packtrain.diligence.rules.facts import Ancestor, Party
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.screening.verdict import states_of
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import Drive
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.screening import Candidate, ScreenedList, ScreenedSubject, Screening, ScreeningEngine
from packtrain.documents.shipment import Shipment
from packtrain.errors import DocumentError
from packtrain.record.custody import CustodyLine, CustodyLog
from packtrain.volume import layout
from sample_documents import samples
from voyage_papers import Papers, declaration_toml, packed

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SCREENED = samples()[Screening]


def scenario(name: str) -> Declaration:
    path = SCENARIOS / f"{name}-voyage.declaration.toml"
    return declare_from(path.read_bytes(), "test voyage", path.name, SCENARIOS).declaration


def party(parties: tuple[Party, ...], role: str) -> Party:
    return next(each for each in parties if role in each.roles)


# --- the two voyages ---


def test_reported_voyage_is_mapped_with_every_fact_that_was_reported() -> None:
    facts = facts_of([scenario("reported")], "declaration")
    customer = party(facts.parties, "customer")
    assert (facts.form, facts.unstated_roles, facts.amended) == ("full", (), ())
    assert party(facts.parties, "trained_for") is party(facts.parties, "end_user")
    assert party(facts.parties, "trained_for").headquarters == "CN"
    assert customer.formed_at_request_of == party(facts.parties, "operator").name
    assert (customer.incorporated_on, facts.contract.signed_on) == (date(2025, 5, 30), date(2025, 11, 28))
    assert customer.directors == ("First Citizen", "Second Citizen", "Third Citizen")
    assert customer.above == (Ancestor("Island Holdings Example Ltd", "VG"),)
    assert customer.above_ends == "undisclosed"
    assert [(share.owner, share.low) for share in facts.shares if share.owner is None] == [(None, F(1))]
    assert (facts.site.country, facts.site.is_attested) == ("MY", False)
    assert [row.is_advanced for row in facts.site.hardware] == [True]
    assert (facts.route.start, facts.route.customs_reference, len(facts.route.carriers)) == ("CN", "none", 4)
    assert (facts.licences, facts.home.country) == ((), "CN")
    assert facts.screening is facts.carriage is facts.arrival is None


def test_lawful_voyage_is_mapped_with_its_evidence() -> None:
    facts = facts_of([scenario("lawful")], "declaration")
    observatory = party(facts.parties, "shipper")
    assert observatory.roles == (
        "shipper",
        "trained_for",
        "end_user",
        "customer",
        "model_owner",
        "payer",
        "recipient",
    )
    assert (observatory.kind, observatory.evidence, observatory.above_ends) == (
        "treaty organisation",
        ("treaty",),
        "top",
    )
    assert [each.roles for each in facts.parties[1:]] == [("receiver", "operator")]
    assert facts.site.is_attested and facts.site.kilowatts == 4500
    assert [(row.number, row.valid_until, row.has_evidence) for row in facts.licences] == [
        ("NAC-2025-118", date(2029, 12, 31), True)
    ]
    assert facts.prohibited_uses == ()


def levels(name: str, **carriage: tuple[str, ...]) -> dict[str, str]:
    """Return the rules that fire above INFO on a scenario whose drives and lists are in order but for `carriage`."""
    facts = facts_of([scenario(name)], "admission")
    lawful = rule_facts.lawful().carriage
    assert lawful is not None
    known = {"stated_carriers": facts.route.carriers, "custody_carriers": (), "custody_countries": ()}
    ready = replace(lawful, **{**known, **carriage})  # pyright: ignore[reportArgumentType]
    facts = replace(facts, carriage=ready, arrival=rule_facts.NO_ARRIVAL, screening=rule_facts.lawful().screening)
    results = evaluate(facts, built_in_pack(), rule_facts.GROUPS, rule_facts.DAY)
    return {result.rule: result.level for result in results if result.level not in (None, "INFO")}


def test_lawful_voyage_raises_no_flag_from_its_declaration_on() -> None:
    assert levels("lawful") == {}


def test_reported_voyage_raises_every_expected_flag_from_its_declaration_on() -> None:
    found = levels("reported", stated=(), stated_carriers=())
    expected = {"HQ-1": "STOP", "PT-1": "STOP", "OWN-4": "HOLD", "CUS-5": "HOLD", "PT-2": "HOLD", "DC-1": "HOLD"}
    assert expected.items() <= found.items()
    # What else these facts say: the model goes back, the company is young, without a website or earlier work.
    assert found.keys() - expected.keys() == {"RET-1", "CUS-1", "CUS-3", "CUS-4"}


# --- what is not said stays not said ---


def test_a_short_form_says_nothing_that_only_the_full_one_asks() -> None:
    short = declare_from(declaration_toml().encode(), "test", "declaration.toml", SCENARIOS).declaration
    facts = facts_of([short], "declaration")
    assert facts.form == "short"
    assert (facts.prohibited_uses, facts.home.country, facts.contract.signed_on) == (None, None, None)
    assert not facts.site.is_attested
    assert {each.kind for each in facts.parties} == {None}


def test_undisclosed_roles_are_named_and_have_no_party() -> None:
    declaration = scenario("lawful")
    assert declaration.full is not None
    home = msgspec.structs.replace(declaration.full.home, recipient=None)
    full = msgspec.structs.replace(declaration.full, end_user=None, forwarders=None, resellers=None, home=home)
    nobody = msgspec.structs.replace(declaration.receiver, name="undisclosed")
    facts = facts_of([msgspec.structs.replace(declaration, full=full, receiver=nobody)], "declaration")
    assert facts.unstated_roles == ("receiver", "end_user", "forwarder", "reseller", "recipient")
    assert not any(set(each.roles) & set(facts.unstated_roles) for each in facts.parties)


def test_an_amended_answer_is_named_and_an_answered_full_form_is_not() -> None:
    declaration = scenario("lawful")
    six = msgspec.structs.replace(declaration, form="short", full=None)
    moved = msgspec.structs.replace(
        declaration, trained_for=msgspec.structs.replace(declaration.trained_for, headquarters="NL")
    )
    assert facts_of([declaration, six], "declaration").amended == ()
    assert facts_of([moved, declaration, six], "declaration").amended == ("trained_for.headquarters",)


def test_a_day_that_no_calendar_has_is_not_taken_for_one() -> None:
    declaration = scenario("lawful")
    assert declaration.full is not None
    contract = msgspec.structs.replace(declaration.full.contract, signed_on="2026-02-31")
    odd = msgspec.structs.replace(declaration, full=msgspec.structs.replace(declaration.full, contract=contract))
    assert facts_of([odd], "declaration").contract.signed_on is None
    with pytest.raises(DocumentError):
        facts_of([msgspec.structs.replace(declaration, signed_on="2026-02-31T00:00:00Z")], "declaration")


@settings(max_examples=15)
@given(documents(Declaration))
def test_facts_of_any_document_or_a_document_error(declaration: Declaration) -> None:
    try:
        facts = facts_of([declaration], "declaration")
    except DocumentError:
        return
    assert (
        len({role for each in facts.parties for role in each.roles}) >= len(facts.parties) > 0 or facts.unstated_roles
    )


# --- what else there is ---


def carried(papers: Papers) -> Carried:
    folder = papers.consignor
    statement = folder.read(PackingStatement)
    return Carried(folder.read(Shipment), statement, digest(statement), log(papers))


def log(papers: Papers) -> tuple[CustodyLine, ...]:
    return CustodyLog(papers.consignor.documents / "custody.jsonl").read(papers.consignor.trust())


def test_carriage_holds_shipment_statement_and_log_side_by_side(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    carriage = facts_of([papers.consignor.read(Declaration)], "admission", carried=carried(papers)).carriage
    assert carriage is not None
    assert set(carriage.shipped) == set(carriage.stated) and len(carriage.stated) == 4
    assert carriage.stated_carriers == ("A. Carrier", "B. Carrier")
    assert carriage.custody_cases == ("A", "B")


def test_without_a_statement_nothing_is_stated_and_the_log_speaks_of_its_cases(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    without = Carried(papers.consignor.read(Shipment), None, None, log(papers))
    carriage = facts_of([papers.consignor.read(Declaration)], "admission", carried=without).carriage
    assert carriage is not None
    assert (carriage.stated, carriage.stated_carriers, carriage.custody_cases) == ((), (), ("A", "B"))


def sighted(papers: Papers, *labels: str) -> list[SightedDrive]:
    found: list[SightedDrive] = []
    for label in labels:
        path = papers.drives[label] / layout.DRIVE
        record = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        fields = {name: record[name] for name in Drive.__struct_fields__}
        drive = msgspec.convert(fields, Drive)
        found.append(SightedDrive(label, None, drive, digest(drive)))
    return found


def test_drives_that_arrive_as_stated_leave_nothing_to_say(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    arrival = arrival_of(sighted(papers, "A1", "A2", "B1", "B2"), carried(papers), (), no_more=True)
    assert (arrival.unknown, arrival.swapped, arrival.missing, arrival.lost) == ((), (), (), ())


def test_a_drive_not_shown_is_missing_only_when_no_more_will_come(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    shown, known = sighted(papers, "A1", "A2", "B1"), carried(papers)
    lost = next(drive.uuid for drive in known.shipment.drives if drive.label == "B2")
    assert arrival_of(shown, known, (), no_more=False).missing == ()
    assert arrival_of(shown, known, (), no_more=True).missing == ("B2: missing, and no entry says why",)
    arrival = arrival_of(shown, known, {lost}, no_more=True)
    assert (arrival.missing, arrival.lost) == ((), ("B2: lost, by a signed entry",))


def test_strange_doubled_and_faulty_drives_are_unknown_and_an_unreadable_one_is_not(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    (one,) = sighted(papers, "A1")
    assert one.record is not None
    strange = SightedDrive(
        "/x", None, msgspec.structs.replace(one.record, uuid="0" * 8 + one.record.uuid[8:]), "0" * 64
    )
    faulty = SightedDrive("/y", None, fault="no closing record")
    unreadable = SightedDrive("/z", None, fault="cannot be read", is_unreadable=True)
    arrival = arrival_of([one, one, strange, faulty, unreadable], carried(papers), (), no_more=False)
    assert len(arrival.unknown) == 3


def test_another_serial_is_swapped_and_one_that_cannot_be_read_is_held_like_a_missing_drive(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    known = carried(papers)
    assert known.statement is not None
    cases = tuple(
        msgspec.structs.replace(
            case, drives=tuple(msgspec.structs.replace(drive, serial=f"S-{drive.label}") for drive in case.drives)
        )
        for case in known.statement.cases
    )
    stated = Carried(known.shipment, msgspec.structs.replace(known.statement, cases=cases), None, known.custody)
    one, two = sighted(papers, "A1", "A2")
    arrival = arrival_of([SightedDrive("A1", "S-OTHER", one.record, one.record_digest), two], stated, (), no_more=False)
    assert len(arrival.swapped) == 1 and "S-OTHER" in arrival.swapped[0]
    assert len(arrival.missing) == 1 and "cannot be read here" in arrival.missing[0]


def test_a_screening_is_mapped_with_its_candidates_and_those_left_out() -> None:
    assert isinstance(SCREENED, Screening)
    candidate = Candidate(
        id="1" * 64,
        list="us-csl",
        entry="e-1",
        kind="organisation",
        matched="address",
        text="9 Harbour Tower",
        score=950,
        reasons=("alike",),
        names=(),
        countries=(),
        programs=(),
        source=None,
    )
    subject = ScreenedSubject(
        text="9 Harbour Tower, Example Port",
        kind="address",
        country=None,
        places=("receiver.address",),
        note="",
        candidates=(candidate,),
        num_left_out=4,
        best_left_out=940,
    )
    screening = msgspec.structs.replace(
        SCREENED,
        outcome="screened",
        engine=ScreeningEngine(name="t", libraries=(), threshold=750, strong=900, most_candidates=1),
        lists=(
            ScreenedList(
                label="us-csl", record="2" * 64, entries_sha256="3" * 64, date="2026-11-20", age_days=1, num_entries=1
            ),
        ),
        subjects=(subject,),
        screened_on="2026-11-21T00:00:00Z",
    )
    found = facts_of(
        [scenario("lawful")], "admission", screened=Screened(screening, states_of(screening, (), "a key"))
    ).screening
    assert found is not None
    assert (found.signed_on, found.lists[0].dated) == (date(2026, 11, 21), date(2026, 11, 20))
    (mapped,) = found.candidates
    assert (mapped.is_address, mapped.is_strong, mapped.disposition) == (True, True, None)
    assert found.left_out == ("9 Harbour Tower, Example Port: 4 more candidates, the best at 940 of 1000",)


def test_not_screened_is_no_screening() -> None:
    assert isinstance(SCREENED, Screening)
    empty = msgspec.structs.replace(SCREENED, outcome="not screened", lists=(), subjects=())
    assert facts_of([scenario("lawful")], "admission", screened=Screened(empty, ())).screening is None
