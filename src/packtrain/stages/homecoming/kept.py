"""What the three parties of a return have in common: its name, and how its list is kept."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.record.folder import VoyageFolder
from packtrain.training.outbox import (
    LIST_NAME,
    PROVENANCE_NAME,
    ReadList,
)

STAGE: Final = "return"


def is_kept(name: str) -> bool:
    """Return whether a file of a provenance is a document, or a signature of one; its statement is made from it."""
    return name.startswith(PROVENANCE_NAME)


def keep(folder: VoyageFolder, found: ReadList, more: dict[str, bytes]) -> None:
    """Keep an export list that was read, and its signatures, among this party's documents; all of them or none."""
    durable.write_together(folder.documents, {**found.signatures, **more, LIST_NAME: found.payload})


def free_name(path: Path) -> Path:
    """Return `path`, or where something has that name, the first of `path.1`, `path.2`... that nothing has."""
    candidates = itertools.chain((path,), (path.with_name(f"{path.name}.{number}") for number in itertools.count(1)))
    return next(candidate for candidate in candidates if not os.path.lexists(candidate))
