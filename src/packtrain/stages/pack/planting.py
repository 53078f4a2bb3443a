"""Canaries of a data set: made once for a voyage, packed beside its shards, and kept for the day results come home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Dataset
from packtrain.record.folder import VoyageFolder
from packtrain.training.canaries import KEPT_FOLDER, canary_names, new_canary


def canaries_folder(folder: VoyageFolder) -> Path:
    """Return where the consignor keeps the canaries: below work/, and on no drive in the clear."""
    return folder.work / KEPT_FOLDER


def planted(folder: VoyageFolder, dataset: Dataset, *, is_preview: bool = False) -> list[tuple[str, int, str]]:
    """Return name, bytes and SHA-256 of the canary files, making those that are not there yet.

    They stay the same however often a packing is begun again: another number would be another cargo.

    Args:
        folder: the consignor's voyage folder.
        dataset: what is packed.
        is_preview: nothing is written; only canaries that are there already are returned.

    Raises:
        DriveFull: no space is left.
    """
    place = canaries_folder(folder)
    names = canary_names(shard.name for shard in dataset.shards)
    if not is_preview:
        for name in names:
            if not (place / name).is_file():
                durable.write_bytes(place / name, new_canary())
    return list(_listed(place, names))


def _listed(place: Path, names: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    for name in names:
        path = place / name
        if path.is_file():
            content = path.read_bytes()
            yield name, len(content), sha256_bytes(content)
