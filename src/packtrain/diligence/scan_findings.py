"""What a data scan found, in words: for the rules and for people. Source files and columns by number, never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from packtrain.documents.data_scan import DataScan, ScannedColumn
from packtrain.documents.dataset import Dataset
from packtrain.record.folder import VoyageFolder

_MOST_A_DETECTOR: Final = 5
"""Findings of one detector that are told one by one: what fires a rule must stay readable, and within its bounds."""
_MOST_OF_NAME: Final = 200


def scan_findings(scan: DataScan) -> tuple[str, ...]:
    """Return each finding of a scan in words; of many by one detector the first few, and how many more there are."""
    return tuple(_findings(scan))


def _findings(scan: DataScan) -> Iterator[str]:
    told: Counter[str] = Counter()
    looks_for = {detector.name: detector.looks_for for detector in scan.detectors}
    for column in scan.columns:
        if column.is_finding and told[column.detector] < _MOST_A_DETECTOR:
            told[column.detector] += 1
            yield _said(column, looks_for.get(column.detector, column.detector))
    for detector in scan.detectors:
        if (more := detector.num_findings - told[detector.name]) > 0:
            yield f"{detector.looks_for}: {more} {'column' if more == 1 else 'columns'} more"


def _said(column: ScannedColumn, looks_for: str) -> str:
    source = column.source if len(column.source) <= _MOST_OF_NAME else "…" + column.source[-_MOST_OF_NAME:]
    place = f"{source}, sheet {column.sheet}" if column.sheet else source
    if column.word:
        what = f"by its name {column.word}, filled in {column.num_hits}"
    else:
        what = f"{looks_for} in {column.num_hits}"
    return f"{place}, column {column.column}: {what} of {column.num_sampled} sampled rows"


def own_scan(folder: VoyageFolder) -> DataScan | None:
    """Return the data scan of what this consignor carries, its signature checked; None where nothing was scanned.

    A scan of other sources than those of the data set is no scan of it.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: the document is not in order.
    """
    if not folder.has(DataScan) or not folder.has(Dataset):
        return None
    scan = folder.read_signed(DataScan)
    return scan if scan.sources == folder.read(Dataset).sources else None


def received_scan(folder: VoyageFolder) -> DataScan | None:
    """Return the data scan that came with the consignor's dossier, its signature checked; None where none did.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: the document is not in order.
    """
    return folder.read_signed(DataScan) if folder.has(DataScan) else None


def findings_of(folder: VoyageFolder) -> tuple[str, ...] | None:
    """Return what `facts_of` takes as `scan_findings`: the findings in words, None where nothing was scanned.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: the document is not in order.
    """
    is_own = folder.voyage_file().voyage.role == "consignor"
    scan = own_scan(folder) if is_own else received_scan(folder)
    return scan_findings(scan) if scan is not None else None
