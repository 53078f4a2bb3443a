"""What is carried: lists of a document, the digest."""

import os
from pathlib import Path

import pytest

from packtrain.digest import sha256_bytes
from packtrain.errors import SourceChanged, SourceUnreadable
from packtrain.volume.cargo import cargo_digest, listed
from packtrain.volume.folder_scan import scan
from shipment_parts import write_cargo


def test_listed_names_all_missing_files(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"here": 4})
    files = [("here", 4, "0" * 64), ("gone", 1, "0" * 64), ("lost", 1, "0" * 64)]
    with pytest.raises(SourceUnreadable, match=r"gone.*lost"):
        list(listed(tmp_path, files))


def test_listed_refuses_a_file_of_another_length(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"here": 4})
    with pytest.raises(SourceChanged, match="expected 5 bytes, found 4"):
        list(listed(tmp_path, [("here", 5, sha256_bytes(b""))]))


def test_the_digest_changes_with_content_time_and_order(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"a": 3, "b": 3})
    entries = list(scan(tmp_path))
    before = cargo_digest(entries)
    assert cargo_digest(reversed(entries)) != before
    os.utime(tmp_path / "a", ns=(1, 1))
    assert cargo_digest(scan(tmp_path)) != before
