import json
from pathlib import Path

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from packtrain.crypto import dsse
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.digest import sha256_bytes
from packtrain.diligence.papers import Paper, read_papers
from packtrain.diligence.papers import Papers as SignedPapers
from packtrain.diligence.statements import check_statement, check_statements, statements_from, statements_of
from packtrain.documents.admission import Admission
from packtrain.documents.codec import digest, encode
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import STATEMENT_NAMESPACE, Role
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError, StageNotReady
from packtrain.events import discard
from packtrain.stages import admit, exchange
from sample_documents import samples
from voyage_papers import Papers, arrived, declaration_toml, declared, packed

VECTORS = Path(__file__).parents[2] / "vectors" / "statements"
KINDS = (Declaration, PackingStatement, Admission)
NAMES = tuple(f"{kind.kind}.statement.json" for kind in KINDS)


def on_paper() -> SignedPapers:
    """The hand-made samples, as if they were papers of one voyage."""
    by_kind = samples()
    papers = (
        Paper(f"{kind.kind}.json", digest(by_kind[kind]), by_kind[kind], frozenset[Role]())
        for kind in (*KINDS, Shipment)
    )
    return SignedPapers({paper.name: paper for paper in papers})


def of(papers: Papers, role: Role) -> SignedPapers:
    folder = papers.folders[role]
    return read_papers(folder.documents, folder.trust(), folder.voyage_file().voyage.role)


@pytest.fixture
def admitted(tmp_path: Path) -> Papers:
    papers = arrived(tmp_path)
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    return papers


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_written_as_its_frozen_vector(name: str) -> None:
    assert statements_from(on_paper())[name] == (VECTORS / name).read_bytes()


def test_there_is_a_vector_of_every_statement_and_of_nothing_else() -> None:
    assert {path.name for path in VECTORS.iterdir()} == set(NAMES) == set(statements_from(on_paper()))


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_of_in_totos_first_version_and_canonical(name: str) -> None:
    payload = statements_from(on_paper())[name]
    body = json.loads(payload)

    assert set(body) == {"_type", "subject", "predicateType", "predicate"}
    assert body["_type"] == "https://in-toto.io/Statement/v1"
    assert len({subject["name"] for subject in body["subject"]}) == len(body["subject"])
    assert all(len(subject["digest"]["sha256"]) == 64 for subject in body["subject"])
    assert rfc8785.dumps(body) == payload


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.kind)
def test_the_predicate_is_the_document_to_the_byte(kind: type[Declaration | PackingStatement]) -> None:
    body = json.loads(statements_from(on_paper())[f"{kind.kind}.statement.json"])

    assert rfc8785.dumps(body["predicate"]) == encode(samples()[kind])


def test_before_packing_a_declaration_is_about_itself_alone(tmp_path: Path) -> None:
    papers = declared(tmp_path)

    body = json.loads(statements_of(papers.consignor)["declaration.statement.json"])

    assert body["subject"] == [{"name": "declaration.json", "digest": {"sha256": papers.consignor.digest(Declaration)}}]


def test_once_packed_both_statements_name_the_root_and_every_closing_record(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    shipment = papers.consignor.read(Shipment)
    files = statements_of(papers.consignor)
    root = {"name": "shipment.json", "digest": {"sha256": papers.consignor.digest(Shipment)}}

    subjects = [json.loads(files[name])["subject"] for name in NAMES[:2]]
    for subject in subjects:
        assert root in subject
        assert {each["digest"]["sha256"] for each in subject} >= {drive.record for drive in shipment.drives}
        assert {each["uri"] for each in subject if "uri" in each} == {f"urn:uuid:{d.uuid}" for d in shipment.drives}
    # The record by its name below the folder of the drive: what sha256sum says of it is what the statement says.
    record = papers.drives["A1"] / "packtrain" / "drive.json"
    named = next(each for each in subjects[1] if each["name"] == "A1/packtrain/drive.json")
    assert named["digest"]["sha256"] == sha256_bytes(record.read_bytes())


@pytest.mark.parametrize(
    ("verdict", "result", "level"),
    [
        ("admit", "PASSED", "SLSA_BUILD_LEVEL_UNEVALUATED"),
        ("hold", "FAILED", "FAILED"),
        ("refuse", "FAILED", "FAILED"),
    ],
)
def test_only_an_admission_has_passed_and_no_level_of_slsa_is_claimed(verdict: str, result: str, level: str) -> None:
    admission = msgspec.structs.replace(samples()[Admission], verdict=verdict)
    papers = SignedPapers({"admission.json": Paper("admission.json", digest(admission), admission, frozenset[Role]())})

    body = json.loads(statements_from(papers)["admission.statement.json"])

    assert body["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert body["predicate"]["verificationResult"] == result
    assert body["predicate"]["verifiedLevels"] == [level]
    assert rfc8785.dumps(body["predicate"]["urn:packtrain:admission:v1"]) == encode(admission)


def test_the_verdict_names_what_it_rests_on(admitted: Papers) -> None:
    files = statements_of(admitted.operator)
    body = json.loads(files["admission.statement.json"])
    admission = admitted.operator.read(Admission)

    assert [each["digest"]["sha256"] for each in body["subject"]] == [admission.shipment_root, admission.dossier]
    assert {each["digest"]["sha256"] for each in body["predicate"]["inputAttestations"]} == {
        admission.dossier,
        admission.plan,
        admission.shipment_root,
        admission.declaration,
        admission.packing_statement,
    }
    assert body["predicate"]["timeVerified"] == admission.decided_on


def test_each_party_states_its_own_documents_and_no_others(admitted: Papers) -> None:
    assert {name for name in statements_of(admitted.consignor) if not name.endswith(".sig")} == set(NAMES[:2])
    assert {name for name in statements_of(admitted.operator) if not name.endswith(".sig")} == {NAMES[2]}
    with pytest.raises(StageNotReady, match="consignee has signed nothing"):
        statements_of(admitted.consignee)


def test_nothing_is_stated_before_there_is_a_document(tmp_path: Path) -> None:
    papers = packed(tmp_path)

    with pytest.raises(StageNotReady) as caught:
        statements_of(papers.operator)
    assert "packtrain admit" in (caught.value.hint or "")


def test_nothing_is_stated_of_documents_that_contradict_each_other(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    shipment = papers.consignor.read(Shipment)
    papers.consignor.write_signed(msgspec.structs.replace(shipment, num_files=9), papers.consignor.signer())

    with pytest.raises(DossierError, match="do not belong together"):
        statements_of(papers.consignor)


def test_what_the_papers_make_is_found_in_order(admitted: Papers) -> None:
    operator = admitted.operator
    files = statements_of(admitted.consignor, envelopes=True) | statements_of(operator, envelopes=True)

    assert check_statements(files, of(admitted, "operator"), operator.trust()) == ()


@given(st.data())
def test_one_other_byte_anywhere_is_another_statement(data: st.DataObject) -> None:
    papers = on_paper()
    name = data.draw(st.sampled_from(NAMES))
    payload = bytearray(statements_from(papers)[name])
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))

    assert check_statement(name, statements_from(papers)[name], papers) is None
    assert check_statement(name, bytes(payload), papers) is not None


def test_a_statement_of_other_answers_is_refused(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    before = statements_of(papers.consignor)
    papers.declare(declaration_toml({"end_use": '"to find planets"'}), amend=True)

    faults = check_statements(before, of(papers, "consignor"), papers.consignor.trust())

    assert faults == ("declaration.statement.json says something else than declaration.json and the papers beside it",)


def test_a_statement_without_its_document_and_one_of_no_document_are_refused() -> None:
    assert "is not here" in (check_statement(NAMES[2], b"{}", SignedPapers({})) or "")
    assert "no statement" in (check_statement("plan.statement.json", b"{}", on_paper()) or "")
    assert "no statement" in (check_statement("../declaration.statement.json", b"{}", on_paper()) or "")


def test_unsigned_foreign_and_stray_files_are_named(admitted: Papers) -> None:
    papers, trust = of(admitted, "operator"), admitted.operator.trust()
    good = statements_of(admitted.operator, envelopes=True)
    name, envelope = NAMES[2], "admission.dsse.json"
    consignor, payload = admitted.consignor.signer(), good[NAMES[2]]
    of_the_consignor = consignor.sign(STATEMENT_NAMESPACE, payload).encode()
    for_another_purpose = admitted.operator.signer().sign("packtrain-admission@v1", payload).encode()

    def faults(changed: dict[str, bytes | None]) -> str:
        files = {each: body for each, body in {**good, **changed}.items() if body is not None}
        return "; ".join(check_statements(files, papers, trust))

    assert "no signature" in faults({f"{name}.sig": None})
    assert "signed by the consignor, who signs no admission" in faults({f"{name}.sig": of_the_consignor})
    assert "another purpose" in faults({f"{name}.sig": for_another_purpose})
    assert "signed by the consignor, who signs no admission" in faults({envelope: dsse.seal(consignor, payload)})
    assert "holds another statement" in faults({envelope: dsse.seal(admitted.operator.signer(), b"{}")})
    assert "not an envelope" in faults({envelope: b"[" * 100_000})
    assert "notes.txt is no statement" in faults({"notes.txt": b""})
    # An envelope alone has nothing beside it that it repeats.
    assert f"{envelope} is no statement" in faults({name: None, f"{name}.sig": None})
    stranger = admitted.root / "stranger"
    generate_key_pair(stranger, "")
    assert "does not name" in faults({envelope: dsse.seal(SshSigner.load(stranger), payload)})


def test_statements_written_to_a_folder_are_those_of_today(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    place = tmp_path / "out" / "statements"
    exchange.write_statements(papers.consignor, place, discard)
    papers.declare(declaration_toml({"end_use": '"to find planets"'}), amend=True)
    written = exchange.write_statements(papers.consignor, place, discard, envelopes=True)

    files = {path.name: path.read_bytes() for path in place.iterdir()}
    assert {name: sha256_bytes(payload) for name, payload in files.items()} == dict(written)
    assert check_statements(files, of(papers, "consignor"), papers.consignor.trust()) == ()


if __name__ == "__main__":
    VECTORS.mkdir(exist_ok=True)
    for made, statement in statements_from(on_paper()).items():
        (VECTORS / made).write_bytes(statement)
