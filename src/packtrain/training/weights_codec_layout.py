"""Where in a safetensors file which numbers lie: what the compressor cuts along. The reader needs none of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

_MAX_HEADER_BYTES: Final = 64 << 20
_WIDTHS: Final = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32", "C64"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
}
_Offset = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file that are numbers of one kind.

    Attributes:
        offset: in the file.
        width: bytes a number; 1 for what is no number of ours.
        key: what makes it the same tensor in another file: name, dtype and shape. None for what is no tensor.
    """

    offset: int
    num_bytes: int
    width: int = 1
    is_float: bool = False
    key: tuple[str, str, tuple[int, ...]] | None = None


def stretches(path: Path) -> tuple[Stretch, ...]:
    """Return the stretches that a file consists of, in order, without gaps; a file of another form is one."""
    total_bytes = path.stat().st_size
    whole = (Stretch(0, total_bytes),) if total_bytes else ()
    with path.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        if header_bytes > min(_MAX_HEADER_BYTES, total_bytes - 8):
            return whole
        raw = stream.read(header_bytes)
    try:
        header = msgspec.json.decode(raw, type=dict[str, Any])
        header.pop("__metadata__", None)
        entries = {name: msgspec.convert(entry, _Entry) for name, entry in header.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return whole
    place = 8 + header_bytes
    found = [Stretch(0, place)]
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        start, end = (8 + header_bytes + offset for offset in entry.data_offsets)
        if start != place or end < start:
            return whole
        width = _WIDTHS.get(entry.dtype, 1)
        if (end - start) % width:
            return whole
        if end > start:
            is_float = entry.dtype[0] in "FBC" and entry.dtype != "BOOL"
            found.append(Stretch(start, end - start, width, is_float, (name, entry.dtype, entry.shape)))
        place = end
    return tuple(found) if place == total_bytes else whole


class _Entry(msgspec.Struct, frozen=True):
    dtype: Annotated[str, msgspec.Meta(min_length=1)]
    shape: tuple[int, ...]
    data_offsets: tuple[_Offset, _Offset]
