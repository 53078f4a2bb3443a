"""What near pairs mean for a data set: which samples stay together, and which are dropped in favour of which.

Rows are numbered by preference: of two that are near, the one with the smaller number is the one to keep. Who numbers
them says what is better (more pixels first, then the smaller key).

Nearness is not passed on: A may be near B and B near C without A being near C. So there are two answers. To *drop*: a
row goes only if it is within the threshold of a row that is kept, and C stays beside A. To *split* (training,
validation): all that hangs together by any chain stays on one side, though its ends may be unlike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from packtrain.dataset.database import open_database, remove_spilled
from packtrain.dataset.near.pairs import NearPairs
from packtrain.dataset.near.trees import Trees
from packtrain.units import MIB

_MEMORY_BYTES: Final = 512 * MIB
_BATCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Dropped:
    """A block of rows that are near-duplicates of a row that is kept.

    Attributes:
        row: ascending over all blocks.
        kept: the row that is kept instead; smaller than `row`.
        distance: between their fingerprints, in the measure of the pairs.
    """

    row: NDArray[np.int64]
    kept: NDArray[np.int64]
    distance: NDArray[np.float32]


class NearGroups:
    """Collects pairs; then says what is dropped and what hangs together. Use it as a context.

    Pairs may be added in any order and more than once. 4 bytes of memory a row; pairs are spilled to the folder.

    Args:
        num_rows: rows are numbered 0 .. num_rows - 1, the best first.
        folder: for what does not fit into memory; emptied at the end.
    """

    def __init__(self, num_rows: int, folder: Path) -> None:
        self._trees = Trees(num_rows)
        self._folder = folder
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._connection = open_database(_MEMORY_BYTES, self._folder)
        self._connection.execute("CREATE TABLE pairs (first BIGINT, second BIGINT, distance FLOAT, is_equal BOOLEAN)")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open().close()
        remove_spilled(self._folder)

    def add(self, pairs: NearPairs) -> None:
        """Take a block of pairs, the smaller row first."""
        if len(pairs.first) == 0:
            return
        self._trees.unite(pairs.first, pairs.second)
        table = pa.table(
            {
                "first": pairs.first,
                "second": pairs.second,
                "distance": pairs.distance,
                "is_equal": np.full(len(pairs.first), pairs.are_equal),
            }
        )
        self._open().from_arrow(table).insert_into("pairs")

    def components(self) -> NDArray[np.int64]:
        """Return for every row the smallest row that it hangs together with: its own number where it is alone."""
        return self._trees.components()

    def dropped(self) -> Iterator[Dropped]:
        """Yield the rows to drop: walked by preference, a row stays unless it is near one that stays.

        The row kept instead is the nearest of those, and of equally near ones the best.
        """
        connection = self._open()
        connection.execute("CREATE OR REPLACE TABLE dropped (row BIGINT, kept BIGINT, distance FLOAT)")
        ordered = connection.cursor().sql(
            "SELECT first, second, distance FROM pairs WHERE NOT is_equal ORDER BY second, distance, first"
        )
        # Every better neighbour of a row has been decided when the row's turn comes.
        stays = bytearray(b"\1") * len(self._trees)
        for batch in ordered.to_arrow_reader(_BATCH_ROWS):
            going: list[tuple[int, int, float]] = []
            columns = (batch.column(number).to_pylist() for number in range(3))
            for first, second, distance in zip(*columns, strict=True):
                if stays[second] and stays[first]:
                    stays[second] = 0
                    going.append((second, first, distance))
            if going:
                rows, kept, distances = zip(*going, strict=True)
                table = pa.table(
                    {
                        "row": pa.array(rows, pa.int64()),
                        "kept": pa.array(kept, pa.int64()),
                        "distance": pa.array(distances, pa.float32()),
                    }
                )
                connection.from_arrow(table).insert_into("dropped")
        # Of equal fingerprints only the first was compared: the others go where it goes, or go in favour of it.
        result = connection.sql(
            "SELECT row, kept, distance FROM dropped UNION ALL SELECT DISTINCT p.second, coalesce(d.kept, p.first),"
            " coalesce(d.distance, 0)::FLOAT FROM pairs p LEFT JOIN dropped d ON d.row = p.first WHERE p.is_equal"
            " ORDER BY 1"
        )
        for batch in result.to_arrow_reader(_BATCH_ROWS):
            row, kept, distance = (batch.column(number).to_numpy(zero_copy_only=False) for number in range(3))
            yield Dropped(row, kept, distance)

    def _open(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        return self._connection
