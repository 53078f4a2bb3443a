"""The journal of packing: what its disk does to it is a message, and costs nothing that was noted."""

import sqlite3
from pathlib import Path

import pytest

from packtrain.errors import DriveFailed, DriveFull, IntegrityError, SourceUnreadable
from packtrain.volume.assignment import Piece, Placed
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.catalog import Catalog
from packtrain.volume.journal import Journal
from packtrain.volume.journal_file import FILE


def placed(name: bytes) -> Placed:
    entry = CargoEntry(name=name, source=b"/source", kind="file", size_bytes=1, mode=0o644, mtime_ns=0)
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


def test_damage_behind_the_first_rows_is_the_same_message(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write_list((placed(b"%06d" % number) for number in range(5000)), {})
    path = tmp_path / "journal.sqlite"
    payload = bytearray(path.read_bytes())
    page_bytes = int.from_bytes(payload[16:18], "big")
    for start in range(len(payload) // 2, len(payload) * 3 // 4, page_bytes):
        start -= start % page_bytes
        payload[start : start + page_bytes] = b"\xff" * page_bytes
    path.write_bytes(payload)
    with Journal(tmp_path) as journal, pytest.raises(IntegrityError, match="journal of packing is damaged") as caught:
        for _ in journal.members_in(0, 0, 0):
            pass
    assert caught.value.where == str(path)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, pytest.raises(SourceUnreadable, match="the same name"):
        journal.write_list([placed(b"a"), placed(b"a")], {})


def test_all_that_is_known_of_an_entry_comes_back_and_is_in_the_catalog(tmp_path: Path) -> None:
    entry = CargoEntry(
        b"a", b"/source", "file", 1, 0o4755, -1, uid=2**32 - 2, gid=7, is_sparse=True,
        xattrs=((b"user.a", b"\xff"), (b"user.b", b"")),
    )  # fmt: skip
    link = CargoEntry(b"b", b"/link", "hardlink", 0, 0o4755, -1, link_target=b"a")
    place = (Piece(1, 1, 0, 0, 512, 0, 1),)
    with Journal(tmp_path) as journal:
        journal.write_list([Placed(entry, 0, place), Placed(link, 0, place), placed(b"c")], {})
        first, second, _ = journal.members_in(0, 0, 0)
        assert (first.path, first.source, first.kind, first.file_bytes) == (b"a", b"/source", "file", 1)
        assert (first.mode, first.mtime_ns, first.uid, first.gid) == (0o4755, -1, 2**32 - 2, 7)
        assert (first.has_xattrs, journal.xattrs(first.file_id)) == (1, entry.xattrs)
        assert (second.path, second.kind, second.link_target, second.has_xattrs) == (b"b", "hardlink", b"a", 0)
        journal.record_files([(1, "0" * 64, None), (3, "0" * 64, None)])
        journal.write_catalog(0, tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        file, hard, third = opened.files()
        assert (file.uid, file.gid, file.is_sparse, file.xattrs) == (2**32 - 2, 7, True, entry.xattrs)
        assert (hard.kind, hard.link_target, hard.xattrs) == ("hardlink", b"a", ())
        assert third.xattrs == ()


def test_who_only_reads_changes_nothing_whatever_state_the_journal_is_in(tmp_path: Path) -> None:
    def files() -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}

    def read() -> str | None:
        before = files()
        with Journal(tmp_path, only_reads=True) as journal:
            found = journal.fact("plan")
        assert files() == before
        return found

    assert read() is None  # not begun
    with Journal(tmp_path) as journal:
        journal.keep_fact("plan", "one")
        assert read() == "one"  # while another writes it
        aside = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert read() == "one" and [*files()] == [FILE]  # closed
    for name, payload in aside.items():
        (tmp_path / name).write_bytes(payload)
    assert len(files()) == 3
    assert read() == "one"  # its writer was killed
    with Journal(tmp_path, only_reads=True) as journal, pytest.raises(DriveFailed, match="readonly"):
        journal.keep_fact("plan", "two")
