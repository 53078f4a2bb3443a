"""What an adopted shard is called on the drives, and on which side of the split its name puts it."""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.sources import slug, suffix_of
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Split

FOLDER: Final = "shards"
RENAMED: Final = "renamed"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,2}")
"""A name of up to three parts: with `shards/` before it, and `miniature/` before that, it is a FileName."""

_SPLITS: Final[dict[str, Split]] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_WORDS: Final = re.compile(r"[a-z]+")


def name_on_drives(source: str) -> str:
    """Return the name below the data set's folder of the shard that is called `source` among the sources.

    A plain name is kept: `imagenet/train/000001.tar` becomes `shards/imagenet/train/000001.tar`. Any other becomes what
    is readable of it and 12 digits of its SHA-256, in `shards/renamed/`; no plain name is put there.
    """
    suffix = suffix_of(source)
    if _PLAIN.fullmatch(source) and source.endswith("." + suffix) and not source.startswith(RENAMED + "/"):
        return f"{FOLDER}/{source}"
    stem = source[: -len(suffix) - 1]
    return f"{FOLDER}/{RENAMED}/{slug(stem)}-{sha256_bytes(source.encode('utf-8'))[:12]}.{suffix}"


def split_of(source: str) -> Split:
    """Return the side that a shard's name puts it on; "train" where it says nothing.

    A word of the file's name counts before the folders, and an inner folder before an outer one: `val-0001.tar`,
    `imagenet-val-0001.tar`, `test/0001.tar`. A folder counts by its whole name.
    """
    *folders, file = source.lower().split("/")
    for word in _WORDS.findall(file.partition(".")[0]):
        if word in _SPLITS:
            return _SPLITS[word]
    for folder in reversed(folders):
        if folder in _SPLITS:
            return _SPLITS[folder]
    return "train"


def pattern_of(name: str) -> str:
    """Return the pattern of the shards beside `name` that are on its side: by its folder, or by its file's words."""
    folder, _, file = name.rpartition("/")
    if folder == f"{FOLDER}/{RENAMED}":
        return name
    suffix = suffix_of(file)
    for word in re.finditer(r"[A-Za-z]+", file.partition(".")[0]):
        if word[0].lower() in _SPLITS:
            return f"{folder}/{file[: word.end()]}*.{suffix}"
    return f"{folder}/*.{suffix}"
