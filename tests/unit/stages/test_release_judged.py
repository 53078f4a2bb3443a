"""What lets results leave a site: an admission that stands, today's lists, and the policy of the verdict."""

from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.digest import sha256_bytes
from packtrain.diligence import evidence
from packtrain.documents.admission import Admission
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.documents.screening import Screening
from packtrain.errors import ExportDenied, NotAdmitted
from packtrain.events import discard
from packtrain.stages import admit, flags, homecoming
from packtrain.training.outbox import results_digest
from provenance_parts import write_provenance
from scenario_parts import on_paper, verdict, with_lists
from voyage_papers import AT, Papers, write_pair


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return on_paper(tmp_path, "lawful")


def outbox(papers: Papers) -> Path:
    """Write an outbox as a consignee could who has a tool of his own: under whatever verdict there is."""
    admission = papers.operator.read_signed(Admission)
    consignor = papers.consignee.parties().of("consignor")
    assert consignor is not None
    place = papers.root / "outbox"
    place.mkdir(exist_ok=True)
    text = b"went well\n"
    sealed = age.encrypt_bytes(text, [consignor.recipient])
    (place / "notes.txt.age").write_bytes(sealed)
    file = ExportedFile(
        name="notes.txt",
        bytes=len(text),
        sha256=sha256_bytes(text),
        sealed_bytes=len(sealed),
        sealed_sha256=sha256_bytes(sealed),
    )
    document = ExportList(
        shipment=admission.shipment,
        shipment_root=admission.shipment_root,
        admission=papers.operator.digest(Admission),
        kit=None,
        training="4" * 64,
        files=(file,),
        tensors=(),
        results=results_digest([(file.name, file.sha256)]),
        checks=("no samples found",),
        text_budget_bytes=1 << 10,
        made_on=AT,
    )
    write_pair(place / "export-list.json", document, papers.consignee)
    write_provenance(place, papers.consignee, document, admission.plan)
    return place


def test_an_admitted_voyage_lets_its_results_go(papers: Papers) -> None:
    assert verdict(papers).verdict == "admit"
    assert homecoming.release(papers.operator, outbox(papers), discard).counts["files"] == 1


def test_nothing_is_released_that_the_gate_refused_for_its_drives(papers: Papers, tmp_path: Path) -> None:
    # A strange drive is nothing that the rules see before results leave: no drive is mounted by then.
    strange = on_paper(tmp_path / "other", "lawful")
    papers.drives["Z1"] = next(iter(strange.drives.values()))
    assert verdict(papers).verdict == "refuse"
    with pytest.raises(NotAdmitted, match="last verdict on the shipment is refuse"):
        homecoming.release(papers.operator, outbox(papers), discard)


def test_a_list_added_after_the_admission_is_looked_at_before_results_leave(papers: Papers) -> None:
    assert verdict(papers).verdict == "admit"
    before = papers.operator.read_signed(Screening)
    receiver = before.subjects[0].text
    with_lists(papers.operator, receiver)
    with pytest.raises(ExportDenied, match="SCR-"):
        homecoming.release(papers.operator, outbox(papers), discard)
    assert papers.operator.read_signed(Screening).lists != before.lists


def test_the_policy_of_the_verdict_is_that_of_the_release_too(papers: Papers) -> None:
    policy = papers.root / "strict.toml"
    policy.write_text("max_list_age_days = 5\n")
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard, no_more=True, policy=policy)
    sha256 = papers.operator.read_signed(Admission).policy
    assert sha256 is not None
    homecoming.release(papers.operator, outbox(papers), discard)
    assert flags.show(papers.operator)["operator"].flags.policy == sha256


def test_a_site_policy_of_the_day_is_kept_beside_the_run_that_names_it(papers: Papers) -> None:
    assert verdict(papers).verdict == "admit"
    (papers.operator.root / "site.toml").write_text("max_list_age_days = 5\n")
    homecoming.release(papers.operator, outbox(papers), discard)
    named = flags.show(papers.operator)["operator"].flags.policy
    assert named is not None and evidence.find(papers.operator.documents, named) is not None
