"""Heads and revocations travel with the dossier, and are judged before anything else in it."""

import shutil
from pathlib import Path

import pytest

from packtrain.diligence.hand_over import custody_log
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.errors import CustodyContradicted, DossierError, KeyRevoked
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import HEADS, read_heads
from packtrain.record.revocations import REVOCATIONS
from packtrain.stages import admit, custody, exchange
from rebagged import rebag
from voyage_papers import Papers, arrived, declaration_toml


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return arrived(tmp_path)


def heads_of(folder: VoyageFolder) -> set[str]:
    return {mark.digest for mark in read_heads(folder.documents, folder.trust())}


def test_heads_of_a_hand_over_travel_and_the_verdict_says_what_they_prove(papers: Papers) -> None:
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    assert heads_of(papers.consignor) <= heads_of(papers.operator) and heads_of(papers.operator)
    checks = papers.operator.read_signed(Admission).checks
    found = next(check for check in checks if check.check == "heads of the custody log")
    assert found.outcome == "passed" and found.detail.startswith("proven to its last entry")
    assert "not provable" in found.detail


def test_a_dossier_whose_log_was_cut_is_refused_by_the_heads_that_come_with_it(papers: Papers, tmp_path: Path) -> None:
    dossier = papers.dossier()
    log = dossier / "data" / "custody.jsonl"
    log.write_bytes(b"\n".join(log.read_bytes().split(b"\n")[:-2]) + b"\n")
    rebag(dossier)
    # A third party, who holds no log of its own yet.
    other = dossier.with_name("to-consignee")
    papers.consignor.settle()
    exchange.export_dossier(papers.consignor, other, "consignee", discard)
    shutil.copy(log, other / "data" / "custody.jsonl")
    rebag(other)
    with pytest.raises(CustodyContradicted, match="cut tail"):
        exchange.import_dossier(papers.consignee, other, discard)
    assert not custody_log(papers.consignee).path.exists()
    assert not (papers.consignee.documents / HEADS).exists()


def test_a_head_under_another_name_or_of_a_stranger_is_refused(papers: Papers) -> None:
    dossier = papers.dossier()
    head = next(path for path in (dossier / "data" / HEADS).iterdir() if path.suffix == ".json")
    for name, target in ((head.name, "0" * 64 + ".json"), (f"{head.name}.sig", "0" * 64 + ".json.sig")):
        shutil.copy(head.with_name(name), head.with_name(target))
    rebag(dossier)
    with pytest.raises(DossierError):
        exchange.import_dossier(papers.operator, dossier, discard)


def test_a_revocation_travels_and_what_it_does_not_vouch_for_is_refused(papers: Papers) -> None:
    thief = papers.consignor.signer()
    stolen = Papers(papers.root / "thief", {"consignor": copy_of(papers.consignor, papers.root / "thief")})
    custody.revoke(papers.consignor, "the laptop was stolen", discard)
    exchange.import_dossier(papers.operator, papers.dossier("told"), discard)
    assert len(list((papers.operator.documents / REVOCATIONS).iterdir())) == 2
    # What the party vouches for still counts; what the thief writes with the key does not, in whatever dossier.
    assert papers.operator.read_signed(Declaration).shipper.name == "shipper of the test"
    stolen.declare(declaration_toml({"end_use": '"another one"'}), amend=True)
    assert thief.public_line == stolen.consignor.public_line()
    with pytest.raises(KeyRevoked, match="declaration is signed by a revoked key"):
        exchange.import_dossier(papers.operator, stolen.dossier("forged"), discard)


def test_the_dossier_that_brings_a_revocation_is_itself_judged_by_it(papers: Papers) -> None:
    stolen = Papers(papers.root / "thief", {"consignor": copy_of(papers.consignor, papers.root / "thief")})
    custody.revoke(papers.consignor, "the laptop was stolen", discard)
    stolen.declare(declaration_toml({"end_use": '"another one"'}), amend=True)
    forged = stolen.dossier("forged")
    shutil.copytree(papers.consignor.documents / REVOCATIONS, forged / "data" / REVOCATIONS)
    rebag(forged)
    with pytest.raises(KeyRevoked):
        exchange.import_dossier(papers.operator, forged, discard)
    assert not (papers.operator.documents / REVOCATIONS).exists()


def copy_of(folder: VoyageFolder, root: Path) -> VoyageFolder:
    """Return a thief's copy of a voyage folder, keys and all."""
    shutil.copytree(folder.root, root / "copy")
    return VoyageFolder(root / "copy")
