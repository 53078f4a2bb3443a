"""The second engine on the rows of a table. It is slow, so it is shown fewer of them than the own detectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from packtrain.dataset.scan.chance import is_evidence
from packtrain.dataset.scan.counts import ColumnCount
from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.dataset.scan.presidio import ENTITIES, SHORTEST, SIEVE, Engine, Entity
from packtrain.dataset.scan.texts import Texts, as_texts

MOST_ROWS: Final = 1024
LEAST_ROWS: Final = 64
_MOST_CELLS: Final = 1 << 17
_ENTITIES: Final = {entity.name: entity for entity in ENTITIES}


class _Column:
    def __init__(self) -> None:
        self.num_filled = self.num_formed = 0
        self.distinct: set[int] = set()
        self.hits: Counter[str] = Counter()
        self.distinct_hits: Counter[str] = Counter()

    def take(self, texts: Texts, engine: Engine) -> None:
        self.num_filled += texts.num_filled
        for cell, times in texts.candidates:
            text = cell[:MAX_TEXT]
            if len(text) < SHORTEST:
                continue
            self.num_formed += times
            # As for the own detectors: hashes of this process. There are no more of them than rows.
            is_new = (mark := hash(text)) not in self.distinct
            self.distinct.add(mark)
            for name in engine(text):
                self.hits[name] += times
                self.distinct_hits[name] += is_new

    def is_finding(self, entity: Entity) -> bool:
        distinct = (self.distinct_hits[entity.name], len(self.distinct))
        return is_evidence(self.hits[entity.name], self.num_filled, entity.least_share, *distinct, entity.chance)


class SecondLook:
    """What the second engine counts in one table.

    Args:
        engine: says which entities a text holds.
        num_columns: of the table; where there are many, fewer rows are looked at.
    """

    def __init__(self, engine: Engine, num_columns: int) -> None:
        self._engine = engine
        self._rows_left = min(MOST_ROWS, max(LEAST_ROWS, _MOST_CELLS // max(num_columns, 1)))
        self._columns = [_Column() for _ in range(num_columns)]
        self.num_rows = 0

    def take(self, columns: Sequence[Any]) -> None:
        """Look at the next sampled rows, given as a list of Arrow arrays of one length."""
        wanted = min(self._rows_left, len(columns[0]) if columns else 0)
        if not wanted:
            return
        self._rows_left -= wanted
        self.num_rows += wanted
        shown = [values.slice(0, wanted) for values in columns]
        for column, values, texts in zip(self._columns, shown, as_texts(shown, SIEVE), strict=True):
            if texts is None:
                column.num_filled += wanted - values.null_count
            else:
                column.take(texts, self._engine)

    def counts(self, sheet: int) -> list[ColumnCount]:
        """Return the counts of all columns in which anything passes."""
        return [
            ColumnCount(
                sheet=sheet,
                column=number,
                detector=_ENTITIES[name].detector,
                word="",
                num_sampled=self.num_rows,
                num_filled=column.num_filled,
                num_formed=column.num_formed,
                num_hits=num_hits,
                num_distinct=len(column.distinct),
                num_distinct_hits=column.distinct_hits[name],
                is_finding=column.is_finding(_ENTITIES[name]),
            )
            for number, column in enumerate(self._columns, start=1)
            for name, num_hits in sorted(column.hits.items())
        ]
