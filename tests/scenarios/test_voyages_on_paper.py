"""Both voyages at full size, 80 TB on 60 drives in 4 cases, as documents: from the declaration to the verdict."""

from pathlib import Path

import pytest

from packtrain.documents.admission import Admission
from packtrain.documents.flags import Flags
from packtrain.documents.shipment import Shipment
from packtrain.events import discard
from packtrain.record import keys
from packtrain.stages import carry
from packtrain.stages.flags import show
from scenario_parts import CARRIERS, CASES, TOTAL_BYTES, on_paper, rules_of, verdict
from voyage_papers import Papers

REPORTED = {"HQ-1": "STOP", "PT-1": "STOP", "OWN-4": "HOLD", "CUS-5": "HOLD", "PT-2": "HOLD", "DC-1": "HOLD"}


def levels(papers: Papers) -> dict[str, str]:
    flags = papers.operator.read_signed(Flags)
    return {result.rule: result.level for result in flags.results if result.level not in (None, "INFO")}


def test_reported_voyage_is_refused_with_every_flag_derived_from_its_facts(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "reported", carriers={})
    admission = verdict(papers)
    assert papers.operator.read_signed(Shipment).plaintext_bytes == TOTAL_BYTES
    assert admission.verdict == "refuse"
    assert admission.packing_statement is None and admission.drives == ()
    found = levels(papers)
    assert REPORTED.items() <= found.items()
    assert found.keys() - REPORTED.keys() == {"RET-1", "CUS-1", "CUS-3", "CUS-4", "PT-3"}
    for rule, level in REPORTED.items():
        assert f"{rule} {level}" in rules_of(admission)
    assert not (papers.operator.keys / keys.RELEASE).exists()


def test_reported_voyage_is_refused_too_when_it_states_its_cases_in_one_paper(tmp_path: Path) -> None:
    names = ("First Engineer", "Second Engineer", "Third Engineer", "Fourth Engineer")
    stated = {case: (name, f"PT-{case}") for case, name in zip(CASES, names, strict=True)}
    papers = on_paper(tmp_path, "reported", carriers=stated)
    assert verdict(papers).verdict == "refuse"
    found = levels(papers)
    assert found["HQ-1"] == "STOP"
    assert "PT-1" not in found


def test_reported_voyage_shows_the_same_flags_at_home_before_a_byte_is_packed_as_far_as_they_can_be_known(
    tmp_path: Path,
) -> None:
    papers = on_paper(tmp_path, "reported", carriers={})
    ruled = show(papers.consignor)["consignor"]
    raised = {flag.result.rule: flag.level for flag in ruled.standing.flags}
    assert REPORTED.items() <= raised.items()
    assert ruled.standing.worst_open == "STOP"


def test_lawful_voyage_is_admitted_with_no_stop_and_no_hold(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful")
    admission = verdict(papers)
    assert admission.verdict == "admit"
    assert len(admission.drives) == 60
    assert levels(papers) == {}
    assert "no unresolved flags under rule pack" in rules_of(admission)
    assert (papers.operator.keys / keys.RELEASE).exists()


def test_lawful_voyage_with_a_drive_lost_by_a_signed_entry_is_admitted_and_flagged(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful")
    carry.observe(papers.operator, "lost", discard, drives=[_uuid(papers, "C7")], note="left on the belt")
    admission = verdict(papers, *_labels("C7"))
    assert admission.verdict == "admit"
    assert levels(papers) == {"PT-3": "FLAG"}
    assert len(admission.drives) == 59


def test_lawful_voyage_with_a_drive_missing_without_an_entry_is_held(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful")
    assert verdict(papers, *_labels("C7")).verdict == "hold"
    assert levels(papers) == {"PT-3": "HOLD"}


def test_lawful_voyage_with_an_unknown_serial_in_a_case_is_refused(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful")
    stranger = on_paper(tmp_path / "other", "lawful")
    papers.drives["C7"] = stranger.drives["C7"]
    assert verdict(papers).verdict == "refuse"
    assert levels(papers)["PT-3"] == "STOP"


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('[end_user]\nsame_as = "shipper"', '[end_user]\nname = "undisclosed"', "HQ-3"),
        ('customs_reference = "ATA carnet CL-2026-000417"', 'customs_reference = "none"', "PT-2"),
        ('infrastructure_attested = "yes"', 'infrastructure_attested = "no"', "DC-1"),
        ('prohibited_uses = "none"', 'prohibited_uses = "undisclosed"', "TR-2"),
    ],
)
def test_lawful_voyage_with_one_answer_left_open_is_held(tmp_path: Path, old: str, new: str, rule: str) -> None:
    changes = {old: new}
    if rule == "HQ-3":
        changes['recipient = "end_user"'] = 'recipient = "shipper"'
    papers = on_paper(tmp_path, "lawful", changes=changes)
    assert verdict(papers).verdict == "hold"
    assert levels(papers)[rule] == "HOLD"


def test_lawful_voyage_with_one_carrier_not_on_the_packing_statement_is_refused(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful", carriers={**CARRIERS, "D": ("A. Traveller", "PT-2004")})
    assert verdict(papers).verdict == "refuse"
    assert levels(papers) == {"PT-1": "STOP"}
    assert "carrier D. Traveller is not on the packing statement" in rules_of(papers.operator.read_signed(Admission))


def test_lawful_voyage_with_a_broken_seal_is_held(tmp_path: Path) -> None:
    papers = on_paper(tmp_path, "lawful")
    carry.observe(papers.operator, "seal-broken", discard, cases=["B"], note="the seal was cut")
    admission = verdict(papers)
    assert admission.verdict == "hold"
    assert any(
        "seal broken, the seal was cut" in check.detail for check in admission.checks if check.check == "custody"
    )


def test_lawful_voyage_with_an_undisclosed_owner_is_held(tmp_path: Path) -> None:
    owner = 'headquarters = "CL"\nultimate_parent = "undisclosed"\nparent_country = "undisclosed"\n'
    changes = {
        '[trained_for]\nsame_as = "shipper"': f'[trained_for]\nname = "Survey Partner"\naddress = "3 Hill"\n'
        f'location = "CL"\n{owner}'
    }
    changes["[facts.operator]"] = (
        '[facts.trained_for]\nkind = "public body"\nline_of_business = "surveys"\nrelated_work = "one of 2020"\n'
        'website = "partner.example"\naddress_kind = "office"\n[facts.operator]'
    )
    papers = on_paper(tmp_path, "lawful", changes=changes)
    assert verdict(papers).verdict == "hold"
    assert levels(papers)["HQ-3"] == "HOLD"


def _labels(*without: str) -> list[str]:
    return [f"{case}{n}" for case in CASES for n in range(1, 16) if f"{case}{n}" not in without]


def _uuid(papers: Papers, label: str) -> str:
    return next(drive.uuid for drive in papers.consignor.read(Shipment).drives if drive.label == label)
