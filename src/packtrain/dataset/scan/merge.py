"""From the scans of sources to the document."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import COLUMN_NAME, SCAN_VERSION, ColumnCount, SourceScan
from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.dataset.scan.registry import DETECTORS
from packtrain.documents.data_scan import MAX_LISTED, DataScan, NotScanned, ScanDetector, ScannedColumn

_MAX_NAME: Final = 4096


class ScanMerge:
    """Adds up the scans of sources in their order. What it holds is bounded, however many sources there are.

    Args:
        has_second: they were scanned by presidio as well.
    """

    def __init__(self, has_second: bool = False) -> None:
        self._has_second = has_second
        self._findings: list[ScannedColumn] = []
        self._counts: list[ScannedColumn] = []
        self._num_columns: Counter[str] = Counter()
        self._num_findings: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    @property
    def num_sources(self) -> int:
        """Return how many sources were scanned."""
        return self._totals["num_sources"]

    @property
    def num_long_cells(self) -> int:
        """Return of how many cells only the beginning was looked at."""
        return self._totals["num_long_cells"]

    def add(self, scan: SourceScan) -> None:
        """Add what was counted in the next source."""
        self._totals["num_sources"] += 1
        for name in ("num_tables", "num_columns", "num_rows", "num_rows_sampled", "num_long_cells"):
            self._totals[name] += getattr(scan, name)
        for count in scan.columns:
            self._tally(count.detector, count.is_finding, 1)
            listed = self._findings if count.is_finding else self._counts
            if len(listed) < MAX_LISTED:
                listed.append(_column(scan.source, count))
        for detector, is_finding, number in scan.left_out:
            self._tally(detector, is_finding, number)

    def _tally(self, detector: str, is_finding: bool, number: int) -> None:
        self._num_columns[detector] += number
        self._num_findings[detector] += number if is_finding else 0

    def document(self, voyage: str, sources: str, not_scanned: NotScanned) -> DataScan:
        """Return the document."""
        num_seen = sum(self._num_columns.values())
        return DataScan(
            voyage=voyage,
            sources=sources,
            scan_version=SCAN_VERSION,
            num_tables=self._totals["num_tables"],
            num_columns=self._totals["num_columns"],
            num_rows=self._totals["num_rows"],
            num_rows_sampled=self._totals["num_rows_sampled"],
            max_cell_characters=MAX_TEXT,
            detectors=tuple(self._detectors()),
            columns=(*self._findings, *self._counts),
            num_left_out=num_seen - len(self._findings) - len(self._counts),
            not_scanned=not_scanned,
        )

    def _detectors(self) -> list[ScanDetector]:
        described = [(each.name, each.version, each.looks_for, each.chance, each.least_share) for each in DETECTORS]
        described.append((COLUMN_NAME, 1, "columns whose name says that they are about persons", 0, 0))
        if self._has_second:
            by = f"presidio-analyzer {presidio.versions()['presidio-analyzer']}"
            described += [
                (each.detector, presidio.ENTITIES_VERSION, f"{each.looks_for} ({by})", each.chance, each.least_share)
                for each in presidio.ENTITIES
            ]
        return [
            ScanDetector(
                name=name,
                version=version,
                looks_for=looks_for,
                chance=chance,
                least_share=least_share,
                num_columns=self._num_columns[name],
                num_findings=self._num_findings[name],
            )
            for name, version, looks_for, chance, least_share in described
        ]


def _column(source: str, count: ColumnCount) -> ScannedColumn:
    return ScannedColumn(source=source[:_MAX_NAME], **msgspec.structs.asdict(count))
