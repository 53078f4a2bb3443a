# pyright: reportAttributeAccessIssue=false
# pyrage's stubs name none of its functions.
"""Stock age, and pyrage (the Rust implementation), read what we write and write what we read."""

import os
import pty
import subprocess
import time
from pathlib import Path

import pyrage
import pytest

from packtrain.crypto import age

LENGTHS = [0, 1, 65535, 65536, 65537, 200_000]


def plaintext(length: int) -> bytes:
    return (b"carried " * (length // 8 + 1))[:length]


WORDS = "correct mule battery staple"


def type_at_terminal(command: list[str], times: int) -> int:
    """Run a command that asks on its terminal, type WORDS as often as said, and return its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""
    try:
        while piece := os.read(terminal, 1000):
            shown += piece
            if shown.rstrip().endswith(b":") and times:
                times -= 1
                shown = b""
                # It asks before it turns the echo off, and drops what was typed until then.
                time.sleep(0.2)
                os.write(terminal, WORDS.encode() + b"\n")
    except OSError:
        pass  # EIO: the program has ended
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def ssh_key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    return tmp_path / "id"


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


@pytest.mark.needs_age
@pytest.mark.needs_ssh_keygen
def test_stock_age_opens_what_we_seal_to_an_ssh_key(ssh_key: Path) -> None:
    recipient = ssh_key.with_suffix(".pub").read_text()
    blob = age.encrypt_bytes(b"key", [age.recipient_of(age.generate_identity()), recipient])
    assert run("age", "-d", "-i", ssh_key, stdin=blob) == b"key"


@pytest.mark.needs_age
@pytest.mark.needs_ssh_keygen
def test_we_open_what_stock_age_seals_to_an_ssh_key(ssh_key: Path) -> None:
    blob = run("age", "-R", ssh_key.with_suffix(".pub"), stdin=b"key")
    assert age.decrypt_bytes(blob, [ssh_key.read_text()]) == b"key"


@pytest.mark.needs_ssh_keygen
def test_pyrage_and_we_open_each_others_ssh_envelopes(ssh_key: Path) -> None:
    recipient, identity = ssh_key.with_suffix(".pub").read_text(), ssh_key.read_text()
    ours = age.encrypt_bytes(b"key", [recipient])
    assert pyrage.decrypt(ours, [pyrage.ssh.Identity.from_buffer(identity.encode())]) == b"key"
    theirs = pyrage.encrypt(b"key", [pyrage.ssh.Recipient.from_str(recipient.strip())])
    assert age.decrypt_bytes(theirs, [identity]) == b"key"


@pytest.mark.needs_age
def test_stock_age_opens_what_we_seal_with_a_passphrase(tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(age.encrypt_bytes(b"key", [age.Passphrase(WORDS)]))
    command = ["age", "-d", "-o", str(tmp_path / "plain"), str(tmp_path / "sealed")]
    assert type_at_terminal(command, 1) == 0
    assert (tmp_path / "plain").read_bytes() == b"key"


@pytest.mark.needs_age
def test_we_open_what_stock_age_seals_with_a_passphrase(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"key")
    command = ["age", "-p", "-o", str(tmp_path / "sealed"), str(tmp_path / "plain")]
    assert type_at_terminal(command, 2) == 0
    assert age.decrypt_bytes((tmp_path / "sealed").read_bytes(), [age.Passphrase(WORDS)]) == b"key"


def test_pyrage_opens_what_we_seal_with_a_passphrase() -> None:
    blob = age.encrypt_bytes(b"key", [age.Passphrase(WORDS, 10)])
    assert pyrage.passphrase.decrypt(blob, WORDS) == b"key"


def test_we_open_what_pyrage_seals_with_a_passphrase() -> None:
    # It measures the machine and takes a work factor of about a second, which a fast one could lift over our bound.
    blob = pyrage.passphrase.encrypt(b"key", WORDS)
    work_factor = int(blob.split(b"\n")[1].split()[3])
    if work_factor > age.MAX_WORK_FACTOR:
        pytest.skip(f"pyrage chose a work factor of {work_factor} on this machine")
    assert age.decrypt_bytes(blob, [age.Passphrase(WORDS)]) == b"key"
