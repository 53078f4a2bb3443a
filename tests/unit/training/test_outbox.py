"""Results are sealed to the key that the consignor has, and opened with it alone."""

import os
from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.crypto.sshsig import generate_key_pair
from packtrain.errors import AgeFormatError, IntegrityError, WrongKey
from packtrain.training.outbox import read_bounded, seal, unseal


@pytest.fixture
def ssh_key(tmp_path: Path) -> str:
    generate_key_pair(tmp_path / "key", "")
    return (tmp_path / "key").read_text()


@pytest.mark.parametrize("kind", ["age", "ssh"])
def test_a_result_comes_back_with_the_key_it_was_sealed_to(tmp_path: Path, ssh_key: str, kind: str) -> None:
    identity = ssh_key if kind == "ssh" else age.generate_identity()
    (tmp_path / "weights.safetensors").write_bytes(b"weights" * 20_000)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "home").mkdir()
    listed = seal(tmp_path / "weights.safetensors", tmp_path / "outbox", age.recipient_of(identity))
    opened = unseal(listed, tmp_path / "outbox", identity, tmp_path / "home")
    assert opened.read_bytes() == b"weights" * 20_000
    with pytest.raises((WrongKey, AgeFormatError)):
        unseal(listed, tmp_path / "outbox", ssh_key if kind == "age" else age.generate_identity(), tmp_path / "home")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "export-list.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        (tmp_path / "other").write_bytes(b"{}")
        path.symlink_to(tmp_path / "other")
    with pytest.raises(IntegrityError):
        read_bounded(path, 10)
