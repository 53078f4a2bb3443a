"""What packtrain signs, OpenSSF's own tool verifies, with no network; and a changed byte it refuses."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from msgspec.structs import replace

from packtrain.crypto import model_signature
from packtrain.crypto.model_signature import generate_key, public_key_of
from packtrain.digest import sha256_file
from packtrain.documents.codec import encode, namespace
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.errors import IntegrityError, KeyMalformed, KeyMissing, StageNotReady
from packtrain.record.folder import VoyageFolder
from packtrain.stages import homecoming
from packtrain.training.box import Box
from sample_documents import samples
from three_parties import three_parties

TOOL = Path(__file__).parents[2] / "build" / "model-signing" / "bin" / "python"
FILES = {
    "weights.safetensors": bytes(range(256)) * 300,
    "metrics.jsonl": b'{"step": 1}\n',
    "MODEL-CARD.md": b"# card\n",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    folders = three_parties(tmp_path_factory.mktemp("voyage"))
    folder = folders["consignor"]
    results = folder.root / "results"
    results.mkdir()
    for name, payload in FILES.items():
        (results / name).write_bytes(payload)
    sample = samples()[ExportList]
    assert isinstance(sample, ExportList)
    listed = tuple(
        ExportedFile(
            name=name,
            bytes=len(FILES[name]),
            sha256=sha256_file(results / name),
            sealed_bytes=1,
            sealed_sha256="1" * 64,
        )
        for name in ("weights.safetensors", "metrics.jsonl")
    )
    document = replace(sample, files=listed)
    folder.write(document)
    signature = folders["consignee"].signer().sign(namespace(ExportList), encode(document))
    folder.signature_path(ExportList).write_text(signature)
    homecoming.sign_model(folder, None)
    return folder


@pytest.fixture
def folder(home: VoyageFolder, tmp_path: Path) -> VoyageFolder:
    shutil.copytree(home.root, tmp_path / "home")
    return VoyageFolder(tmp_path / "home")


def verifies(folder: VoyageFolder) -> bool:
    if not TOOL.is_file():
        pytest.skip('model-signing is not installed: "make model-signing" installs it into build/')
    command = [str(TOOL), "-m", "model_signing", "verify", "key", "--signature", "results/model.sig"]
    command += ["--public_key", "keys/model-signer.pub", "results"]
    # Where no box can be made the tool runs with the network there; it needs none.
    alone = ["unshare", "-rn"] if Box.probe() is None else []
    environment = {**os.environ, "HOME": str(folder.root / "nobody")}
    done = subprocess.run(
        [*alone, *command], cwd=folder.root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0 or "Verification failed" in done.stdout + done.stderr, done.stderr
    return done.returncode == 0


def test_the_tool_verifies_what_came_home_and_refuses_every_change(folder: VoyageFolder) -> None:
    assert verifies(folder)
    weights = folder.root / "results" / "weights.safetensors"
    payload = weights.read_bytes()
    weights.write_bytes(payload[:5] + b"?" + payload[6:])
    assert not verifies(folder)
    weights.write_bytes(payload)
    (folder.root / "results" / "more.txt").write_text("x")
    assert not verifies(folder)
    (folder.root / "results" / "more.txt").unlink()
    (folder.keys / "model-signer.pub").write_bytes(public_key_of(generate_key()[0], "another"))
    assert not verifies(folder)


def test_only_what_the_export_list_names_is_signed(folder: VoyageFolder) -> None:
    weights = folder.root / "results" / "weights.safetensors"
    weights.write_bytes(b"other")
    with pytest.raises(IntegrityError, match="not those of the export list"):
        homecoming.sign_model(folder, None)
    weights.unlink()
    with pytest.raises(IntegrityError, match="not those of the export list"):
        homecoming.sign_model(folder, None)
    weights.symlink_to(folder.root / "voyage.toml")
    with pytest.raises(IntegrityError, match="no plain file"):
        homecoming.sign_model(folder, None)


def test_without_results_nothing_is_signed(tmp_path: Path) -> None:
    with pytest.raises(StageNotReady):
        homecoming.sign_model(three_parties(tmp_path)["consignor"], None)


def test_the_key_is_made_once_and_is_nobody_elses_to_read(folder: VoyageFolder) -> None:
    key = folder.keys / "model-signer"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    homecoming.sign_model(folder, None)
    assert key.read_bytes() == before
    public = serialization.load_pem_public_key((folder.keys / "model-signer.pub").read_bytes())
    envelope = json.loads((folder.root / "results/model.sig").read_bytes())["dsseEnvelope"]
    body, signature = (base64.b64decode(text) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
    kind = envelope["payloadType"].encode()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    # Spelled out: what DSSE has signed, with the lengths before the values.
    public.verify(signature, b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body), ec.ECDSA(hashes.SHA256()))


def test_a_key_of_another_kind_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    place = tmp_path / "key"
    for payload in (
        ec.generate_private_key(ec.SECP384R1()).private_bytes(*pem),
        ed25519.Ed25519PrivateKey.generate().private_bytes(*pem),
        (folder.keys / "signer").read_bytes(),
        b"no key",
    ):
        place.write_bytes(payload)
        with pytest.raises(KeyMalformed):
            homecoming.sign_model(folder, place)
    with pytest.raises(KeyMissing):
        homecoming.sign_model(folder, tmp_path / "nowhere")
    place.write_bytes(model_signature.generate_key()[0])
    homecoming.sign_model(folder, place)
