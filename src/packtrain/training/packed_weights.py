"""Weights compressed on their way into an outbox, and opened on their way out of one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.documents.export_list import ExportedFile, Packing
from packtrain.errors import MissingDependency
from packtrain.training import weights_codec
from packtrain.training.weights_codec_base import BaseWeights, base_files, best_base

PACKED_SUFFIX: Final = ".ptw"
SMALLEST_BYTES: Final = 1 << 20
"""A smaller file is sealed as it is: whoever opens it by hand needs `age` alone."""
_LEAST_SAVING: Final = 0.02

FindBase = Callable[[str], Path | None]
"""Finds the weights with a SHA-256; None where they are not here."""


def pack(source: Path, target: Path, bases: Sequence[Path]) -> tuple[Path, Packing] | None:
    """Write the compressed form of weights to `target`; return it, or None where it would not save 2 %.

    Args:
        source: a safetensors file.
        target: the compressed file; it is removed again where it does not pay.
        bases: weights that the other end has; the one that has most of the same tensors is taken.
    """
    if source.stat().st_size < SMALLEST_BYTES:
        return None
    path = best_base(source, bases)
    threads = weights_codec.num_threads_here()
    if path is None:
        with durable.atomic_writer(target) as stream:
            packed_bytes, digest = weights_codec.compress(source, stream, None, threads), None
    else:
        with BaseWeights(path) as base, durable.atomic_writer(target) as stream:
            packed_bytes, digest = weights_codec.compress(source, stream, base, threads), base.sha256
    if packed_bytes > (1 - _LEAST_SAVING) * source.stat().st_size:
        target.unlink()
        return None
    return target, Packing(form=weights_codec.FORM, bytes=packed_bytes, base=digest)


def unpack(source: Path, target: Path, file: ExportedFile, find_base: FindBase) -> None:
    """Open the compressed form of a file of the list, durably. Its digest is for the caller to check.

    Raises:
        WeightsUnopenable: see `decompress`; or the base is not here.
        MissingDependency: numpy or pyarrow is not installed.
    """
    assert file.packed is not None
    missing = [name for name in ("numpy", "pyarrow") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            "libraries that open compressed weights are not installed",
            where=file.name,
            found=f"no {', '.join(missing)}",
            hint="pip install 'packtrain[prepare]'; what was sent stays as it is",
        )
    path = None if file.packed.base is None else find_base(file.packed.base)
    threads = weights_codec.num_threads_here()
    with source.open("rb") as packed, durable.atomic_writer(target) as stream:
        if path is None:
            weights_codec.decompress(packed, stream, file.bytes, None, file.name, threads)
        else:
            with BaseWeights(path, file.packed.base) as base:
                weights_codec.decompress(packed, stream, file.bytes, base, file.name, threads)


def finder(paths: Sequence[Path]) -> FindBase:
    """Return what finds weights by their digest among files, and in folders; each file is read once, when asked for.

    Raises:
        WeightsUnopenable: one of the paths is not there; raised when weights are looked for.
    """

    @cache
    def digests() -> dict[str, Path]:
        return {sha256_file(path): path for path in base_files(paths)}

    return lambda sha256: digests().get(sha256)


def base_mark(paths: Sequence[Path]) -> str:
    """Return what changes when a base does, without reading it: names, lengths and times of its files."""
    if any(not path.exists() for path in paths):
        return "missing"
    marks = [(path, path.stat()) for path in base_files(paths)]
    return " ".join(f"{path}:{status.st_size}:{status.st_mtime_ns}" for path, status in marks)
