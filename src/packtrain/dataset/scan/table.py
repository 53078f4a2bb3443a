"""The scan of one source: rows are drawn, cells judged, counts kept. The cells themselves are let go at once."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

from packtrain.dataset.arrow import Table
from packtrain.dataset.kinds.piece import Piece
from packtrain.dataset.kinds.tables import block_of_ipc
from packtrain.dataset.scan.cells import MAX_JSON, verdicts_on
from packtrain.dataset.scan.chance import MOST_ODDS, odds_of_chance
from packtrain.dataset.scan.column_names import LEAST_WEAK, Meaning, meaning_of
from packtrain.dataset.scan.coordinates import DETECTOR as COORDINATES
from packtrain.dataset.scan.coordinates import is_precise
from packtrain.dataset.scan.counts import COLUMN_NAME, MAX_PER_SOURCE, ColumnCount, SourceScan
from packtrain.dataset.scan.detector import MAX_TEXT, Detector
from packtrain.dataset.scan.dictionary import LATITUDE, LONGITUDE
from packtrain.dataset.scan.registry import DETECTORS
from packtrain.dataset.scan.sampling import RowSampler

pc: Any = pyarrow.compute  # its functions are made when it is imported: no checker sees them
_MOST_DISTINCT: Final = 64
_LARGEST_EXACT: Final = 2.0**53
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

    def take(self, values: Any) -> int:
        """Judge the cells of some rows; return of how many only the beginning was looked at."""
        texts = _texts(values)
        if texts is None:
            self.num_filled += len(values) - values.null_count
            return 0
        num_long = 0
        for cell, times in texts:
            self.num_filled += times
            num_long += times if len(cell) > (MAX_JSON if cell[0] in "{[" else MAX_TEXT) else 0
            words: set[str] = set()
            for name, passes in verdicts_on(cell[:MAX_JSON], words).items():
                self.tries.setdefault(name, _Tries()).add(cell, passes, times)
            for word in words:
                self.words[word] = self.words.get(word, 0) + times
        return num_long


def _texts(values: Any) -> list[tuple[str, int]] | None:
    """Return the different cells that are not empty, cut, and how often each is there; None: a type without text.

    Numbers with a fraction, days and truth values are such types.
    """
    if pa.types.is_float32(values.type) or pa.types.is_float64(values.type):
        # Whole numbers with gaps are often kept as floats.
        is_whole = pc.all(pc.equal(values, pc.round(values))).as_py()
        if not is_whole or pc.max(pc.abs(values)).as_py() >= _LARGEST_EXACT:
            return None
        values = values.cast(pa.int64())
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    elif not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return None
    try:
        counted = pc.value_counts(pc.utf8_slice_codeunits(values, 0, MAX_JSON + 1)).to_pylist()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # Parquet files are not held to UTF-8 by those who write them.
        raw = values.cast(pa.large_binary()).to_pylist()
        found = Counter(cell[: 4 * MAX_JSON].decode("utf-8", "replace")[: MAX_JSON + 1] for cell in raw if cell)
        return list(found.items())
    return [(each["values"], each["counts"]) for each in counted if each["values"]]


class _Sheet:
    """The scan of one table of a source."""

    def __init__(self, number: int, seed: str, names: list[str]) -> None:
        self.number = number
        self.sampler = RowSampler(seed)
        self.columns = [_Column(name) for name in names]
        self.places = self._places()
        self.num_rows = self.num_sampled = self.num_long = 0

    def take(self, block: Table) -> None:
        rows = self.sampler.draw(block.num_rows)
        self.num_rows += block.num_rows
        if not rows:
            return
        self.num_sampled += len(rows)
        if len(rows) < block.num_rows:
            block = block.take(rows)
        for column, values in zip(self.columns, block.columns, strict=False):
            self.num_long += column.take(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)
        if self.places is not None:
            self._take_places(block, *self.places)

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
    if tries.num_hits * 1000 < detector.least_share * num_filled:
        return False
    odds = odds_of_chance(tries.num_distinct_hits, len(tries.distinct), detector.chance / 1_000_000)
    return odds <= MOST_ODDS


class TableScan:
    """The scan of one source, block by block.

    Args:
        source: its name.
        sha256: digest of its bytes: what rows are drawn from.
    """

    def __init__(self, source: str, sha256: str) -> None:
        self._source = source
        self._sha256 = sha256
        self._sheet: _Sheet | None = None
        self._group = ""
        self._done: list[ColumnCount] = []
        self._totals = [0, 0, 0, 0, 0]

    def take(self, group: str, number: int, block: Table) -> None:
        """Look at one block; those of one table come one after the other.

        Args:
            group: which table of the source; its rows are drawn by it.
            number: of the sheet, 0 where the form has none.
            block: its rows.
        """
        if self._sheet is None or group != self._group:
            self._close()
            self._group = group
            self._sheet = _Sheet(number, f"{self._sha256} {group}", list(block.schema.names))
        self._sheet.take(block)

    def _close(self) -> None:
        sheet = self._sheet
        if sheet is not None:
            self._done += sheet.counts()
            more = (1, len(sheet.columns), sheet.num_rows, sheet.num_sampled, sheet.num_long)
            self._totals = [total + each for total, each in zip(self._totals, more, strict=True)]
            self._sheet = None

    def take_piece(self, piece: Piece) -> None:
        """Look at a sample of a table."""
        assert piece.payload is not None
        number = int(piece.group[1:]) if piece.detail["sheet"] else 0
        self.take(piece.group, number, block_of_ipc(piece.payload))

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
