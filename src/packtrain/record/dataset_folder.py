"""Does a folder still hold the data set whose document lies in it? By names and lengths: no file is opened."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from packtrain.documents.codec import decode
from packtrain.documents.dataset import Dataset
from packtrain.errors import DocumentError

DATASET_NAME: Final = "dataset.json"


def holds_dataset(root: Path, *, with_miniature: bool = False, elsewhere: Collection[str] = ()) -> bool:
    """Return whether every file that `root`/dataset.json names is there with its length.

    `elsewhere`: names of shards that are not looked for: adopted ones lie where they were.

    A folder without that document cannot be held against anything but nothing; nor can a store with a file of that name
    that another program wrote, in a folder that was carried as it is.
    """
    path = root / DATASET_NAME
    try:
        dataset = decode(Dataset, path.read_bytes(), str(path))
        files = (*dataset.shards, *dataset.files)
        if with_miniature:
            files += (*dataset.miniature_shards, *dataset.miniature_files)
        return all((root / file.name).stat().st_size == file.bytes for file in files if file.name not in elsewhere)
    except FileNotFoundError:
        return not path.exists() and root.is_dir() and any(root.iterdir())
    except DocumentError:
        return not with_miniature
    except OSError:
        return False
