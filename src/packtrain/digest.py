"""SHA-256 for identity, XXH3-64 for finding damage; nothing else is ever used in format 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import xxhash

from packtrain.units import MIB

BLOCK_BYTES: Final = MIB
_READ_BYTES: Final = 1 * MIB


def sha256_bytes(payload: bytes | memoryview) -> str:
    """Return the SHA-256 of `payload` in lower-case hex."""
    return hashlib.sha256(payload).hexdigest()


def sha256_stream(stream: BinaryIO) -> tuple[str, int]:
    """Return the SHA-256 in hex and the number of bytes of `stream`, read to its end in 1 MiB pieces."""
    state = hashlib.sha256()
    total_bytes = 0
    while piece := stream.read(_READ_BYTES):
        state.update(piece)
        total_bytes += len(piece)
    return state.hexdigest(), total_bytes


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return sha256_stream(stream)[0]


def sha256_tree(root: Path) -> str:
    """Return one digest over all regular files below `root`: relative names and contents, in byte order of the names.

    Python's caches (`__pycache__`) and folders whose name starts with a dot are left out, so that running a
    program does not change its digest.
    """
    return sha256_listed((relative, sha256_file(root / relative)) for relative in _files(root))


def sha256_listed(files: Iterable[tuple[str, str]]) -> str:
    """Return what `sha256_tree` returns of a folder that holds these files: relative name and SHA-256 of each."""
    state = hashlib.sha256()
    for relative, sha256 in sorted(files):
        name = relative.encode("utf-8", "surrogateescape")
        state.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(sha256))
    return state.hexdigest()


def _files(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if any(part == "__pycache__" or part.startswith(".") for part in relative.parts):
            continue
        if path.is_file():
            yield relative.as_posix()


def block_hash(block: bytes | bytearray | memoryview) -> int:
    """Return XXH3-64 of one block with seed 0."""
    return xxhash.xxh3_64_intdigest(block)


def xxh3_block(block: bytes | bytearray | memoryview) -> str:
    """Return XXH3-64 of one block with seed 0, as the 16 hex digits of a line in a block list."""
    return f"{block_hash(block):016x}"
