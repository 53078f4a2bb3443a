"""MinHash of a block of table rows: which cells stand beside each other, whatever the columns are called.

A shingle is two neighbouring cells of a row with the place of the column. One changed cell takes two shingles of a row,
not the row, so that a block with a few changed cells stays near. A pair that stands in several rows of the block says
what the table is about and not which block it is ("yes | female"): only pairs seen once count. Where few are seen once,
and where there is one column only, whole rows count, the second of two equal rows as another one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]

from packtrain.dataset.arrow import Table

BLOCK_PERMUTATIONS: Final = 128
BLOCK_BYTES: Final = 4 * BLOCK_PERMUTATIONS
_SEED: Final = 20_261_127
# Of how many rows at least, on average, something must be seen once before pairs stand for rows.
_LEAST_SHARE: Final = 0.5
_EMPTY_CELL: Final = np.uint64(0x9E3779B97F4A7C15)


def fingerprint_of_block(table: Table) -> bytes:
    """Return the MinHash of a block of rows: 128 values of 4 bytes, or none for a block without rows or columns.

    Cells are compared as text: 1 and 1.0 are the same cell. Names of columns do not matter, their order does.
    """
    if table.num_rows == 0 or table.num_columns == 0:
        return b""
    columns = [_hashed(column) for column in table.columns]
    shingles = _seen_once(columns)
    if len(shingles) < _LEAST_SHARE * table.num_rows:
        shingles = _whole_rows(columns)
    digest: Any = RMinHash.digest_matrix_from_flat_token_hashes(
        shingles, [0, len(shingles)], num_perm=BLOCK_PERMUTATIONS, seed=_SEED
    )
    return np.array(digest.to_rows()[0], dtype="<u4").tobytes()


def _hashed(column: Any) -> NDArray[np.uint64]:
    """Return the hash of each cell of a column. Each different text is hashed once."""
    chunk = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    chunk = _text(chunk).dictionary_encode()
    texts: list[bytes] = pc.cast(chunk.dictionary, pa.large_binary()).to_pylist()
    hashes = np.array([xxhash.xxh3_64_intdigest(text) for text in texts] + [int(_EMPTY_CELL)], dtype=np.uint64)
    places = chunk.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return hashes[places]


def _text(cells: Any) -> Any:
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    try:
        return pc.cast(cells, pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        # Lists, structures, and bytes that are no text.
        return pa.array([None if cell is None else repr(cell) for cell in cells.to_pylist()], pa.large_string())


def _seen_once(columns: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    pairs = [_mixed(_mixed(columns[place], place), columns[place + 1]) for place in range(len(columns) - 1)]
    if not pairs:
        return np.zeros(0, dtype=np.uint64)
    found, counts = np.unique(np.concatenate(pairs), return_counts=True)
    return found[counts == 1]


def _whole_rows(columns: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    rows = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        rows = _mixed(rows, column)
    # The how-manieth of its kind each row is, so that a block of equal rows is no block of one row.
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.searchsorted(ordered, ordered, side="left")
    return np.unique(_mixed(ordered, (np.arange(len(rows)) - first).astype(np.uint64)))


def _mixed(state: NDArray[np.uint64], more: NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """Return a hash of two hashes. Source: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = state * np.uint64(0x9E3779B97F4A7C15) + np.asarray(more, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
