"""How the miniature travels: its files are in the cargo under their digests, so that no program takes them for data.

A program that reads all tar files below {data} would train on a sample of `miniature/` twice. Under `rehearsed/` and a
SHA-256, without an ending, no pattern finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packtrain.documents.dataset import DataFile, Dataset, Shard

FOLDER: Final = "rehearsed"
_PREFIX: Final = "miniature/"


def miniature_parts(dataset: Dataset) -> Iterator[tuple[str, str, Shard | DataFile]]:
    """Yield of each file of the miniature its name there, its name in the cargo, and what dataset.json says of it."""
    for part in (*dataset.miniature_shards, *dataset.miniature_files):
        yield part.name.removeprefix(_PREFIX), f"{FOLDER}/{part.sha256}", part


def carried_miniature(dataset: Dataset) -> dict[str, Shard | DataFile]:
    """Return the files of the cargo that are the miniature's, by name; equal ones are one under their digest."""
    return {name: part for _, name, part in miniature_parts(dataset)}
