"""What packtrain signs, stock `ssh-keygen -Y verify` checks, by the allowed_signers that lies beside parties.json."""

import subprocess
from pathlib import Path

import pytest

from packtrain.documents.codec import Document, namespace
from packtrain.documents.parties import SIGNING_RIGHTS, Role
from packtrain.record.folder import VoyageFolder
from sample_documents import document_types, samples
from three_parties import three_parties

pytestmark = pytest.mark.needs_ssh_keygen
SIGNED: list[tuple[Role, type[Document]]] = [
    (role, kind) for role, kinds in SIGNING_RIGHTS.items() for kind in document_types() if kind.kind in kinds
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path_factory.mktemp("voyage"))


def _verifies(reader: VoyageFolder, writer: VoyageFolder, kind: type[Document], principal: str, space: str) -> bool:
    path = writer.document_path(kind)
    command = ["ssh-keygen", "-Y", "verify", "-f", str(reader.documents / "allowed_signers"), "-I", principal]
    command += ["-n", space, "-s", str(writer.signature_path(kind))]
    with path.open("rb") as stream:
        return subprocess.run(command, stdin=stream, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("role", "kind"), SIGNED, ids=[f"{role}-{kind.kind}" for role, kind in SIGNED])
def test_ssh_keygen_accepts_each_document_of_each_role(
    folders: dict[Role, VoyageFolder], role: Role, kind: type[Document]
) -> None:
    writer = folders[role]
    writer.write_signed(samples()[kind], writer.signer())

    for reader in folders.values():
        assert _verifies(reader, writer, kind, role, namespace(kind))


def test_ssh_keygen_refuses_a_document_that_the_role_may_not_sign(folders: dict[Role, VoyageFolder]) -> None:
    kind = next(kind for kind in document_types() if kind.kind == "plan")
    writer = folders["operator"]
    writer.write_signed(samples()[kind], writer.signer())

    assert not _verifies(writer, writer, kind, "operator", namespace(kind))


def test_ssh_keygen_refuses_another_namespace_and_changed_bytes(folders: dict[Role, VoyageFolder]) -> None:
    kind = next(kind for kind in document_types() if kind.kind == "shipment")
    writer = folders["consignor"]
    writer.write_signed(samples()[kind], writer.signer())
    assert not _verifies(writer, writer, kind, "consignor", "packtrain-plan@v1")

    path: Path = writer.document_path(kind)
    path.write_bytes(path.read_bytes().replace(b"1000", b"1001"))
    assert not _verifies(writer, writer, kind, "consignor", namespace(kind))
