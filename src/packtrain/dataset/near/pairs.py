"""From fingerprints to the pairs that are near each other: exact, on one machine, without all of them in memory.

Equal fingerprints are made one first. They come as rows (a number, a fingerprint) in any order and go through DuckDB,
which spills what does not fit into memory; what is compared lies in files of the scratch folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.database import open_database, remove_spilled
from packtrain.dataset.near.blocks import BLOCK_BYTES
from packtrain.dataset.near.fingerprint import CLIP_FRAMES, CLIP_HEAD_BYTES, Method
from packtrain.dataset.near.hashes import PDQ_BYTES, PHASH_BYTES
from packtrain.dataset.near.join import Distances, Join, Places
from packtrain.dataset.near.measures import Bits, Frames, Sketches, least_frames
from packtrain.units import MIB

_MEMORY_BYTES: Final = 512 * MIB
_BATCH_ROWS: Final = 65_536
_WIDTHS: Final[dict[Method, int]] = {
    "pdq": PDQ_BYTES,
    "phash": PHASH_BYTES,
    "frames": CLIP_HEAD_BYTES + CLIP_FRAMES * PDQ_BYTES,
    "minhash": BLOCK_BYTES,
}
# Bits that may differ, or the share of frames or of MinHash values that have to be the same.
DEFAULT_THRESHOLDS: Final[dict[Method, float]] = {"pdq": 31, "phash": 4, "frames": 0.8, "minhash": 0.8}
_FRAME_BITS: Final = 31


@dataclass(frozen=True, slots=True)
class NearPairs:
    """A block of pairs.

    Attributes:
        first: the smaller row number of each pair.
        second: the larger one.
        distance: different bits, or the share of frames or values that are not the same.
        are_equal: the second of each pair has the bytes of the first, and is in no other pair: what holds for the first
            holds for it.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float32]
    are_equal: bool = False


class PairFinder:
    """All pairs of near fingerprints of one method. Use it as a context: add, then read.

    Rows are numbered by preference, the best first: where very many are alike, they are tied to the first.

    Args:
        method: how the fingerprints were made.
        folder: for what does not fit into memory; emptied at the end. Twice the size of the fingerprints at most.
        threshold: bits that may differ (pdq, phash), or the least share that has to be the same (frames, minhash).

    Attributes:
        num_bounded: after reading, groups of like keys so large that not every pair in them was looked at. With 0 of
            them no pair within the threshold is missing.
    """

    def __init__(self, method: Method, folder: Path, threshold: float | None = None) -> None:
        self._method: Method = method
        self._folder = folder
        self._threshold = DEFAULT_THRESHOLDS[method] if threshold is None else threshold
        # Clips of which half may be blank would else be near by blank frames alone, which are not looked up.
        assert method != "frames" or least_frames(self._threshold) > CLIP_FRAMES // 2
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.num_bounded = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._connection = open_database(_MEMORY_BYTES, self._folder)
        self._connection.execute('CREATE TABLE given ("row" BIGINT, fingerprint BLOB)')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open().close()
        remove_spilled(self._folder)
        for left in self._folder.glob("*.bin"):
            left.unlink(missing_ok=True)

    def add(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Take rows of a number and a fingerprint; an empty fingerprint is near none."""
        numbers: list[int] = []
        fingerprints: list[bytes] = []
        for number, fingerprint in rows:
            numbers.append(number)
            fingerprints.append(fingerprint)
            if len(numbers) == _BATCH_ROWS:
                self.add_batch(_batch(numbers, fingerprints))
                numbers, fingerprints = [], []
        if numbers:
            self.add_batch(_batch(numbers, fingerprints))

    def add_batch(self, batch: RecordBatch) -> None:
        """Take rows as Arrow: `row` (int64, each number once) and `fingerprint` (binary)."""
        taken = pa.Table.from_batches([batch])
        self._open().from_arrow(taken).filter("octet_length(fingerprint) > 0").insert_into("given")

    def pairs(self) -> Iterator[NearPairs]:
        """Yield every near pair at least once, always in the same order. To be read once, when all rows are added.

        Of equal fingerprints each is paired with the one of the smallest row, at distance 0, and that one stands for
        all. Where `num_bounded` stays 0, no pair comes twice.
        """
        rows, prints = self._unique()
        yield from self._equal()
        # What follows is done on the files: the memory is free for it.
        self._open().execute("DROP TABLE given; DROP TABLE firsts")
        # Places are in the order of the rows: the smaller place has the smaller row.
        for left, right, distance in self._near(prints):
            yield NearPairs(rows[left], rows[right], distance)

    def _near(self, prints: NDArray[np.uint8]) -> Iterator[tuple[Places, Places, Distances]]:
        if self._method == "frames":
            yield from self._near_clips(prints)
            return
        if self._method == "minhash":
            join = Join(Sketches(prints.view("<u4"), self._threshold))
        else:
            join = Join(Bits(prints.view(np.uint64), int(self._threshold), self._folder))
        yield from join.pairs()
        self.num_bounded = join.num_bounded

    def _near_clips(self, clips: NDArray[np.uint8]) -> Iterator[tuple[Places, Places, Distances]]:
        """Look every clip up by its first frames that are not blank: one more of them than may disagree.

        Of two near clips at least one of these frames is looked up in both and agrees.
        """
        num_lookups = CLIP_FRAMES - least_frames(self._threshold) + 1
        lookups = _first_frames(clips, num_lookups)
        whole: list[int] = []
        for position in range(CLIP_FRAMES):
            chosen = np.flatnonzero(lookups[:, position])
            join = Join(Frames(clips, chosen, position, _FRAME_BITS, self._threshold, self._folder))
            for one, other, distance in join.pairs():
                left, right = chosen[one], chosen[other]
                new = np.ones(len(left), dtype=np.bool_)
                for earlier in whole:
                    both = lookups[left, earlier] & lookups[right, earlier]
                    new &= ~(both & _frame_agrees(clips[left], clips[right], earlier))
                if new.any():
                    yield left[new], right[new], distance[new]
            self.num_bounded += join.num_bounded
            if join.num_bounded == 0:
                whole.append(position)

    def _unique(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the smallest row of every different fingerprint, in order, and the fingerprints; both in files."""
        width = _WIDTHS[self._method]
        connection = self._open()
        connection.execute(
            'CREATE OR REPLACE TABLE firsts AS SELECT min("row") AS first, fingerprint, count(*) AS num FROM given'
            " GROUP BY fingerprint"
        )
        rows_file, prints_file = self._folder / "rows.bin", self._folder / "prints.bin"
        num_rows = 0
        with rows_file.open("wb") as rows, prints_file.open("wb") as prints:
            relation = connection.sql("SELECT first, fingerprint FROM firsts ORDER BY first")
            for batch in relation.to_arrow_reader(_BATCH_ROWS):
                lengths = np.unique(pc.call_function("binary_length", [batch.column(1)]).to_numpy(zero_copy_only=False))
                assert len(lengths) == 0 or lengths.tolist() == [width], (self._method, lengths)
                rows.write(batch.column(0).to_numpy(zero_copy_only=False).tobytes())
                prints.write(b"".join(batch.column(1).to_pylist()))
                num_rows += batch.num_rows
        if num_rows == 0:
            return np.zeros(0, dtype=np.int64), np.zeros((0, width), dtype=np.uint8)
        return (
            np.memmap(rows_file, dtype=np.int64, mode="r", shape=(num_rows,)),
            np.memmap(prints_file, dtype=np.uint8, mode="r", shape=(num_rows, width)),
        )

    def _equal(self) -> Iterator[NearPairs]:
        relation = self._open().sql(
            'SELECT f.first, g."row" FROM given g JOIN firsts f ON f.fingerprint = g.fingerprint'
            ' WHERE f.num > 1 AND g."row" <> f.first ORDER BY g."row"'
        )
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            first, second = (batch.column(number).to_numpy(zero_copy_only=False) for number in (0, 1))
            yield NearPairs(first, second, np.zeros(len(first), dtype=np.float32), are_equal=True)

    def _open(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        return self._connection


def _batch(numbers: list[int], fingerprints: list[bytes]) -> RecordBatch:
    return pa.record_batch(
        [pa.array(numbers, pa.int64()), pa.array(fingerprints, pa.binary())], names=["row", "fingerprint"]
    )


def _first_frames(clips: NDArray[np.uint8], num_frames: int) -> NDArray[np.bool_]:
    """Return for each clip which frames are among its first so many that are not blank."""
    shown = clips[:, CLIP_HEAD_BYTES:].reshape(len(clips), CLIP_FRAMES, PDQ_BYTES).any(axis=2)
    return shown & (np.cumsum(shown, axis=1) <= num_frames)


def _frame_agrees(left: NDArray[np.uint8], right: NDArray[np.uint8], position: int) -> NDArray[np.bool_]:
    start = CLIP_HEAD_BYTES + position * PDQ_BYTES
    differ = left[:, start : start + PDQ_BYTES] ^ right[:, start : start + PDQ_BYTES]
    return np.bitwise_count(differ).sum(axis=1, dtype=np.int64) <= _FRAME_BITS
