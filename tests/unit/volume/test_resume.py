"""Held against the catalog before anything is hashed or taken as done."""

from pathlib import Path

import pytest

from packtrain.errors import HostileArchive
from packtrain.volume.catalog import Catalog, create
from packtrain.volume.resume import check_tiling

PIECES = ((1, 0, 40), (2, 40, 40), (3, 80, 20))
"""Number, offset in the file, and bytes of the pieces of a file of 100 bytes."""


def check(path: Path, pieces: tuple[tuple[int, int, int], ...], *, total_bytes: int = 100) -> None:
    connection = create(path)
    connection.execute(
        "INSERT INTO files VALUES (1, x'61', 'file', ?, ?, 420, 0, NULL, 0, 0, 0)", (total_bytes, "0" * 64)
    )
    connection.executemany(
        "INSERT INTO pieces (file, number, count, stripe, volume_column, tar_offset, file_offset, bytes) "
        "VALUES (1, ?, 3, 0, 0, 512, ?, ?)",
        pieces,
    )
    connection.execute("COMMIT")
    connection.close()
    with Catalog.open(path) as catalog:
        check_tiling(catalog, catalog.file(1))


def test_pieces_that_make_the_file_are_taken(tmp_path: Path) -> None:
    check(tmp_path / "catalog", PIECES)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(PIECES[:2], id="the-last-is-missing"),
        pytest.param(PIECES[1:], id="the-first-is-missing"),
        pytest.param((PIECES[0], PIECES[2]), id="one-between-is-missing"),
        pytest.param((PIECES[0], (2, 30, 50), PIECES[2]), id="two-overlap"),
        pytest.param((PIECES[0], (2, 50, 30), PIECES[2]), id="a-gap"),
        pytest.param((), id="none"),
    ],
)
def test_pieces_that_do_not_make_the_file_are_hostile(tmp_path: Path, pieces: tuple[tuple[int, int, int], ...]) -> None:
    with pytest.raises(HostileArchive):
        check(tmp_path / "catalog", pieces)


def test_a_file_far_longer_than_its_pieces_is_hostile_and_is_not_hashed(tmp_path: Path) -> None:
    with pytest.raises(HostileArchive, match="do not make the whole"):
        check(tmp_path / "catalog", PIECES, total_bytes=2**53 - 1)
