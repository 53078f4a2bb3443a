"""A safetensors file as packtrain writes it and takes it back: nothing but the tensors, and one way to say them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from packtrain.documents.codec import Count
from packtrain.documents.export_list import ExportedTensor
from packtrain.errors import ExportDenied

MAX_HEADER_BYTES: Final = 64 << 20
_LENGTH_BYTES: Final = 8
_MAX_PADDING_BYTES: Final = 7  # the header is filled up with spaces to a multiple of eight

DTYPES: Final = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""Kinds of numbers that leave, by the name in the file; others (complex, unsigned of many bytes) do not."""

ITEM_BYTES: Final = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


@dataclass(frozen=True, slots=True)
class PlacedTensor:
    """A tensor, and where in the file its bytes begin."""

    tensor: ExportedTensor
    start: int


class _HeaderEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[Count, ...]
    data_offsets: tuple[Count, Count]


def read_safetensors_header(path: Path, max_header_bytes: int = MAX_HEADER_BYTES) -> tuple[ExportedTensor, ...]:
    """Return the tensors that a safetensors file lists, in order of their names; nothing is unpickled or executed.

    Raises:
        ExportDenied: see `read_places`.
    """
    found = (placed.tensor for placed in read_places(path, max_header_bytes))
    return tuple(sorted(found, key=lambda tensor: tensor.name))


def read_places(path: Path, max_header_bytes: int = MAX_HEADER_BYTES) -> tuple[PlacedTensor, ...]:
    """Return the tensors of a safetensors file, in the order in which they lie.

    Raises:
        ExportDenied: it is no safetensors file; its header does not describe its bytes exactly; or the header says what
            it says in another way than the one that is written: with metadata, a name twice, other spaces, escapes or
            order, which are all places for bytes.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if header_bytes > min(max_header_bytes, size - _LENGTH_BYTES):
            raise ExportDenied("file is no safetensors file: header longer than the file", where=str(path))
        raw = stream.read(header_bytes)
    try:
        pairs = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
        entries = msgspec.convert(pairs, dict[str, _HeaderEntry])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ExportDenied(f"file is no safetensors file: {str(error)[:200]}", where=str(path)) from error
    place = 0
    for name, entry in entries.items():
        start, end = entry.data_offsets
        if start != place or end < start:
            raise ExportDenied("safetensors file has bytes that belong to no tensor", where=str(path))
        dtype = DTYPES.get(entry.dtype)
        if dtype is None or end - start != math.prod(entry.shape) * ITEM_BYTES[dtype]:
            raise ExportDenied(
                "safetensors file gives a tensor other bytes than its shape has",
                where=f"{path}, {name[:200]}",
                expected=f"{entry.dtype} {list(entry.shape)}"[:200],
                found=f"{end - start} bytes",
            )
        place = end
    if place != size - _LENGTH_BYTES - header_bytes:
        raise ExportDenied("safetensors file has bytes that belong to no tensor", where=str(path))
    if not _is_plain(raw, pairs, list(entries.items())):
        raise ExportDenied(
            "header of the safetensors file is not written as packtrain writes it",
            where=str(path),
            hint="spaces, escapes and the order of names can carry bytes; write the tensors anew",
        )
    begin = _LENGTH_BYTES + header_bytes
    return tuple(
        PlacedTensor(
            ExportedTensor(
                name=name,
                dtype=DTYPES[entry.dtype],
                shape=entry.shape,
                bytes=entry.data_offsets[1] - entry.data_offsets[0],
            ),
            begin + entry.data_offsets[0],
        )
        for name, entry in entries.items()
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name given twice")
    return found


def _is_plain(raw: bytes, pairs: dict[str, Any], entries: Sequence[tuple[str, _HeaderEntry]]) -> bool:
    """Return whether a header is what the library writes: compact JSON, names of one kind in order, few spaces."""
    plain = json.dumps(pairs, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    fields = {tuple(pairs[name]) for name, _ in entries}
    kinds = [entry.dtype for _, entry in entries]
    return (
        raw.rstrip(b" ") == plain
        and len(raw) - len(plain) <= _MAX_PADDING_BYTES
        and fields <= {("dtype", "shape", "data_offsets")}
        # Kinds lie together, and names of a kind in order of their letters.
        and len(list(dict.fromkeys(kinds))) == 1 + sum(a != b for a, b in itertools.pairwise(kinds))
        and all(
            first[0] < second[0] for first, second in itertools.pairwise(entries) if first[1].dtype == second[1].dtype
        )
    )
