# pyright: reportAttributeAccessIssue=false
# pyrage's stubs name none of its functions.
"""Stock age, and pyrage (the Rust implementation), read what we write and write what we read."""

import subprocess
from pathlib import Path

import pyrage
import pytest

from packtrain.crypto import age

LENGTHS = [0, 1, 65535, 65536, 65537, 200_000]


def plaintext(length: int) -> bytes:
    return (b"carried " * (length // 8 + 1))[:length]


def run(*command: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run([str(word) for word in command], input=stdin, capture_output=True, check=True).stdout


@pytest.mark.needs_age
@pytest.mark.parametrize("length", LENGTHS)
def test_stock_age_reads_ours(length: int, tmp_path: Path) -> None:
    identity = age.generate_identity()
    (tmp_path / "identity").write_text(identity + "\n")
    blob = age.encrypt_bytes(plaintext(length), [age.recipient_of(identity)])
    assert run("age", "--decrypt", "-i", tmp_path / "identity", stdin=blob) == plaintext(length)


@pytest.mark.needs_age
@pytest.mark.parametrize("length", LENGTHS)
def test_we_read_what_stock_age_writes(length: int) -> None:
    identity = age.generate_identity()
    blob = run("age", "--encrypt", "-r", age.recipient_of(identity), stdin=plaintext(length))
    assert age.decrypt_bytes(blob, [identity]) == plaintext(length)
    assert len(blob) == age.ciphertext_bytes(length)


@pytest.mark.needs_age
def test_stock_keys_are_ours(tmp_path: Path) -> None:
    run("age-keygen", "-o", tmp_path / "identity")
    identity = (tmp_path / "identity").read_text().splitlines()[-1]
    assert age.recipient_of(identity) == run("age-keygen", "-y", tmp_path / "identity").decode().strip()


@pytest.mark.needs_age
def test_an_envelope_of_stock_age_with_two_recipients_opens() -> None:
    ours, other = age.generate_identity(), age.generate_identity()
    blob = run("age", "-r", age.recipient_of(other), "-r", age.recipient_of(ours), stdin=b"key")
    assert age.decrypt_bytes(blob, [ours]) == b"key"


@pytest.mark.needs_age
def test_stock_age_opens_our_envelope_with_two_recipients(tmp_path: Path) -> None:
    ours, other = age.generate_identity(), age.generate_identity()
    blob = age.encrypt_bytes(b"key", [age.recipient_of(ours), age.recipient_of(other)])
    (tmp_path / "identity").write_text(other)
    assert run("age", "-d", "-i", tmp_path / "identity", stdin=blob) == b"key"


@pytest.mark.parametrize("length", LENGTHS)
def test_pyrage_reads_ours(length: int) -> None:
    identity = age.generate_identity()
    blob = age.encrypt_bytes(plaintext(length), [age.recipient_of(identity)])
    assert pyrage.decrypt(blob, [pyrage.x25519.Identity.from_str(identity)]) == plaintext(length)


@pytest.mark.parametrize("length", LENGTHS)
def test_we_read_what_pyrage_writes(length: int) -> None:
    # It adds a stanza of grease, which a reader has to pass over.
    identity = pyrage.x25519.Identity.generate()
    blob = pyrage.encrypt(plaintext(length), [identity.to_public()])
    assert age.decrypt_bytes(blob, [str(identity)]) == plaintext(length)
    assert age.recipient_of(str(identity)) == str(identity.to_public())
