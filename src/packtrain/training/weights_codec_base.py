"""Weights that both ends have: what new ones are written as a difference to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from packtrain.digest import sha256_file
from packtrain.errors import WeightsUnopenable
from packtrain.training.weights_codec_layout import Stretch, stretches

SUFFIX = ".safetensors"


class BaseWeights:
    """One file of weights, open for reading by several threads; close it, or use it as a context.

    Args:
        path: the file.
        sha256: its digest, where it is known already; the whole file is read otherwise.

    Attributes:
        sha256: its digest.
    """

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        self._path = path
        self.sha256 = sha256_file(path) if sha256 is None else sha256
        self._places = {stretch.key: stretch.offset for stretch in stretches(path) if stretch.key is not None}
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def place_of(self, stretch: Stretch) -> int | None:
        """Return where the same tensor (name, dtype, shape) begins in this file; None where it is not in it."""
        return None if stretch.key is None else self._places.get(stretch.key)

    def read(self, offset: int, num_bytes: int) -> bytes:
        """Return bytes of the file.

        Raises:
            WeightsUnopenable: it has none there.
        """
        size = os.fstat(self._descriptor).st_size
        raw = os.pread(self._descriptor, num_bytes, offset) if offset + num_bytes <= size else b""
        if len(raw) != num_bytes:
            raise WeightsUnopenable(
                "a block names bytes that its base does not have",
                where=str(self._path),
                expected=f"at most {size} bytes",
                found=f"{offset} + {num_bytes}",
            )
        return raw

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def base_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the weights files that `paths` name: files as they are, and the safetensors files of folders.

    Raises:
        WeightsUnopenable: one is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(inner for inner in path.iterdir() if inner.suffix == SUFFIX and inner.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise WeightsUnopenable("the base is not there", where=str(path), hint="[results] base in voyage.toml")
    return tuple(found)


def best_base(source: Path, files: Sequence[Path]) -> Path | None:
    """Return the one of `files` that has most of the tensors of `source`, by bytes; None where none has any."""
    wanted = {stretch.key: stretch.num_bytes for stretch in stretches(source) if stretch.key is not None}

    def in_common(path: Path) -> int:
        return sum(wanted.get(stretch.key, 0) for stretch in stretches(path) if stretch.key is not None)

    best = max(files, key=in_common, default=None)
    return best if best is not None and in_common(best) else None
