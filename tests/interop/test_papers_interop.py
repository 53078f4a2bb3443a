"""The papers against stock tools: ssh-keygen for signatures, age for the two layers of the key."""

import subprocess
from pathlib import Path

import pytest

from packtrain.documents.codec import decode
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import DocumentError
from packtrain.events import discard
from packtrain.record import keys
from packtrain.stages import admit
from voyage_papers import Papers, arrived


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    papers = arrived(tmp_path_factory.mktemp("voyage"))
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    return papers


def verify(papers: Papers, name: str, role: str) -> int:
    documents = papers.operator.documents
    command = ["ssh-keygen", "-Y", "verify", "-f", str(documents / "allowed_signers"), "-I", role]
    command += ["-n", f"packtrain-{name}@v1", "-s", str(documents / f"{name}.json.sig")]
    payload = (documents / f"{name}.json").read_bytes()
    return subprocess.run(command, input=payload, capture_output=True, check=False).returncode


@pytest.mark.needs_ssh_keygen
@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("declaration", "consignor"),
        ("packing-statement", "consignor"),
        ("plan", "consignor"),
        ("shipment", "consignor"),
        ("admission", "operator"),
    ],
)
def test_ssh_keygen_verifies_each_paper_under_its_role_alone(papers: Papers, name: str, role: str) -> None:
    assert verify(papers, name, role) == 0
    assert verify(papers, name, "consignee") != 0


@pytest.mark.needs_ssh_keygen
def test_the_commands_of_the_dossiers_readme_work_as_printed(papers: Papers) -> None:
    dossier = papers.dossier("by-hand", "operator", "consignee")
    commands = [line.strip() for line in (dossier / "README.txt").read_text().splitlines() if line.startswith("  ")]
    assert len(commands) > 5
    for command in commands:
        by_hand = command.replace("-f KEYS", f"-f {papers.consignee.documents / 'allowed_signers'}")
        done = subprocess.run(["sh", "-c", by_hand], cwd=dossier, capture_output=True, check=False)
        assert done.returncode == 0, (by_hand, done.stderr)


def _age(identity_file: Path, payload: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["age", "-d", "-i", str(identity_file)], input=payload, capture_output=True, check=False)


@pytest.mark.needs_age
def test_age_opens_the_outer_layer_then_the_inner_one(papers: Papers) -> None:
    envelope = (papers.operator.keys / keys.SITE_ENVELOPE).read_bytes()
    assert _age(papers.consignee.keys / "identity.txt", envelope).returncode != 0
    outer = _age(papers.operator.keys / "identity.txt", envelope)
    assert outer.returncode == 0
    assert outer.stdout == (papers.operator.keys / keys.RELEASE).read_bytes()
    assert _age(papers.operator.keys / "identity.txt", outer.stdout).returncode != 0
    inner = _age(papers.consignee.keys / "identity.txt", outer.stdout)
    assert inner.returncode == 0
    assert papers.identity.encode() in inner.stdout
    with pytest.raises(DocumentError):
        decode(ShipmentKey, inner.stdout, "the payload is the key and its signature, not the bare document")
