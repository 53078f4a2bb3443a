"""Canaries: small files beside the shards that no index names, with a number that occurs nowhere else in the world.

Who reads samples through the index never sees one. Who copies folders, or packs all files that he finds, takes one
along, and what holds its number does not leave. The consignor keeps a copy and searches once more at home.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode
from packtrain.documents.dataset import Dataset
from packtrain.errors import DocumentError
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.training.needles import Needle
from packtrain.training.written_forms import as_text, as_wide_text, needles_of

CANARY_NAME: Final = "_packtrain-canary.txt"
"""Readers of folders of Parquet files pass over names that begin with a line below."""

MAX_CANARIES: Final = 64
KEPT_FOLDER: Final = "canaries"
"""Below the consignor's work/: what was planted, for searching once more when results come home."""

TOKEN_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 4096
_HEX_LINE: Final = re.compile(rb"^hex    ([0-9a-f]{64})$", re.MULTILINE)


def canary_names(shards: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the canaries of a data set: one at its top, one in each folder of shards, at most 64."""
    folders = sorted({shard.rpartition("/")[0] for shard in shards} | {""})[:MAX_CANARIES]
    return tuple(f"{folder}/{CANARY_NAME}" if folder else CANARY_NAME for folder in folders)


def shards_of(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each shard of a store, by name, from its dataset.json; none where there is no such file."""
    path = root / DATASET_NAME
    try:
        dataset = decode(Dataset, path.read_bytes(), str(path))
    except (OSError, DocumentError):
        return {}
    return {shard.name: shard.sha256 for shard in dataset.shards}


def new_canary() -> bytes:
    """Return the content of a canary with a fresh number; always the same length."""
    token = secrets.token_bytes(TOKEN_BYTES)
    return (
        b"A canary of packtrain: no sample, and nothing to train on. Whoever copies this folder copies it too;\n"
        b"results that hold its number, in whatever digits, do not leave the site.\n"
        b"hex    " + token.hex().encode("ascii") + b"\n"
        b"base64 " + base64.b64encode(token) + b"\n"
    )


def read_tokens(root: Path, names: Iterable[str]) -> tuple[bytes, ...]:
    """Return the numbers of the canaries that lie below a folder; one that is missing or is none is left out."""
    found: list[bytes] = []
    for name in names:
        try:
            descriptor = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            match = _HEX_LINE.search(os.read(descriptor, _MAX_FILE_BYTES)) if is_file else None
        finally:
            os.close(descriptor)
        if match is not None:
            found.append(bytes.fromhex(match[1].decode("ascii")))
    return tuple(found)


def tokens_digest(tokens: Iterable[bytes]) -> str:
    """Return one SHA-256 over the numbers, in order of their bytes: it names them and tells none."""
    return sha256_bytes(b"".join(sorted(tokens)))


def canary_needles(tokens: Iterable[bytes]) -> Iterator[Needle]:
    """Yield each number in every known form, and both its lines of digits in the forms in which a file is written."""
    for token in tokens:
        label = f"canary {sha256_bytes(token)[:12]}"
        yield from needles_of(label, token)
        for digits in (token.hex().encode("ascii"), base64.b64encode(token)):
            yield from needles_of(label, digits)
            for wide in as_wide_text(digits):
                for form in as_text(wide):
                    yield Needle(label, form)
