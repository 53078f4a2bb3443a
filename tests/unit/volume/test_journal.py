"""The journal of packing: what its disk does to it is a message, and costs nothing that was noted."""

import sqlite3
from pathlib import Path

import pytest

from packtrain.errors import DriveFull, IntegrityError, SourceUnreadable
from packtrain.volume.assignment import Piece, Placed
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.journal import Journal


def placed(name: bytes) -> Placed:
    entry = CargoEntry(name=name, source=Path("/source"), kind="file", size_bytes=1, mode=0o644, mtime_ns=0)
    return Placed(entry, 0, (Piece(1, 1, 0, 0, 512, 0, 1),))


def limit_pages(journal: Journal, pages: int) -> None:
    """Let SQLite say what it says on a full disk, without one."""
    connection: sqlite3.Connection = journal._connection  # pyright: ignore[reportPrivateUsage]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_a_message_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        limit_pages(journal, 20)
        journal.keep_fact("plan", "one")
        with pytest.raises(DriveFull, match="no space left"):
            journal.write_list((placed(b"%06d" % number) for number in range(5000)), {})
        assert not journal.has_list()
        limit_pages(journal, 1 << 20)
        journal.write_list([placed(b"a")], {})
    with Journal(tmp_path) as journal:
        assert journal.has_list()
        assert journal.fact("plan") == "one"


def test_a_damaged_journal_says_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(IntegrityError, match="journal of packing is damaged") as caught:
        Journal(tmp_path)
    assert caught.value.where == str(tmp_path / "journal.sqlite")
    assert caught.value.hint


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, pytest.raises(SourceUnreadable, match="the same name"):
        journal.write_list([placed(b"a"), placed(b"a")], {})
