"""What packtrain states, the libraries of in-toto read; and the signature of an envelope, securesystemslib verifies."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from packtrain.diligence.statements import provenance_statement, statements_of
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.parties import Role
from packtrain.documents.provenance import Provenance
from packtrain.events import discard
from packtrain.stages import admit
from sample_documents import samples
from voyage_papers import Papers, arrived

NAMES: dict[str, Role] = {"declaration": "consignor", "packing-statement": "consignor", "admission": "operator"}


@pytest.fixture(scope="module")
def admitted(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    papers = arrived(tmp_path_factory.mktemp("voyage"))
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    return papers


@pytest.fixture(scope="module")
def files(admitted: Papers) -> dict[str, bytes]:
    return statements_of(admitted.consignor, envelopes=True) | statements_of(admitted.operator, envelopes=True)


@pytest.mark.needs_ssh_keygen
@pytest.mark.parametrize("name", NAMES)
def test_ssh_keygen_verifies_each_statement(
    admitted: Papers, files: dict[str, bytes], name: str, tmp_path: Path
) -> None:
    signers = admitted.consignee.documents / "allowed_signers"
    signature = tmp_path / "signature"
    signature.write_bytes(files[f"{name}.statement.json.sig"])
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", NAMES[name], "-n", "packtrain-statement@v1"]

    def verifies(statement: bytes) -> bool:
        ran = subprocess.run([*command, "-s", str(signature)], input=statement, capture_output=True, check=False)
        return ran.returncode == 0

    assert verifies(files[f"{name}.statement.json"])
    assert not verifies(files[f"{name}.statement.json"] + b" ")


@pytest.mark.parametrize("name", NAMES)
def test_in_totos_own_reader_takes_each_statement(files: dict[str, bytes], name: str) -> None:
    reason = "in-toto-attestation is not installed: no independent reader of statements"
    pytest.importorskip("in_toto_attestation", reason=reason)
    from google.protobuf import json_format  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
    from in_toto_attestation.v1 import statement_pb2  # pyright: ignore[reportMissingImports]
    from in_toto_attestation.v1.statement import Statement  # pyright: ignore[reportMissingImports]

    # Its message calls the field "type", and JSON "_type"; no field of ours is unknown to it.
    read = json_format.Parse(files[f"{name}.statement.json"], statement_pb2.Statement())
    Statement.copy_from_pb(read).validate()

    body = json.loads(files[f"{name}.statement.json"])
    assert [dict(each.digest) for each in read.subject] == [each["digest"] for each in body["subject"]]
    assert [each.name for each in read.subject] == [each["name"] for each in body["subject"]]
    assert read.predicate_type == body["predicateType"]
    assert read.predicate["type" if name != "admission" else "verificationResult"] == (
        "PASSED" if name == "admission" else f"packtrain.{name}"
    )


def test_the_verdict_is_read_as_a_verification_summary(admitted: Papers, files: dict[str, bytes]) -> None:
    pytest.importorskip("in_toto_attestation", reason="in-toto-attestation is not installed: no independent reader")
    from google.protobuf import json_format  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
    from in_toto_attestation.predicates.vsa.v1 import vsa_pb2  # pyright: ignore[reportMissingImports]

    predicate = json.loads(files["admission.statement.json"])["predicate"]
    # Of the two fields left out one is ours; the other is a list in SLSA's specification, and one text in this
    # library's message (in-toto-attestation 0.9.3).
    assert predicate["verifiedLevels"] == ["SLSA_BUILD_LEVEL_UNEVALUATED"]
    known = {name: value for name, value in predicate.items() if name != "verifiedLevels" and ":" not in name}
    assert predicate.keys() - known.keys() == {"verifiedLevels", "urn:packtrain:admission:v1"}
    summary = json_format.ParseDict(known, vsa_pb2.VerificationSummary())

    admission = admitted.operator.read(Admission)
    assert summary.verification_result == "PASSED"
    assert summary.time_verified.ToJsonString() == admission.decided_on
    assert {each.digest["sha256"] for each in summary.input_attestations} >= {admission.dossier, admission.declaration}
    assert summary.resource_uri.startswith("urn:packtrain:shipment:")
    assert summary.policy.uri
    assert summary.verifier.id


@pytest.mark.parametrize("name", NAMES)
def test_securesystemslib_verifies_each_envelope_and_no_altered_one(
    admitted: Papers, files: dict[str, bytes], name: str
) -> None:
    reason = "securesystemslib is not installed: no independent reader of DSSE"
    pytest.importorskip("securesystemslib", reason=reason)
    from securesystemslib.dsse import Envelope  # pyright: ignore[reportMissingImports]
    from securesystemslib.exceptions import VerificationError  # pyright: ignore[reportMissingImports]
    from securesystemslib.signer import SSlibKey  # pyright: ignore[reportMissingImports]

    folder = admitted.folders[NAMES[name]]
    raw_key = base64.b64decode(folder.signer().public_line.split()[1])[-32:]
    key = SSlibKey(folder.signer().fingerprint, "ed25519", "ed25519", {"public": raw_key.hex()})
    envelope = Envelope.from_dict(json.loads(files[f"{name}.dsse.json"]))

    assert envelope.payload == files[f"{name}.statement.json"]
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert set(envelope.verify([key], threshold=1)) == {folder.signer().fingerprint}
    envelope.payload = envelope.payload.replace(b"2026", b"2025")
    with pytest.raises(VerificationError):
        envelope.verify([key], threshold=1)


def test_the_digest_of_the_declaration_is_what_sha256sum_says(admitted: Papers, files: dict[str, bytes]) -> None:
    path = admitted.consignor.document_path(Declaration)
    said = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]

    subject = json.loads(files["declaration.statement.json"])["subject"]
    assert {"name": "declaration.json", "digest": {"sha256": said}} in subject


def test_in_totos_own_reader_takes_the_statement_of_a_provenance() -> None:
    pytest.importorskip("in_toto_attestation", reason="in-toto-attestation is not installed: no independent reader")
    from google.protobuf import json_format  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
    from in_toto_attestation.v1 import statement_pb2  # pyright: ignore[reportMissingImports]
    from in_toto_attestation.v1.statement import Statement  # pyright: ignore[reportMissingImports]

    made = samples()[Provenance]
    assert isinstance(made, Provenance)
    read = json_format.Parse(provenance_statement(made), statement_pb2.Statement())
    Statement.copy_from_pb(read).validate()
    assert {each.name: dict(each.digest) for each in read.subject} == {
        file.name: {"sha256": file.sha256} for file in made.files
    }
    assert read.predicate_type == "urn:packtrain:provenance:v1"
    assert [dict(kit)["steps"] for kit in read.predicate["kits"]] == ["1-400", "401-800"]
