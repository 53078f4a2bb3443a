"""What the three parties of a return have in common: its name, and how its list is kept."""

from __future__ import annotations

from typing import Final

from packtrain import durable
from packtrain.record.folder import VoyageFolder
from packtrain.training.outbox import (
    LIST_NAME,
    ReadList,
)

STAGE: Final = "return"


def keep(folder: VoyageFolder, found: ReadList, more: dict[str, bytes]) -> None:
    """Keep an export list that was read, and its signatures, among this party's documents; all of them or none."""
    durable.write_together(folder.documents, {**found.signatures, **more, LIST_NAME: found.payload})
