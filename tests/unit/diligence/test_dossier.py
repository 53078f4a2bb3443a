import shutil
from pathlib import Path

import bagit
import msgspec
import pytest

from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.diligence import dossier as dossier_room
from packtrain.diligence.bag import write_bag
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.scan_findings import findings_of, scan_findings
from packtrain.documents.codec import digest, encode, namespace
from packtrain.documents.data_scan import DataScan
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AnswerChanged,
    CustodyBroken,
    DossierError,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
    WrongRole,
)
from packtrain.events import discard
from packtrain.record import keys
from packtrain.stages import carry, exchange, flags
from sample_documents import samples
from voyage_papers import Papers, arrived, declaration_toml, packed, tree, write_pair


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return packed(tmp_path)


def take(papers: Papers, source: Path) -> dict[str, str]:
    return dict(exchange.import_dossier(papers.operator, source, papers.sink))


def rebag(source: Path) -> Path:
    """Make the bag whole again after its payload was changed, as a forger would."""
    payload: dict[str, bytes | Path] = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in (source / "data").rglob("*")
        if path.is_file()
    }
    lines = (source / "bag-info.txt").read_text().splitlines()
    info = dict(line.split(": ", 1) for line in lines)
    del info["Payload-Oxum"]
    shutil.rmtree(source)
    write_bag(source, payload, info, "forged")
    return source


def test_another_reader_finds_the_dossier_valid(papers: Papers) -> None:
    assert bagit.Bag(str(papers.dossier())).is_valid()


def test_a_dossier_brings_every_paper_the_log_and_the_key_to_the_operator(papers: Papers) -> None:
    taken = take(papers, papers.dossier())
    assert set(taken) == {
        "declaration.json",
        "groups/0.json",
        "packing-statement.json",
        "plan.json",
        "shipment.json",
    }
    assert papers.operator.read_signed(Shipment) == papers.consignor.read_signed(Shipment)
    assert custody_log(papers.operator).path.read_bytes() == custody_log(papers.consignor).path.read_bytes()
    envelope = papers.operator.keys / keys.SITE_ENVELOPE
    assert envelope.read_bytes() == (papers.consignor.keys / keys.SITE_ENVELOPE).read_bytes()
    assert envelope.stat().st_mode & 0o077 == 0
    assert not (papers.operator.work / "dossier-import").exists()


def test_a_dossier_holds_no_key_but_the_readers_own_envelope(papers: Papers) -> None:
    names = {path.name for path in papers.dossier().rglob("*") if path.is_file()}
    assert names & {path.name for folder in papers.folders.values() for path in folder.keys.iterdir()} == {
        keys.SITE_ENVELOPE
    }
    assert not (papers.dossier("to-consignee", to="consignee") / "data" / "keys").exists()


def test_no_key_goes_out_before_there_is_a_packing_statement(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    (papers.consignor.documents / "packing-statement.json").unlink()
    assert not (papers.dossier() / "data" / "keys").exists()


def test_the_same_dossier_again_brings_nothing_new(papers: Papers) -> None:
    source = papers.dossier()
    take(papers, source)
    before = tree(papers.operator.documents)
    assert take(papers, source) == {}
    assert tree(papers.operator.documents) == before


def test_a_dossier_goes_to_another_party_into_a_new_folder(papers: Papers) -> None:
    with pytest.raises(WrongRole):
        papers.dossier(to="consignor")
    papers.dossier()
    with pytest.raises(DossierError):
        papers.dossier()


def test_no_dossier_fills_a_folder_with_more_answers_than_are_read_from_it(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags.judge(papers.consignor, discard)
    rule = flags.show(papers.consignor)["consignor"].standing.flags[0].result.rule
    for person in ("A. Able", "B. Bright"):
        flags.answer(papers.consignor, flags.FlagReply(rule, person, "it was looked into"), discard)
    monkeypatch.setitem(dossier_room._MOST_IN, "flag-answers", 1)
    with pytest.raises(DossierError, match="more flag-answers than a voyage has"):
        take(papers, papers.dossier())
    assert not papers.operator.has(Plan)


def test_a_dossier_that_says_it_is_from_its_reader_is_refused(papers: Papers) -> None:
    source = papers.dossier()
    info = source / "bag-info.txt"
    info.write_text(info.read_text().replace("Packtrain-From: consignor", "Packtrain-From: operator"))
    with pytest.raises(DossierError, match="this party's own"):
        take(papers, rebag(source))


def test_a_key_envelope_is_not_written_onto_a_drive(papers: Papers) -> None:
    drive = Path(papers.mounted("A1")[0].location)
    with pytest.raises(DossierError, match="does not belong on a drive"):
        exchange.export_dossier(papers.consignor, drive / "papers" / "dossier", "operator", discard)
    assert not (drive / "papers").exists()


def test_without_a_declaration_there_is_no_dossier(papers: Papers) -> None:
    for name in ("plan.json", "shipment.json", "packing-statement.json", "declaration.json"):
        (papers.consignor.documents / name).unlink()
    shutil.rmtree(papers.consignor.documents / "groups")
    with pytest.raises(StageNotReady):
        papers.dossier()


def test_a_dossier_for_another_party_is_not_taken(papers: Papers) -> None:
    with pytest.raises(DossierError, match="made for another party"):
        exchange.import_dossier(papers.consignee, papers.dossier(), discard)


@pytest.mark.parametrize("name", ["plan", "shipment", "declaration", "packing-statement"])
def test_an_altered_document_refuses_the_whole_dossier(papers: Papers, name: str) -> None:
    source = papers.dossier()
    path = source / "data" / "documents" / f"{name}.json"
    path.write_bytes(path.read_bytes().replace(b'":"', b'":"x', 1))
    before = tree(papers.operator.root)
    with pytest.raises(DossierError, match="altered"):
        take(papers, source)
    with pytest.raises(SignatureInvalid):
        take(papers, rebag(source))
    assert tree(papers.operator.root) == before


def test_a_document_signed_by_a_stranger_refuses_the_whole_dossier(papers: Papers) -> None:
    source = papers.dossier()
    write_pair(source / "data/documents/plan.json", papers.consignor.read(Plan), papers.consignee)
    before = tree(papers.operator.root)
    with pytest.raises(UntrustedSigner):
        take(papers, rebag(source))
    assert tree(papers.operator.root) == before


def test_a_document_without_its_signature_refuses_the_whole_dossier(papers: Papers) -> None:
    source = papers.dossier()
    (source / "data/documents/groups/0.json.sig").unlink()
    with pytest.raises(SignatureMissing):
        take(papers, rebag(source))


@pytest.mark.parametrize(
    "name",
    [
        "data/documents/parties.json",
        "data/documents/closing.json",
        "data/documents/plan.json.operator.sig",
        "data/documents/plans/x.sig",
        "data/keys/signer",
        "data/keys/release.age",
        "data/voyage.toml",
    ],
)
def test_a_file_that_no_dossier_has_refuses_it(papers: Papers, name: str) -> None:
    source = papers.dossier()
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes(b"x")
    with pytest.raises(DossierError):
        take(papers, rebag(source))


@pytest.mark.parametrize("name", ["groups/1.json", "declarations/" + "0" * 64 + ".json"])
def test_a_document_under_a_name_that_is_not_its_own_refuses_the_dossier(papers: Papers, name: str) -> None:
    source = papers.dossier()
    documents = source / "data/documents"
    origin = "groups/0.json" if name.startswith("groups") else "declaration.json"
    (documents / name).parent.mkdir(exist_ok=True)
    for suffix in ("", ".sig"):
        shutil.copy(documents / (origin + suffix), documents / (name + suffix))
    with pytest.raises(DossierError, match="not its own"):
        take(papers, rebag(source))


def test_papers_of_two_states_are_refused(papers: Papers) -> None:
    source = papers.dossier()
    shipment = msgspec.structs.replace(papers.consignor.read(Shipment), num_files=99)
    write_pair(source / "data/documents/shipment.json", shipment, papers.consignor)
    with pytest.raises(DossierError, match="another shipment root"):
        take(papers, rebag(source))


def test_a_signed_paper_of_the_same_attempt_never_changes_unseen(papers: Papers) -> None:
    take(papers, papers.dossier())
    papers.consignor.write_signed(
        msgspec.structs.replace(papers.consignor.read(Shipment), num_files=99), papers.consignor.signer()
    )
    (papers.consignor.documents / "packing-statement.json").unlink()
    with pytest.raises(AnswerChanged, match=r"shipment\.json"):
        take(papers, papers.dossier("second"))


def test_an_amended_declaration_replaces_the_one_it_names_and_both_stay(papers: Papers) -> None:
    take(papers, papers.dossier())
    first = papers.operator.digest(Declaration)
    second = papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    taken = take(papers, papers.dossier("second"))
    assert taken["declaration.json"] == second
    assert list(amendments.archived(papers.operator, Declaration)) == [first]
    assert [name for name, _ in amendments.chain_of(papers.operator)] == [second, first]


def test_an_older_declaration_does_not_come_back(papers: Papers) -> None:
    older = papers.dossier()
    second = papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    take(papers, papers.dossier("second"))
    assert take(papers, older) == {}
    assert papers.operator.digest(Declaration) == second
    assert "older than the one here" in papers.notices()


def test_another_declaration_without_an_amendment_is_refused(papers: Papers) -> None:
    source = papers.dossier()
    take(papers, papers.dossier("first"))
    other = msgspec.structs.replace(papers.consignor.read(Declaration), end_use="another")
    write_pair(source / "data/documents/declaration.json", other, papers.consignor)
    before = tree(papers.operator.root)
    with pytest.raises((AnswerChanged, DossierError)):
        take(papers, rebag(source))
    assert tree(papers.operator.root) == before


def test_a_hidden_superseded_declaration_is_missed(papers: Papers) -> None:
    papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    source = papers.dossier()
    shutil.rmtree(source / "data/documents/declarations")
    with pytest.raises(DossierError, match="superseded declaration"):
        take(papers, rebag(source))


def test_a_new_packing_statement_is_taken_when_the_log_shows_its_seals(papers: Papers) -> None:
    older = papers.dossier()
    take(papers, older)
    before = papers.operator.digest(PackingStatement)
    papers.state_cases({"A": ("A. Carrier", "PT-1009"), "B": ("B. Carrier", "PT-1002")})
    carry.seal(papers.consignor, discard)
    taken = take(papers, papers.dossier("second"))
    assert taken["packing-statement.json"] != before
    assert (papers.operator.documents / "packing-statements" / f"{before}.json").is_file()
    assert take(papers, older) == {}


def test_a_newer_attempt_replaces_the_papers_of_the_one_before(papers: Papers) -> None:
    take(papers, papers.dossier())
    first = papers.operator.digest(Plan)
    papers.pack(attempt=2)
    papers.seal()
    taken = take(papers, papers.dossier("second"))
    assert taken["plan.json"] == papers.consignor.digest(Plan) != first
    assert (papers.operator.documents / "plans" / f"{first}.json.sig").is_file()
    site = papers.operator.keys / keys.SITE_ENVELOPE
    assert site.read_bytes() == (papers.consignor.keys / keys.SITE_ENVELOPE).read_bytes()


def test_an_earlier_attempt_is_refused(papers: Papers) -> None:
    older = papers.dossier()
    papers.pack(attempt=2)
    papers.seal()
    take(papers, papers.dossier("second"))
    with pytest.raises(DossierError, match="earlier attempt"):
        take(papers, older)


def test_a_dossier_of_another_shipment_is_refused(papers: Papers, tmp_path: Path) -> None:
    take(papers, papers.dossier())
    for name in ("plan.json", "shipment.json", "packing-statement.json", "custody.jsonl"):
        (papers.consignor.documents / name).unlink()
    papers.pack()
    papers.seal()
    with pytest.raises((DossierError, CustodyBroken)):
        take(papers, papers.dossier("second"))


def test_another_key_envelope_for_the_same_attempt_is_refused(papers: Papers) -> None:
    take(papers, papers.dossier())
    (papers.consignor.keys / keys.SITE_ENVELOPE).write_bytes(b"another")
    with pytest.raises(DossierError, match="key envelope"):
        take(papers, papers.dossier("second"))


def test_a_dossier_with_a_forked_log_is_refused(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    carry.observe(papers.operator, "seal-checked", discard, cases=("A",))
    log = custody_log(papers.consignor)
    shipment = papers.consignor.read(Shipment).shipment
    log.append(
        "sighted",
        shipment=shipment,
        by="consignor",
        signer=papers.consignor.signer(),
        trust=papers.consignor.trust(),
    )
    with pytest.raises(CustodyBroken, match="forked"):
        take(papers, papers.dossier())


def test_what_each_side_notes_alone_at_the_end_is_kept_beside_the_own_log(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    take(papers, papers.dossier())
    shipment = papers.consignor.read(Shipment).shipment
    for folder, verb in ((papers.consignor, "returned"), (papers.operator, "loaded")):
        custody_log(folder).append(
            verb,  # pyright: ignore[reportArgumentType]
            shipment=shipment,
            by=folder.voyage_file().voyage.role,
            signer=folder.signer(),
            trust=folder.trust(),
        )
    before = custody_log(papers.consignor).path.read_bytes()
    exchange.import_dossier(papers.consignor, papers.dossier("home", "operator", "consignor"), papers.sink)
    assert custody_log(papers.consignor).path.read_bytes() == before
    beside = papers.consignor.documents / "custody.operator.jsonl"
    assert beside.read_bytes() == custody_log(papers.operator).path.read_bytes()
    assert "kept beside this one" in papers.notices()


def test_an_older_log_is_said_to_be_older_or_cut(papers: Papers) -> None:
    source = papers.dossier()
    papers.hand_over()
    take(papers, source)
    assert "ends 2 entries before this one" in papers.notices()
    assert len(custody_log(papers.operator).read(papers.operator.trust())) == 4


def test_an_own_document_that_was_altered_is_not_exported(papers: Papers) -> None:
    path = papers.consignor.document_path(Plan)
    path.write_bytes(path.read_bytes().replace(b"the test", b"the text"))
    with pytest.raises(SignatureInvalid):
        papers.dossier()


def test_a_sender_with_other_keys_in_its_list_is_remarked(papers: Papers) -> None:
    source = papers.dossier()
    (source / "data/allowed_signers").write_bytes(b"other\n")
    take(papers, rebag(source))
    assert "list of keys differs" in papers.notices()


def test_the_readme_checks_every_signature_by_hand(papers: Papers) -> None:
    readme = (papers.dossier() / "README.txt").read_text()
    assert f"-n {namespace(Declaration)} -s data/documents/declaration.json.sig" in readme
    assert "not screened" in readme


def test_only_what_was_taken_is_recorded_of_a_dossier(papers: Papers) -> None:
    source = papers.dossier()
    take(papers, source)
    tagmanifest = sha256_bytes((source / "tagmanifest-sha256.txt").read_bytes())
    kept = {path.name for path in (papers.operator.documents / "dossiers" / tagmanifest).iterdir()}
    assert kept == {"README.txt", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"}
    assert digest(papers.operator.read(Plan)) == sha256_bytes(encode(papers.consignor.read(Plan)))


def test_the_data_scan_goes_to_the_operator_with_the_dossier_and_does_not_change_unseen(
    papers: Papers, tmp_path: Path
) -> None:
    scan = samples()[DataScan]
    assert isinstance(scan, DataScan)
    papers.consignor.write_signed(scan, papers.consignor.signer())
    assert "data-scan.json" in take(papers, papers.dossier("one"))
    assert findings_of(papers.operator) == scan_findings(scan) != ()
    papers.consignor.write_signed(msgspec.structs.replace(scan, num_rows=1), papers.consignor.signer())
    with pytest.raises(AnswerChanged):
        take(papers, papers.dossier("two"))


def test_a_data_scan_signed_by_the_operator_is_no_scan(papers: Papers) -> None:
    papers.consignor.write_signed(samples()[DataScan], papers.operator.signer())
    with pytest.raises(UntrustedSigner):
        papers.dossier()
