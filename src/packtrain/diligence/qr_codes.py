"""QR codes as pictures: written with segno, read with zxing-cpp where it is installed. A picture is a stranger's."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from packtrain import durable
from packtrain.errors import CodeUnreadable, MissingDependency, StageNotReady
from packtrain.record.line_code import LINE_PREFIX, SECOND_PREFIX

PICTURES: Final = (".png", ".svg")
_LEVEL: Final = "m"  # mends 15 %: dust on a screen, a fold in paper
_QUIET_MODULES: Final = 4
_PIXELS_A_MODULE: Final = 8
_MAX_PICTURE_BYTES: Final = 32 << 20
_MAX_PICTURE_PIXELS: Final = 50_000_000
"""More than any telephone's camera gives by default; a picture is refused by its header, before it is unpacked."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_MAX_TEXT_BYTES: Final = 16 * 1024
# Two modules above one another in one character, light ones drawn: on the usual dark terminal that is black on white.
_HALVES: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def write_code(text: str, path: Path) -> Path:
    """Write the QR code of a text as PNG or SVG, by the ending of `path`, whole or not at all; return the path.

    Raises:
        CodeUnreadable: the ending is another one.
    """
    if path.suffix.lower() not in PICTURES:
        raise CodeUnreadable("a code is written as PNG or SVG", where=str(path), expected=" or ".join(PICTURES))
    stream = BytesIO()
    _code(text).save(stream, kind=path.suffix.lower()[1:], scale=_PIXELS_A_MODULE, border=_QUIET_MODULES)
    durable.write_bytes(path, stream.getvalue())
    return path


def code_blocks(text: str) -> str:
    """Return the QR code of a text as lines of block characters, for a terminal with light letters on dark."""
    light = [[not dark for dark in row] for row in _code(text).matrix_iter(border=_QUIET_MODULES)]
    if len(light) % 2:
        light.append([False] * len(light[0]))
    pairs = zip(light[::2], light[1::2], strict=True)
    return "\n".join("".join(_HALVES[pair] for pair in zip(*rows, strict=True)) for rows in pairs)


def read_scan(given: str) -> str:
    """Return the text of a code: `given` itself if it is one, else what the file of that name holds, picture or text.

    Raises:
        StageNotReady: it is neither a code nor a file.
        CodeUnreadable: the file is too long, no picture that can be read, or shows no code of packtrain's or several.
        MissingDependency: a picture, and zxing-cpp is not installed.
    """
    if _is_code(given):
        return given
    path = Path(given)
    try:
        with path.open("rb") as stream:
            payload = stream.read(_MAX_PICTURE_BYTES + 1)
    except (FileNotFoundError, ValueError, OSError) as error:
        raise StageNotReady(
            "neither the text of a code nor a file",
            where=ascii(given[:60]),
            expected=f"a picture, or a text that begins with {LINE_PREFIX} or {SECOND_PREFIX}",
            hint="give what the scanner shows in quotes, or the picture's name",
        ) from error
    if len(payload) > _MAX_PICTURE_BYTES:
        raise CodeUnreadable("picture is too long", where=given, expected=f"at most {_MAX_PICTURE_BYTES} bytes")
    if len(payload) <= _MAX_TEXT_BYTES and _is_code(text := payload.decode("ascii", "replace")):
        return text
    return _read_picture(payload, given)


def _code(text: str) -> Any:
    import segno

    return segno.make_qr(text, error=_LEVEL, boost_error=False)


def _is_code(text: str) -> bool:
    return "".join(text[:64].split()).upper().startswith((LINE_PREFIX, SECOND_PREFIX))


def _read_picture(payload: bytes, where: str) -> str:
    try:
        import zxingcpp
        from PIL import Image
    except ImportError as error:
        raise MissingDependency(
            "reading a picture of a code needs zxing-cpp and pillow",
            where=where,
            expected="packtrain[scan]",
            found=error.name,
            hint='pip install "packtrain[scan]"; or give the text that a telephone shows for the code',
        ) from error
    picture = _open_picture(Image, payload, where)
    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    found = sorted({code.text for code in codes if _is_code(code.text)})
    if len(found) != 1:
        raise CodeUnreadable(
            "the picture shows no code of packtrain's" if not found else "the picture shows several codes",
            where=where,
            expected="one, whole and sharp, with its white margin",
            found=f"{len(codes)} codes, {len(found)} of packtrain's",
        )
    return found[0]


def _open_picture(image: Any, payload: bytes, where: str) -> Any:
    try:
        picture = image.open(BytesIO(payload), formats=_FORMATS)
        if picture.width * picture.height <= _MAX_PICTURE_PIXELS:
            return picture.convert("L")
    # What a decoder of pictures raises at bytes of strangers is of many kinds, all of them "no picture" here.
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, ArithmeticError, EOFError, MemoryError,
            struct.error, zlib.error, image.DecompressionBombError) as error:  # fmt: skip
        raise CodeUnreadable("not a picture that can be read", where=where, expected=", ".join(_FORMATS)) from error
    raise CodeUnreadable(
        "picture is too large",
        where=where,
        expected=f"at most {_MAX_PICTURE_PIXELS} pixels",
        found=f"{picture.width} x {picture.height}",
    )
