"""The scan of one source: rows are drawn, cells judged, counts kept. The cells themselves are let go at once."""

from __future__ import annotations

from array import array
from typing import Any, Final

import pyarrow as pa

from packtrain.dataset.arrow import RecordBatch, Table
from packtrain.dataset.kinds.piece import Piece
from packtrain.dataset.scan.cells import verdicts_on
from packtrain.dataset.scan.chance import is_evidence
from packtrain.dataset.scan.column_names import LEAST_WEAK, Meaning, meaning_of
from packtrain.dataset.scan.coordinates import DETECTOR as COORDINATES
from packtrain.dataset.scan.coordinates import is_precise
from packtrain.dataset.scan.counts import COLUMN_NAME, MAX_PER_SOURCE, ColumnCount, SourceScan
from packtrain.dataset.scan.detector import Detector
from packtrain.dataset.scan.dictionary import LATITUDE, LONGITUDE
from packtrain.dataset.scan.presidio import Engine
from packtrain.dataset.scan.registry import DETECTORS
from packtrain.dataset.scan.sampling import RowSampler
from packtrain.dataset.scan.second_look import SecondLook
from packtrain.dataset.scan.texts import Texts, as_texts
from packtrain.units import MIB

_MOST_DISTINCT: Final = 64
_ROWS_TOGETHER: Final = 512
_MAX_HELD_BYTES: Final = 16 * MIB
_BY_NAME: Final = {detector.name: detector for detector in DETECTORS}


class _Tries:
    """Counts of one column and one detector while rows come."""

    __slots__ = ("distinct", "num_distinct_hits", "num_formed", "num_hits")

    def __init__(self) -> None:
        self.num_formed = self.num_hits = self.num_distinct_hits = 0
        self.distinct: set[int] = set()

    def add(self, cell: str, passes: bool, times: int) -> None:
        self.num_formed += times
        self.num_hits += times if passes else 0
        # One text a thousand times proves nothing by its checksum; hashes of the process, which nobody else sees.
        if len(self.distinct) < _MOST_DISTINCT and (mark := hash(cell)) not in self.distinct:
            self.distinct.add(mark)
            self.num_distinct_hits += passes


class _Column:
    def __init__(self, name: str) -> None:
        self.meaning: Meaning | None = meaning_of(name)
        self.num_filled = 0
        self.tries: dict[str, _Tries] = {}
        self.words: dict[str, int] = {}

    def take(self, texts: Texts) -> None:
        """Judge the cells of some rows."""
        self.num_filled += texts.num_filled
        for cell, times in texts.candidates:
            words: set[str] = set()
            for name, passes in verdicts_on(cell, words).items():
                tries = self.tries.get(name)
                if tries is None:
                    tries = self.tries[name] = _Tries()
                tries.add(cell, passes, times)
            for word in words:
                self.words[word] = self.words.get(word, 0) + times


def _indices(rows: list[int]) -> Any:
    # Not pa.array: from a list it looks for pandas each time, which costs more than the rest where there is none.
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(array("q", rows))])


class _Sheet:
    """The scan of one table of a source."""

    def __init__(self, number: int, seed: str, names: list[str], second: Engine | None) -> None:
        self.number = number
        self.sampler = RowSampler(seed)
        self.columns = [_Column(name) for name in names]
        self.places = self._places()
        self.second = SecondLook(second, len(names)) if second is not None else None
        self.num_rows = self.num_sampled = self.num_long = 0
        self.held: list[RecordBatch] = []
        self.num_held = self.held_bytes = 0

    def draw(self, num_rows: int) -> list[int]:
        """Return which of the next rows are wanted."""
        rows = self.sampler.draw(num_rows)
        self.num_rows += num_rows
        self.num_sampled += len(rows)
        return rows

    def take(self, block: Table, rows: list[int]) -> None:
        """Keep these rows of a block until there are enough of them to be looked at together."""
        for batch in block.to_batches():
            taken = batch if len(rows) == block.num_rows else batch.take(_indices(rows))
            self.held.append(taken)
            self.num_held += taken.num_rows
            self.held_bytes += taken.nbytes
        if self.num_held >= _ROWS_TOGETHER or self.held_bytes >= _MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Look at the rows that are held, and let them go."""
        if not self.held:
            return
        rows = pa.Table.from_batches(self.held).combine_chunks()
        self.held, self.num_held, self.held_bytes = [], 0, 0
        values = [column.combine_chunks() for column in rows.columns]
        for column, cells, texts in zip(self.columns, values, as_texts(values), strict=True):
            if texts is None:
                column.num_filled += len(cells) - cells.null_count
            else:
                column.take(texts)
                self.num_long += texts.num_long
        if self.places is not None:
            self._take_places(rows, *self.places)
        if self.second is not None:
            self.second.take(values)

    def _places(self) -> tuple[int, int] | None:
        words = [column.meaning.word if column.meaning else "" for column in self.columns]
        return (words.index(LATITUDE), words.index(LONGITUDE)) if LATITUDE in words and LONGITUDE in words else None

    def _take_places(self, block: Table, latitude: int, longitude: int) -> None:
        tries = self.columns[latitude].tries.setdefault(COORDINATES.name, _Tries())
        for north, east in zip(block.column(latitude).to_pylist(), block.column(longitude).to_pylist(), strict=True):
            if north not in (None, "") and east not in (None, ""):
                one, other = str(north)[:32], str(east)[:32]
                tries.add(f"{one} {other}", is_precise(one, other), 1)

    def counts(self) -> list[ColumnCount]:
        """Return the counts of all columns in which anything passes or whose name says something."""
        found: list[ColumnCount] = []
        for number, column in enumerate(self.columns, start=1):
            for name, tries in sorted(column.tries.items()):
                if tries.num_hits:
                    found.append(self._count(number, column, name, tries))
        if self.second is not None:
            found += self.second.counts(self.number)
        has_finding = any(count.is_finding for count in found)
        meanings = [column.meaning for column in self.columns if column.num_filled and column.meaning is not None]
        has_finding = has_finding or any(meaning.is_strong for meaning in meanings)
        weak = {meaning.word for meaning in meanings if not meaning.is_strong}
        counts_weak = has_finding or len(weak - {LATITUDE, LONGITUDE}) >= LEAST_WEAK
        for number, column in enumerate(self.columns, start=1):
            meaning = column.meaning
            if meaning is not None and column.num_filled and meaning.word not in (LATITUDE, LONGITUDE):
                found.append(
                    self._named(number, column, meaning.word, column.num_filled, meaning.is_strong or counts_weak)
                )
            found += [self._named(number, column, word, times, True) for word, times in sorted(column.words.items())]
        return found

    def _count(self, number: int, column: _Column, name: str, tries: _Tries) -> ColumnCount:
        return ColumnCount(
            sheet=self.number,
            column=number,
            detector=name,
            word="",
            num_sampled=self.num_sampled,
            num_filled=column.num_filled,
            num_formed=tries.num_formed,
            num_hits=tries.num_hits,
            num_distinct=len(tries.distinct),
            num_distinct_hits=tries.num_distinct_hits,
            is_finding=_is_finding(_BY_NAME[name], column.num_filled, tries),
        )

    def _named(self, number: int, column: _Column, word: str, times: int, is_finding: bool) -> ColumnCount:
        return ColumnCount(
            sheet=self.number,
            column=number,
            detector=COLUMN_NAME,
            word=word,
            num_sampled=self.num_sampled,
            num_filled=column.num_filled,
            num_formed=times,
            num_hits=times,
            num_distinct=0,
            num_distinct_hits=0,
            is_finding=is_finding,
        )


def _is_finding(detector: Detector, num_filled: int, tries: _Tries) -> bool:
    distinct = (tries.num_distinct_hits, len(tries.distinct))
    return is_evidence(tries.num_hits, num_filled, detector.least_share, *distinct, detector.chance)


class TableScan:
    """The scan of one source, block by block.

    Args:
        source: its name.
        sha256: digest of its bytes: what rows are drawn from.
        second: the second engine, where one was asked for.
    """

    def __init__(self, source: str, sha256: str, second: Engine | None = None) -> None:
        self._source = source
        self._sha256 = sha256
        self._second = second
        self._sheet: _Sheet | None = None
        self._group = ""
        self._done: list[ColumnCount] = []
        self._totals = [0, 0, 0, 0, 0]

    def take(self, piece: Piece) -> None:
        """Look at the next sample of the source; those of one table come one after the other."""
        block = piece.block
        if self._sheet is None or piece.group != self._group:
            self._close()
            self._group = piece.group
            number = int(piece.group[1:]) if piece.detail["sheet"] else 0
            self._sheet = _Sheet(number, f"{self._sha256} {piece.group}", list(block.schema.names), self._second)
        if rows := self._sheet.draw(piece.num_rows):
            self._sheet.take(block, rows)

    def _close(self) -> None:
        sheet = self._sheet
        if sheet is not None:
            sheet.flush()
            self._done += sheet.counts()
            more = (1, len(sheet.columns), sheet.num_rows, sheet.num_sampled, sheet.num_long)
            self._totals = [total + each for total, each in zip(self._totals, more, strict=True)]
            self._sheet = None

    def finish(self) -> SourceScan:
        """Return what was counted."""
        self._close()
        ordered = sorted(self._done, key=lambda count: not count.is_finding)  # stable
        others: dict[tuple[str, bool], int] = {}
        for count in ordered[MAX_PER_SOURCE:]:
            key = (count.detector, count.is_finding)
            others[key] = others.get(key, 0) + 1
        return SourceScan(
            source=self._source,
            num_tables=self._totals[0],
            num_columns=self._totals[1],
            num_rows=self._totals[2],
            num_rows_sampled=self._totals[3],
            num_long_cells=self._totals[4],
            columns=tuple(ordered[:MAX_PER_SOURCE]),
            left_out=tuple((name, is_finding, number) for (name, is_finding), number in sorted(others.items())),
        )
