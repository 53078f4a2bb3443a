"""The catalog as a stranger may have made it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from packtrain.errors import IntegrityError
from packtrain.volume import catalog
from packtrain.volume.catalog import Catalog

GOOD = (1, b"a/b", "file", 3, "0" * 64, 0o644, 5, None)
OWNED = (1000, 100, 1)
PIECE = (1, 1, 1, 1, 0, 0, 512, 0, 3)


def make(
    path: Path,
    file: tuple[object, ...] = GOOD,
    piece: tuple[object, ...] = PIECE,
    owned: tuple[int, int, int] = OWNED,
    xattrs: Sequence[tuple[int, bytes, bytes]] = (),
) -> Path:
    connection = catalog.create(path)
    connection.executemany("INSERT INTO xattrs VALUES (?, ?, ?)", xattrs)
    connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*file, *owned))
    connection.execute("INSERT INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", piece)
    connection.execute("COMMIT")
    connection.close()
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    with Catalog.open(make(tmp_path / "c")) as opened:
        (file,) = opened.files()
        (piece,) = opened.pieces_in(0, 0)
        assert (file.path, file.bytes, file.mtime_ns) == (b"a/b", 3, 5)
        assert (file.uid, file.gid, file.is_sparse, file.xattrs) == (1000, 100, True, ())
        assert opened.file(piece.file) == file
        assert list(opened.pieces_of(1)) == [piece]
        assert opened.num_files() == 1


@pytest.mark.parametrize(
    "file",
    [
        (1, b"", "file", 3, "0" * 64, 0o644, 5, None),
        (1, b"a", "device", 3, "0" * 64, 0o644, 5, None),
        (1, b"a", "file", -3, "0" * 64, 0o644, 5, None),
        (1, b"a", "file", 3, None, 0o644, 5, None),
        (1, b"a", "file", 3, "Z" * 64, 0o644, 5, None),
        (1, b"a", "file", 3, "0" * 64, 0o104644, 5, None),
        (1, b"a", "file", 3, "0" * 64, 0o644, 5, b"link"),
        (1, b"a", "symlink", 0, None, 0o777, 5, None),
        (1, b"a", "hardlink", 0, None, 0o777, 5, None),
        (1, b"a", "hardlink", 3, None, 0o777, 5, b"b"),
        (1, b"a", "hardlink", 0, "0" * 64, 0o777, 5, b"b"),
        (1, b"a", "directory", 3, None, 0o777, 5, None),
    ],
)
def test_an_entry_out_of_bounds_is_refused(tmp_path: Path, file: tuple[object, ...]) -> None:
    with Catalog.open(make(tmp_path / "c", file, owned=(0, 0, 0))) as opened, pytest.raises(IntegrityError):
        list(opened.files())


@pytest.mark.parametrize("owned", [(-1, 0, 0), (0, 2**32 - 1, 0), (0, 0, 2), (0, 0, -1)])
def test_an_owner_out_of_bounds_is_refused(tmp_path: Path, owned: tuple[int, int, int]) -> None:
    with Catalog.open(make(tmp_path / "c", owned=owned)) as opened, pytest.raises(IntegrityError):
        list(opened.files())


def test_a_folder_with_holes_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "c", (1, b"a", "directory", 0, None, 0o755, 5, None), owned=(0, 0, 1))
    with Catalog.open(path) as opened, pytest.raises(IntegrityError):
        list(opened.files())


def test_extended_attributes_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    xattrs = [(1, b"user.b", b""), (1, b"user.a", b"\xff"), (2, b"user.other", b"")]
    with Catalog.open(make(tmp_path / "c", xattrs=xattrs)) as opened:
        ((_, file),) = opened.members_in(0, 0)
        assert file.xattrs == ((b"user.a", b"\xff"), (b"user.b", b""))


@pytest.mark.parametrize(
    "xattrs",
    [
        [(1, b"trusted.a", b"")],
        [(1, b"user.a", bytes(65_536))],
        [(1, b"user.%d" % number, b"") for number in range(10_000)],
    ],
    ids=["namespace", "long", "many"],
)
def test_extended_attributes_out_of_bounds_are_refused(tmp_path: Path, xattrs: list[tuple[int, bytes, bytes]]) -> None:
    with Catalog.open(make(tmp_path / "c", xattrs=xattrs)) as opened, pytest.raises(IntegrityError):
        list(opened.files())


def test_a_link_with_extended_attributes_is_refused(tmp_path: Path) -> None:
    link = (1, b"a", "symlink", 0, None, 0o777, 5, b"b")
    path = make(tmp_path / "c", link, owned=(0, 0, 0), xattrs=[(1, b"user.a", b"")])
    with Catalog.open(path) as opened, pytest.raises(IntegrityError):
        list(opened.files())


@pytest.mark.parametrize(
    "piece", [(1, 1, 2, 1, 0, 0, 0, 0, 0), (1, 1, 0, 1, 0, 0, 0, 0, 0), (1, 1, 1, 1, -1, 0, 0, 0, 0)]
)
def test_a_piece_out_of_bounds_is_refused(tmp_path: Path, piece: tuple[object, ...]) -> None:
    with Catalog.open(make(tmp_path / "c", piece=piece)) as opened, pytest.raises(IntegrityError):
        list(opened.pieces_of(1))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM files; END",
        "CREATE TABLE more (x)",
        "DROP TABLE pieces",
        "UPDATE about SET value = 'packtrain-catalog-2'",
    ],
)
def test_another_schema_or_format_is_refused(tmp_path: Path, statement: str) -> None:
    path = make(tmp_path / "c")
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(IntegrityError):
        Catalog.open(path)


def test_a_cut_or_lengthened_catalog_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "c")
    payload = path.read_bytes()
    for changed in (*(payload[:length] for length in range(0, len(payload), 512)), payload + b"x"):
        path.write_bytes(changed)
        with pytest.raises(IntegrityError):
            Catalog.open(path)


def test_a_path_with_a_question_mark_opens_itself(tmp_path: Path) -> None:
    with Catalog.open(make(tmp_path / "c?mode=rwc#x")) as opened:
        assert opened.num_files() == 1
