"""Volumes that are as the consignor signed them, and still no good: what a load says of them at its end."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from packtrain.errors import AgeFormatError, HostileArchive, IntegrityError, PacktrainError, WrongKey
from packtrain.volume.extract import AS_SIGNED
from packtrain.volume.load_journal import RefusedLine
from packtrain.volume.loaded import Loaded

# Hostile first: of several faults the gravest gives the exit code.
_KINDS: Final[tuple[type[PacktrainError], ...]] = (HostileArchive, AgeFormatError, WrongKey, IntegrityError)


def raise_refused(lines: Collection[RefusedLine], loaded: Loaded, listing: Path) -> None:
    """Raise the gravest of the faults that were found in proven volumes.

    Raises:
        HostileArchive, AgeFormatError, WrongKey, IntegrityError: as it was found, with what became of the rest.
    """
    names = [kind.__name__ for kind in _KINDS]
    gravest = min(lines, key=lambda line: names.index(line.error) if line.error in names else len(names))
    kind = next((kind for kind in _KINDS if kind.__name__ == gravest.error), IntegrityError)
    raise kind(
        gravest.what,
        where=gravest.where,
        expected=gravest.expected,
        found=gravest.found,
        hint=f"{AS_SIGNED}. {len(lines)} such {'volume' if len(lines) == 1 else 'volumes'}; {loaded.files} files of "
        f"the others are in the store, {loaded.num_unreadable} are not and are listed in {listing}",
    )
