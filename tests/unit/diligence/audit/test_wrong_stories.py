"""Records in which every signature is good and the story is wrong: none of them is in order."""

from pathlib import Path

import msgspec
import pytest

from audit_parts import audited, put, voyage
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.admission import Admission
from packtrain.documents.codec import digest, encode, namespace
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.shipment import Shipment
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.trust import Trust
from packtrain.report.papers import render
from packtrain.stages import custody, exchange
from packtrain.stages.papers import write_papers
from second_person import with_reviewer
from voyage_papers import Papers, arrived


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return voyage(tmp_path)


def told(folder: VoyageFolder) -> str:
    return "\n".join(f"{fault.where}: {fault.what}" for fault in audited(folder).faults)


def test_an_exception_signed_after_the_admission_does_not_mend_it(papers: Papers) -> None:
    admission = papers.operator.read(Admission)
    early = msgspec.structs.replace(admission, decided_on="2026-11-21T10:30:00Z")
    put(papers, "admission.json", early, papers.operator.signer())
    assert "had unresolved at that time: STOP PT-3" in told(papers.consignor)


def test_a_verdict_that_its_own_checks_do_not_make_is_a_contradiction(papers: Papers) -> None:
    admission = papers.operator.read(Admission)
    checks = (msgspec.structs.replace(admission.checks[0], outcome="refuse"), *admission.checks[1:])
    put(papers, "admission.json", msgspec.structs.replace(admission, checks=checks), papers.operator.signer())
    assert "the admission says admit, and its own checks make it refuse" in told(papers.consignor)


def test_what_came_of_a_refused_shipment_is_a_contradiction(papers: Papers) -> None:
    admission = papers.operator.read(Admission)
    checks = (msgspec.structs.replace(admission.checks[0], outcome="refuse"), *admission.checks[1:])
    refused = msgspec.structs.replace(admission, verdict="refuse", checks=checks, drives=())
    document = msgspec.structs.replace(papers.consignee.read(ExportList), admission=digest(refused))
    folder = papers.consignee
    for name, written, signer in (
        ("admission.json", refused, papers.operator.signer()),
        ("export-list.json", document, papers.consignee.signer()),
    ):
        (folder.documents / name).write_bytes(encode(written))
        (folder.documents / f"{name}.sig").write_text(signer.sign(namespace(type(written)), encode(written)))
    second = papers.operator.signer().sign(namespace(ExportList), encode(document))
    (folder.documents / "export-list.json.operator.sig").write_text(second)
    found = told(folder)
    assert "export-list.json: it rests on a verdict that is refuse" in found
    assert "drives were loaded, and no verdict of the site admits them" in found


def test_an_entry_of_a_thief_is_a_fault_and_those_before_the_loss_are_not(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    exchange.import_dossier(papers.operator, papers.dossier(), discard)
    thief = papers.operator.signer()
    second = with_reviewer(papers.operator, tmp_path)
    parties = papers.operator.parties()
    custody.revoke(papers.operator, "the laptop was stolen", discard, key=second)
    assert audited(papers.operator).faults == ()
    custody_log(papers.operator).append(
        "sighted",
        shipment=papers.consignor.read(Shipment).shipment,
        by="operator",
        signer=thief,
        trust=Trust(parties),
        cases=("A",),
        seals=("PT-1001",),
    )
    found = [fault for fault in audited(papers.operator).faults if "nothing vouches for this entry" in fault.what]
    assert [(fault.kind, fault.where) for fault in found] == [("foreign key", "custody.jsonl, line 5")]


def test_papers_and_statements_of_a_key_that_was_revoked_and_replaced_are_no_fault(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    write_papers(papers.consignor, render, discard)
    exchange.import_dossier(papers.operator, papers.dossier("before"), discard)
    old = papers.consignor.signer().public_line
    custody.revoke(papers.consignor, "the laptop was lost", discard)
    # The dossier that tells of it leaves, though its papers were signed with the lost key.
    exchange.import_dossier(papers.operator, papers.dossier("told"), discard)
    assert not (papers.root / "told" / "data" / "papers").exists()
    assert audited(papers.operator).faults == ()

    generate_key_pair(tmp_path / "new", "")
    new = SshSigner.load(tmp_path / "new").public_line
    path = papers.operator.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(f'signer = "{old}"', f'signer = "{new}"\nformer = ["{old}"]'))
    sync_parties(papers.operator)
    assert {"papers", "statements"} <= {path.name for path in papers.operator.documents.iterdir()}
    assert audited(papers.operator).faults == ()


def test_the_untouched_record_is_in_order(papers: Papers) -> None:
    assert audited(papers.consignor).faults == ()
    assert any((papers.consignor.documents / f"{FlagAnswer.kind}s").iterdir())
