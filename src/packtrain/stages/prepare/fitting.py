"""Does it fit on the planned drives? Told while sources are read, warned of once, and told again at the end."""

from __future__ import annotations

from packtrain.dataset.budget import Budget, BudgetOutlook, budget_line, size_in_words
from packtrain.dataset.work_units import UnitReceipt
from packtrain.documents.dataset import Dataset
from packtrain.documents.placement import PlacementDocument
from packtrain.events import Notice
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare.ground import STAGE, Given
from packtrain.units import format_bytes

_TAR_BYTES = 2048
"""Of a sample in a tar beside its media: two headers, its JSON member, and padding."""


def capacity_bytes(folder: VoyageFolder) -> int | None:
    """Return what the planned drives hold beside their parity; None where `plan` did not run."""
    return folder.read(PlacementDocument).capacity_bytes if folder.has(PlacementDocument) else None


class BudgetWatch:
    """Counts units as they are done, and warns once when the drives will not hold what they become."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._budget = Budget({**given.seen.bytes_of_kind}, capacity_bytes(given.places.folder))
        # Adopted shards travel as they are: how much that is stands in the plan.
        self._is_off = given.adopts
        self._is_warned = False

    def add(self, receipt: UnitReceipt) -> None:
        """Count what one unit read and kept."""
        if self._is_off:
            return
        self._budget.add(
            receipt.kind, sum(record.bytes for record in receipt.sources), kept_bytes(receipt), receipt.num_samples
        )
        outlook = self._budget.outlook()
        if outlook.is_over and not self._is_warned:
            self._is_warned = True
            self._given.sink(Notice(STAGE, _too_much(outlook), is_warning=True))

    def note(self) -> str:
        """Return what more fits, in words; "" where no drives are planned."""
        return "" if self._is_off else budget_line(self._budget.outlook())


def kept_bytes(receipt: UnitReceipt) -> int:
    """Return about how many bytes of shards a unit's samples take, before duplicates."""
    media = receipt.blobs_bytes or sum(record.bytes for record in receipt.sources if record.num_samples)
    return media + (0 if receipt.kind == "table" else receipt.num_samples * _TAR_BYTES)


def at_the_end(given: Given, document: Dataset) -> dict[str, int]:
    """Say what more fits beside what was written; return the numbers for the receipt, none where nothing is planned."""
    capacity = capacity_bytes(given.places.folder)
    if capacity is None:
        return {}
    size = sum(file.bytes for file in (*document.shards, *document.files))
    read, kept = document.source_bytes, document.num_samples
    outlook = BudgetOutlook(read, read, size, kept, size, size, size, capacity)
    is_over = size > capacity
    given.sink(Notice(STAGE, f"the data set takes {format_bytes(size)}: {budget_line(outlook)}", is_warning=is_over))
    return {"capacity_bytes": capacity, "fits_more_bytes": max(capacity - size, 0)}


def _too_much(outlook: BudgetOutlook) -> str:
    assert outlook.capacity_bytes is not None
    return (
        f"it will not fit: {size_in_words(outlook)}, and the planned drives hold "
        f"{format_bytes(outlook.capacity_bytes)}; give more drives, filter more, or leave sources out; "
        "pack refuses what does not fit"
    )
