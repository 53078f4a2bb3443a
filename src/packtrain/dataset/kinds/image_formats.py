"""Which of Pillow's formats are read, and whether the end of a file is there.

Left out, though Pillow knows their names:

    EPS, WMF                          programs in a language of their own; Pillow starts other programs for them
    BUFR, GRIB, HDF5, MPEG            Pillow recognises them and cannot decode them
    FITS, MCIDAS, SPIDER              measurements with units, of which Pillow reads one plane
    PCD                               Pillow reads the preview only
    FTEX, GBR, IM, IMT, IPTC, PIXAR, XVTHUMB    no picture of their own, no signature, or met nowhere
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Final

from PIL import Image

# By name, so that Pillow never tries the formats that start other programs or hold scripts.
_SIGNED: Final = (
    *("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"),
    *("PSD", "QOI", "DDS", "ICNS", "BLP"),
)
"""Their first bytes name them beyond doubt: they are tried whatever the file is called."""

# These begin with two or three bytes that noise has as well, or with none: without the name they are not tried, or
# noise under the name of a photograph would be taken for a picture.
_BY_SUFFIX: Final[Mapping[str, str]] = {
    **dict.fromkeys(("tga", "icb", "vda", "vst"), "TGA"),
    **dict.fromkeys(("sgi", "rgb", "rgba", "bw"), "SGI"),
    **dict.fromkeys(("fli", "flc"), "FLI"),
    **{"dib": "DIB", "ico": "ICO", "cur": "CUR", "pcx": "PCX", "dcx": "DCX", "msp": "MSP", "ras": "SUN"},
    **{"xbm": "XBM", "xpm": "XPM"},
}

# What Pillow's readers raise on hostile bytes, beside OSError and their own.
UNREADABLE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

ONE_PICTURE: Final = ("PSD", "ICO", "ICNS", "CUR")
"""What Pillow counts as frames of these are layers, or sizes of one picture: the whole picture alone is decoded."""

# What Pillow passes over in silence, or with a warning, where a file was cut: words of its warnings.
CUT_WARNINGS: Final = ("larger than file", "Expecting to read", "Truncated")


@cache
def formats_for(suffix: str) -> list[str]:
    """Return the formats that are tried for a file of this suffix; some builds of Pillow lack some of them."""
    # Pillow knows the rarer formats by name only after this.
    Image.init()
    own = _BY_SUFFIX.get(suffix)
    return [name for name in ([own] if own else []) + [*_SIGNED] if name in Image.OPEN]


@cache
def all_formats() -> list[str]:
    """Return every format that is read under some name: for what was read before and is shown again."""
    Image.init()
    return [name for name in dict.fromkeys((*_SIGNED, *_BY_SUFFIX.values())) if name in Image.OPEN]


def has_its_end(form: str, payload: bytes) -> bool:
    """Return whether a file that was decoded has the end that its format prescribes.

    Pillow decodes a file whose last bytes are missing as long as it has all pixels, or all that it counts as frames.
    What follows the end is not looked at: phones put a short film there.
    """
    if form == "PNG":
        return _png_has_end(payload)
    if form == "GIF":
        return _gif_has_trailer(payload)
    if form == "JPEG2000":
        # The end of codestream; no byte above 0x8F follows 0xFF within packets (ISO/IEC 15444-1, annex A).
        return payload.find(b"\xff\xd9", payload.find(b"\xff\x4f\xff\x51")) >= 0
    if form == "TIFF":
        return _tiff_has_its_pages(payload)
    if form in ("ICO", "CUR"):
        sizes = range(6, 6 + 16 * int.from_bytes(payload[4:6], "little"), 16)
        return all(
            sum(struct.unpack("<II", payload[at + 8 : at + 16].ljust(8, b"\xff"))) <= len(payload) for at in sizes
        )
    if form == "ICNS":
        return int.from_bytes(payload[4:8], "big") <= len(payload)
    if form == "QOI":
        return payload.find(b"\0\0\0\0\0\0\0\1", 14) >= 0
    return form != "XBM" or b"}" in payload


def _png_has_end(payload: bytes) -> bool:
    """Walk the chunks to IEND (PNG specification, third edition, section 5)."""
    at = 8
    while at + 12 <= len(payload):
        if payload[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(payload[at : at + 4], "big")
    return False


def _gif_has_trailer(payload: bytes) -> bool:
    """Walk the blocks to the trailer (GIF89a, sections 17 to 27)."""
    at = 13 + _colour_table_bytes(payload[10:11])
    while at < len(payload):
        introducer = payload[at]
        if introducer == 0x3B:
            return True
        if introducer == 0x21:  # an extension: its label, then sub-blocks
            at += 2
        elif introducer == 0x2C:  # a picture: descriptor, colour table, code size, then sub-blocks
            at += 11 + _colour_table_bytes(payload[at + 9 : at + 10])
        else:
            # Pillow passes over bytes between blocks, as browsers do.
            at += 1
            continue
        while at < len(payload) and payload[at]:
            at += 1 + payload[at]
        at += 1
    return False


def _tiff_has_its_pages(payload: bytes) -> bool:
    """Walk the directories of all pages (TIFF 6.0, section 2; BigTIFF): Pillow takes a missing one for the last."""
    order = "<" if payload[:2] == b"II" else ">"
    is_big = struct.unpack(order + "H", payload[2:4])[0] == 43
    pointer, count, entry_bytes = (order + "Q", order + "Q", 20) if is_big else (order + "I", order + "H", 12)
    place = 8 if is_big else 4
    seen: set[int] = set()
    try:
        while (at := struct.unpack_from(pointer, payload, place)[0]) and at not in seen:
            seen.add(at)
            num_entries = struct.unpack_from(count, payload, at)[0]
            place = at + struct.calcsize(count) + entry_bytes * num_entries
    except struct.error:
        return False
    return True


def _colour_table_bytes(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
