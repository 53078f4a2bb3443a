"""A data set of given files in a voyage folder, with the document that `prepare` would have written."""

from __future__ import annotations

from collections.abc import Mapping

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import encode
from packtrain.documents.dataset import DataFile, Dataset, Shard
from packtrain.record.folder import VoyageFolder


def write_dataset(
    folder: VoyageFolder,
    contents: Mapping[str, bytes],
    num_samples: Mapping[str, int] = {},
    miniature: Mapping[str, bytes] = {},
) -> None:
    """Write files below work/dataset and the document to both its places.

    Args:
        folder: the consignor's.
        contents: the files in order, the index last; a shard is a table where its name ends in ".parquet", else images.
        num_samples: of a shard; 1 of those that are not named.
        miniature: files of the miniature, by their names below miniature/.
    """
    small = {f"miniature/{name}": payload for name, payload in miniature.items()}
    for name, payload in {**contents, **small}.items():
        durable.write_bytes(folder.work / "dataset" / name, payload)
    *shards, index = contents
    digest = {name: sha256_bytes(payload) for name, payload in contents.items()}
    nothing = sha256_bytes(b"")
    document = Dataset(
        name="test",
        recipe=nothing,
        sources=nothing,
        num_sources=1,
        source_bytes=1,
        counts=(),
        shards=tuple(
            Shard(
                name=name,
                kind="table" if name.endswith(".parquet") else "image",
                split="train",
                bytes=len(contents[name]),
                sha256=digest[name],
                num_samples=num_samples.get(name, 1),
            )
            for name in shards
        ),
        files=(DataFile(name=index, bytes=len(contents[index]), sha256=digest[index]),),
        miniature_shards=(),
        miniature_files=tuple(
            DataFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload)) for name, payload in small.items()
        ),
    )
    put_dataset(folder, document)


def put_dataset(folder: VoyageFolder, document: Dataset) -> None:
    """Write dataset.json to both its places."""
    durable.write_bytes(folder.work / "dataset" / "dataset.json", encode(document))
    folder.write(document)
