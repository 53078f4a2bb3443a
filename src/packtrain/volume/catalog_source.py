"""A group's catalog: decrypted from the first drive on which it is whole, and kept while the group is read in waves.

It is names in the clear. It lies in the staging folder, which is its owner's alone, and goes with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from packtrain.crypto import age
from packtrain.digest import sha256_file
from packtrain.documents.group import Group
from packtrain.errors import AgeFormatError, DriveFailed, WrongKey
from packtrain.ports import DriveReader
from packtrain.units import MIB
from packtrain.volume import layout
from packtrain.volume.blocks import Damage
from packtrain.volume.discover import Mounted
from packtrain.volume.load_journal import CatalogLine, LoadJournal
from packtrain.volume.staging import Staging, store_faults


@dataclass(slots=True)
class CatalogKeeper:
    """Gets catalogs and keeps them in the staging folder between the runs of one load.

    Args:
        staging: where they lie.
        journal: remembers their digests, and the drives whose copy is damaged.
        mounted: the drives at hand.
        identity: the shipment's age identity.
    """

    staging: Staging
    journal: LoadJournal
    mounted: Sequence[Mounted]
    identity: str
    _proven: set[int] = field(default_factory=set[int])

    def has(self, group: Group) -> bool:
        """Return whether the catalog of a group is in the staging folder, as it was when it was proven."""
        if group.group not in self._proven:
            path = self.staging.catalog(group.group)
            expected = self.journal.catalogs.get(group.group)
            if expected is not None and path.is_file() and sha256_file(path) == expected:
                self._proven.add(group.group)
        return group.group in self._proven

    def get(self, group: Group) -> tuple[Damage, ...]:
        """Put the catalog of a group into the staging folder, if a mounted drive has it whole; return the damage seen.

        Each drive of the group has the same copy. What was written counts only if the ciphertext had the SHA-256 of the
        group document.

        Raises:
            DriveFull, DriveFailed: the store cannot take it.
        """
        if self.has(group):
            return ()
        damage: list[Damage] = []
        path = self.staging.catalog(group.group)
        for item in self.mounted:
            if item.record.group != group.group:
                continue
            fault = decrypt_catalog(group, item, self.identity, path)
            if fault is None:
                self.journal.add([CatalogLine(group.group, sha256_file(path))])
                self._proven.add(group.group)
                break
            damage.append(Damage(item.record.label, layout.CATALOG, None, None, fault))
            self.journal.mark([item.record.planned_uuid], "catalog damaged")
        else:
            path.unlink(missing_ok=True)
        return tuple(damage)


def decrypt_catalog(group: Group, item: Mounted, identity: str, path: Path) -> str | None:
    """Decrypt the catalog of a group from one of its drives to `path`; return None, or what is wrong with that copy.

    The file counts only after None: then the ciphertext had the SHA-256 of the group document.

    Raises:
        DriveFull, DriveFailed: what `path` lies on cannot take it.
    """
    try:
        reader = item.drive.open_reader(layout.CATALOG)
    except DriveFailed as error:
        return error.what
    source = _HashedSource(reader, group.catalog.bytes)
    try:
        with store_faults(path.parent), path.open("wb") as target:
            path.chmod(0o600)
            # What the store says, while it is written to, is no fault of the drive.
            if (fault := _copy(source, identity, item.drive.location, target)) is not None:
                return fault
    finally:
        reader.close()
    return None if source.sha256() == group.catalog.sha256 else "differs from the group document"


def _copy(source: _HashedSource, identity: str, where: str, target: BinaryIO) -> str | None:
    """Decrypt to the end; return None, or why that cannot be done."""
    plain: age.DecryptReader | None = None
    while True:
        try:
            plain = plain or age.DecryptReader(source.readinto, [identity], strict_single_x25519=True, where=where)
            piece = plain.read(MIB)
        except (AgeFormatError, WrongKey, DriveFailed) as error:
            return error.what
        if not piece:
            return None
        target.write(piece)


class _HashedSource:
    """The first `total_bytes` bytes of a file, hashed as they are read."""

    def __init__(self, reader: DriveReader, total_bytes: int) -> None:
        self._reader = reader
        self._left = total_bytes
        self._position = 0
        self._state = hashlib.sha256()

    def readinto(self, buffer: memoryview) -> int:
        wanted = buffer[: self._left]
        got = self._reader.read_into(wanted, self._position) if wanted else 0
        self._position += got
        self._left -= got
        self._state.update(wanted[:got])
        return got

    def sha256(self) -> str:
        return self._state.hexdigest()
