"""What is carried: scanning a folder, lists of a document, the digest."""

import os
import socket
from pathlib import Path

import pytest

from packtrain.digest import sha256_bytes
from packtrain.errors import SourceChanged, SourceUnreadable
from packtrain.volume.cargo import cargo_digest, listed, scan
from shipment_parts import write_cargo


def test_scan_lists_files_links_and_empty_directories_in_byte_order(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"b/two": 2, "a": 1, "b/one": 0})
    (tmp_path / "b" / "void").mkdir()
    (tmp_path / "c").symlink_to("nowhere")
    found = [(entry.name, entry.kind, entry.size_bytes) for entry in scan(tmp_path)]
    assert found == [
        (b"a", "file", 1),
        (b"b/one", "file", 0),
        (b"b/two", "file", 2),
        (b"b/void", "directory", 0),
        (b"c", "symlink", 0),
    ]


def test_scan_keeps_names_that_are_no_text(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff")).write_bytes(b"x")
    assert [entry.name for entry in scan(tmp_path, b"p/")] == [b"p/odd\xff"]


def test_scan_does_not_follow_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "up").symlink_to("..")
    assert [(entry.name, entry.link_target) for entry in scan(tmp_path)] == [(b"in/up", b"..")]


def test_scan_names_everything_that_cannot_be_carried_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cargo(tmp_path, {"good": 1})
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's path may not be longer than 107 bytes
        server.bind("socket")
        with pytest.raises(SourceUnreadable) as error:
            list(scan(tmp_path))
    assert "pipe" in error.value.what
    assert "socket" in error.value.what


def test_a_missing_source_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        list(scan(tmp_path / "gone"))


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


def test_scan_names_links_that_the_reader_would_refuse(tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    (tmp_path / "out").symlink_to("../elsewhere")
    with pytest.raises(SourceUnreadable, match=r"2 sources cannot be carried.*absolute.*leads out of the tree"):
        list(scan(tmp_path))
