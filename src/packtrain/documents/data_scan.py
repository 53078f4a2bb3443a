"""data-scan.json: what in the tables of the sources looks personal. Counts only, never a value."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from packtrain.documents.codec import Count, Document, Part, Sha256, Text

DetectorName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")]
MAX_LISTED: Final = 1000
"""Most findings, and most counts below a threshold, that are listed one by one; the others are counted."""


class ScanDetector(Part, frozen=True, kw_only=True):
    """One detector, and its totals over all tables.

    Attributes:
        name: of a second engine's after its name and a colon.
        version: of the detector in packtrain; the version of a second engine is in `looks_for`.
        looks_for: in plain words, plural.
        chance: of a million random texts of the right form, how many pass; 0 where the form itself is the evidence.
        least_share: of a thousand filled cells, how many must pass before a column is a finding.
        num_columns: columns in which anything passed.
        num_findings: columns that are findings.
    """

    name: DetectorName
    version: Count
    looks_for: Text
    chance: Count
    least_share: Count
    num_columns: Count
    num_findings: Count


class ScannedColumn(Part, frozen=True, kw_only=True):
    """One column and one detector.

    Attributes:
        source: name of the source file.
        sheet: number of the sheet from 1; 0 where the form of the file has no sheets.
        column: number of the column from 1. Its name is not said: in a table without a header it is a value.
        word: what the column's name means, from the dictionary of packtrain; "" for detectors of values.
        num_sampled, num_filled: rows that were looked at, and those that are not empty there.
        num_formed, num_hits: cells of the right form, and those of them that pass.
        num_distinct, num_distinct_hits: the same of different texts, the first of them only.
        is_finding: enough of them pass, and more than chance gives.
    """

    source: Text
    sheet: Count
    column: Count
    detector: DetectorName
    word: Text
    num_sampled: Count
    num_filled: Count
    num_formed: Count
    num_hits: Count
    num_distinct: Count
    num_distinct_hits: Count
    is_finding: bool


class NotScanned(Part, frozen=True, kw_only=True):
    """What travels or lies in the sources and was not looked into.

    Attributes:
        images, clips: sources of these kinds.
        papers: licences and read-me files, which travel along.
        other_files: of types that packtrain does not prepare; they do not travel.
        tables_set_aside: tables that could not be read; they do not travel.
        long_cells: sampled cells of which only the beginning was looked at.
    """

    images: Count
    clips: Count
    papers: Count
    other_files: Count
    tables_set_aside: Count
    long_cells: Count


class DataScan(Document, frozen=True, kw_only=True):
    """What a scan of all tables found.

    Attributes:
        sources: SHA-256 of the source manifest, as in dataset.json.
        scan_version: of sampling and detectors together.
        num_tables, num_columns, num_rows, num_rows_sampled: over all of them.
        max_cell_characters: how much of a cell is looked at.
        columns: findings first, then counts below the threshold, each in the order of the sources.
        num_left_out: columns beyond what is listed; `detectors` has the totals.
    """

    kind = "data-scan"

    voyage: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    sources: Sha256
    scan_version: Count
    num_tables: Count
    num_columns: Count
    num_rows: Count
    num_rows_sampled: Count
    max_cell_characters: Count
    detectors: Annotated[tuple[ScanDetector, ...], msgspec.Meta(max_length=256)]
    columns: Annotated[tuple[ScannedColumn, ...], msgspec.Meta(max_length=2 * MAX_LISTED)]
    num_left_out: Count
    not_scanned: NotScanned

    @property
    def num_findings(self) -> int:
        """Return how many columns and detectors are findings."""
        return sum(detector.num_findings for detector in self.detectors)
