"""Stock ssh-keygen checks what we sign, and we check what it signs."""

import subprocess
from pathlib import Path

import pytest

from packtrain.crypto.sshsig import SshSigner, fingerprint, generate_key_pair, verify
from packtrain.errors import KeyMalformed, SignatureInvalid

pytestmark = pytest.mark.needs_ssh_keygen

NAMESPACE = "packtrain-group@v1"
PAYLOADS = [b"", b'{"type":"group"}', bytes(range(256)) * 1000]


def keygen(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ssh-keygen", *(str(word) for word in arguments)], input=stdin, capture_output=True, check=False
    )


def stock_key(folder: Path, *options: str) -> Path:
    made = keygen("-q", "-N", "", "-C", "stock", "-f", folder / "stock", *(options or ("-t", "ed25519")))
    assert made.returncode == 0, made.stderr
    return folder / "stock"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_ssh_keygen_accepts_our_signature(tmp_path: Path, payload: bytes) -> None:
    line = generate_key_pair(tmp_path / "signer", "us")
    (tmp_path / "sig").write_text(SshSigner.load(tmp_path / "signer").sign(NAMESPACE, payload))
    (tmp_path / "allowed").write_text(f'consignor namespaces="{NAMESPACE}" {line}\n')
    common = ("-s", tmp_path / "sig", "-n", NAMESPACE)
    assert keygen("-Y", "check-novalidate", *common, stdin=payload).returncode == 0
    checked = keygen("-Y", "verify", "-f", tmp_path / "allowed", "-I", "consignor", *common, stdin=payload)
    assert checked.returncode == 0, checked.stdout
    assert fingerprint(line).encode() in checked.stdout


def test_ssh_keygen_refuses_our_signature_of_another_payload(tmp_path: Path) -> None:
    generate_key_pair(tmp_path / "signer", "us")
    (tmp_path / "sig").write_text(SshSigner.load(tmp_path / "signer").sign(NAMESPACE, b"one"))
    assert keygen("-Y", "check-novalidate", "-s", tmp_path / "sig", "-n", NAMESPACE, stdin=b"two").returncode != 0


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("digest", ["sha512", "sha256"])
def test_we_accept_what_ssh_keygen_signs(tmp_path: Path, payload: bytes, digest: str) -> None:
    key = stock_key(tmp_path)
    signed = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, "-O", f"hashalg={digest}", stdin=payload)
    line = verify(signed.stdout.decode(), NAMESPACE, payload)
    assert line == " ".join((tmp_path / "stock.pub").read_text().split()[:2])
    with pytest.raises(SignatureInvalid):
        verify(signed.stdout.decode(), "packtrain-plan@v1", payload)


def test_both_make_the_same_signature(tmp_path: Path) -> None:
    key = stock_key(tmp_path)
    signed = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, stdin=b"plan").stdout.decode()
    assert SshSigner.load(key).sign(NAMESPACE, b"plan") == signed


def test_ssh_keygen_reads_our_key_and_shows_our_fingerprint(tmp_path: Path) -> None:
    line = generate_key_pair(tmp_path / "signer", "us")
    assert keygen("-y", "-f", tmp_path / "signer").stdout.decode().split()[:2] == line.split()
    for name in ("signer", "signer.pub"):
        assert keygen("-l", "-f", tmp_path / name).stdout.decode().split()[1] == fingerprint(line)


@pytest.mark.parametrize("options", [("-t", "ecdsa"), ("-t", "rsa", "-b", "2048")])
def test_keys_of_other_types_are_refused_by_name(tmp_path: Path, options: tuple[str, ...]) -> None:
    key = stock_key(tmp_path, *options)
    signed = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, stdin=b"plan").stdout.decode()
    with pytest.raises(SignatureInvalid, match="expected ssh-ed25519"):
        verify(signed, NAMESPACE, b"plan")
    with pytest.raises(KeyMalformed, match="expected ed25519"):
        SshSigner.load(key)


def test_a_key_with_a_passphrase_is_refused_by_name(tmp_path: Path) -> None:
    assert keygen("-q", "-N", "secret", "-t", "ed25519", "-f", tmp_path / "sealed").returncode == 0
    with pytest.raises(KeyMalformed, match="has a passphrase"):
        SshSigner.load(tmp_path / "sealed")
