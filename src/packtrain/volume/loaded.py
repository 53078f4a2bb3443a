"""What a load did, and the error that says what it could not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.errors import BeyondRepair
from packtrain.volume.blocks import Damage

NAMED: Final = 20
"""How many files or volumes a message names before it only counts."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did, earlier interrupted runs included.

    Attributes:
        files, bytes: entries in the store, and bytes of files.
        blocks_repaired: damaged blocks of data volumes, rebuilt.
        volumes_rebuilt: data volumes that were lost as a whole, rebuilt.
        damage: what was found on mounted drives.
        drives_lost: labels of drives that were not there.
        unreadable: names of files that could not be restored, as a person reads them.
        num_unreadable: how many; more than the names where a catalog is lost too.
    """

    files: int
    bytes: int
    blocks_repaired: int
    volumes_rebuilt: int
    damage: tuple[Damage, ...]
    drives_lost: tuple[str, ...]
    unreadable: tuple[str, ...]
    num_unreadable: int

    def raise_if_incomplete(self, listing: Path) -> None:
        """Raise if something could not be restored.

        Raises:
            BeyondRepair: with the counts, the first names, and where all of them are listed.
        """
        if self.num_unreadable:
            first = ", ".join(self.unreadable[:NAMED]) or "names unknown: the catalog is lost too"
            more = f" and {self.num_unreadable - NAMED} more" if self.num_unreadable > NAMED else ""
            raise BeyondRepair(
                f"{self.num_unreadable} files are lost: {first}{more}",
                where=str(listing),
                expected=f"{self.files + self.num_unreadable} files",
                found=f"{self.files} files, restored",
                hint="mount a missing drive and run the same command again, or ask the consignor for these files",
            )
