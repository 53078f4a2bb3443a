"""Where loaded files go: adapters behind `ports.Store`."""

from __future__ import annotations

from pathlib import Path

from packtrain.object_storage.address import ObjectPlace
from packtrain.object_storage.connection import ObjectConnection
from packtrain.ports import Store


def open_store(place: Path | ObjectPlace, staging: Path) -> Store:
    """Return the store that is a folder, or lies in object storage; nothing is asked of it yet.

    Args:
        staging: folder of this machine for what object storage has not got yet. A folder keeps it within.
    """
    if isinstance(place, Path):
        from packtrain.stores.folder import FolderStore

        return FolderStore(place)
    from packtrain.stores.s3 import S3Store

    return S3Store(ObjectConnection(place), staging)
