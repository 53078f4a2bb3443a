"""Getting a group's catalog: decrypted from the first drive on which it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from packtrain.crypto import age
from packtrain.documents.group import Group
from packtrain.errors import AgeFormatError, DriveFailed, WrongKey
from packtrain.ports import DriveReader
from packtrain.units import MIB
from packtrain.volume import layout
from packtrain.volume.blocks import Damage
from packtrain.volume.discover import Mounted
from packtrain.volume.extract import store_faults


def decrypt_catalog(
    group: Group, mounted: Sequence[Mounted], identity: str, path: Path
) -> tuple[bool, tuple[Damage, ...]]:
    """Write a group's catalog in the clear to `path`; return whether any drive held it whole, and the damage seen.

    Each drive of the group has the same copy. What was written counts only if the ciphertext had the SHA-256 of the
    group document.

    Raises:
        DriveFull: no space is left where `path` lies.
    """
    damage: list[Damage] = []
    for item in mounted:
        if item.record.group == group.group:
            fault = _decrypt(group, item, identity, path)
            if fault is None:
                return True, tuple(damage)
            damage.append(Damage(item.record.label, layout.CATALOG, None, None, fault))
    path.unlink(missing_ok=True)
    return False, tuple(damage)


def _decrypt(group: Group, item: Mounted, identity: str, path: Path) -> str | None:
    """Return None, or what is wrong with the copy on this drive."""
    try:
        reader = item.drive.open_reader(layout.CATALOG)
    except DriveFailed as error:
        return error.what
    source = _HashedSource(reader, group.catalog.bytes)
    try:
        plain = age.DecryptReader(source.read, [identity], strict_single_x25519=True, where=item.drive.location)
        with store_faults(path.parent), path.open("wb") as target:
            path.chmod(0o600)
            while piece := plain.read(MIB):
                target.write(piece)
    except (AgeFormatError, WrongKey, DriveFailed) as error:
        return error.what
    finally:
        reader.close()
    return None if source.sha256() == group.catalog.sha256 else "differs from the group document"


class _HashedSource:
    """The first `total_bytes` bytes of a file, hashed as they are read."""

    def __init__(self, reader: DriveReader, total_bytes: int) -> None:
        self._reader = reader
        self._left = total_bytes
        self._position = 0
        self._state = hashlib.sha256()

    def read(self, count: int) -> bytes:
        buffer = memoryview(bytearray(min(count, self._left)))
        got = self._reader.read_into(buffer, self._position) if buffer else 0
        self._position += got
        self._left -= got
        piece = bytes(buffer[:got])
        self._state.update(piece)
        return piece

    def sha256(self) -> str:
        return self._state.hexdigest()
