"""What a text says when its digits are read: hexadecimal, base64, small numbers, and what is compressed in them.

Everything is bounded: depth, and bytes in all. What would become larger is refused, not followed.
"""

from __future__ import annotations

import base64
import bz2
import lzma
import re
import zlib
from collections.abc import Iterator
from typing import Final

from packtrain.errors import ExportDenied

MAX_DEPTH: Final = 3
MAX_UNFOLDED_BYTES: Final = 32 << 20
"""Or eight times the text, where that is more: prose, read as base64 from each place, makes four of it."""

_PER_BYTE: Final = 8
MAX_ENCODED_CHARACTERS: Final = 4096
"""More digits of encoded bytes than this do not leave as text: no person can read them. 64 digests have as many."""

MIN_RUN_BYTES: Final = 24
_STEP_BYTES: Final = 1 << 12
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{48,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{32,}")
_BASE32: Final = re.compile(rb"[A-Z2-7]{40,}")
_BASE85: Final = re.compile(rb"[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]{40,}")
_ASCII85: Final = re.compile(rb"[!-u]{40,}")
_BETWEEN_DIGITS: Final = re.compile(rb"0x|\\x|[%\s,:;\"'\[\]\\]")
_BETWEEN_LINES: Final = re.compile(rb"[\s,\"'\[\]\\]|\\n")
_NUMBER: Final = re.compile(rb"(?<![\w.])\d{1,3}(?:\.0+)?(?![\w.])")
_TOKEN: Final = re.compile(rb"[A-Za-z0-9+/_=-]{40,}")
_WORD_OF_A_NAME: Final = rb"(?:[a-z]{1,20}|[A-Z][a-z]{0,19})?\d{0,8}"
# Possessive: what was taken for a word is not tried again, or a row of strokes would be gone through without end.
_NAME: Final = re.compile(rb"(?:" + _WORD_OF_A_NAME + rb"[_/=-]++)*+" + _WORD_OF_A_NAME)
_MOST_COLUMNS: Final = 8
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_COMPRESSED: Final = re.compile(
    rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd|\xfd7zXZ\x00|BZh[1-9]1AY|\x04\x22\x4d\x18|x[\x01\x5e\x9c\xda]"
)
_MOST_STREAMS: Final = 16_384  # by chance a MiB of random bytes holds some 64 that look like the beginning of one
_LEAST_TEXT_SHARE: Final = 0.9


def unfold(content: bytes, where: str) -> tuple[bytes, ...]:
    """Return the content, and all that it says in another writing, down to `MAX_DEPTH` writings of a writing.

    Raises:
        ExportDenied: it unfolds to more than `MAX_UNFOLDED_BYTES`, or eight times itself.
    """
    found, layer = [content], [content]
    left = max(MAX_UNFOLDED_BYTES, _PER_BYTE * len(content))
    for depth in range(MAX_DEPTH):
        below: list[bytes] = []
        for piece in layer:
            # Bytes that came out are read as text where they are text; by chance alone digits make endless more digits.
            writings = _writings(piece) if not depth or _is_text(piece) else iter(())
            for written in (*writings, *_decompressed(piece, where)):
                left -= len(written)
                if left < 0:
                    raise _too_much(where)
                below.append(written)
        found += below
        layer = [piece for piece in below if _is_text(piece) or _COMPRESSED.search(piece)]
    return tuple(found)


def encoded_characters(text: bytes) -> int:
    """Return how many characters stand in words of digits: 40 and more letters and digits, mixed, without a break.

    Names of things do not count: short words with a number behind them or none, joined by lines and strokes.
    """
    return sum(
        len(token)
        for token in _TOKEN.findall(text)
        if sum(map(token.count, _DIGITS)) >= len(token) // 20 and any(letter in token for letter in _LETTERS)
        if _NAME.fullmatch(token) is None
    )


_DIGITS: Final = tuple(bytes([digit]) for digit in b"0123456789")
_LETTERS: Final = tuple(bytes([letter]) for letter in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _writings(text: bytes) -> Iterator[bytes]:
    joined_digits = _BETWEEN_DIGITS.sub(b"", text)
    joined_lines = _BETWEEN_LINES.sub(b"", text)
    for form in dict.fromkeys((text, joined_digits)):
        for run in _HEX.findall(form):
            for place in (0, 1):
                yield bytes.fromhex(run[place : place + (len(run) - place) // 2 * 2].decode("ascii"))
    for form in dict.fromkeys((text, joined_lines)):
        for run in _BASE64.findall(form):
            digits = run.translate(_URL_SAFE)
            for place in range(4):
                rest = digits[place:] if (len(digits) - place) % 4 != 1 else digits[place:-1]
                yield base64.b64decode(rest + b"=" * (-len(rest) % 4))
        for run in _BASE32.findall(form):
            for place in range(8):
                yield base64.b32decode(run[place : place + (len(run) - place) // 8 * 8])
    for pattern, decode in ((_BASE85, base64.b85decode), (_ASCII85, base64.a85decode)):
        for run in pattern.findall(text):
            for place in range(5):
                try:
                    yield decode(run[place : place + (len(run) - place) // 5 * 5])
                except ValueError:
                    continue
    yield from _small_numbers(text)


def _small_numbers(text: bytes) -> Iterator[bytes]:
    """Yield numbers from 0 to 255 as bytes: all of them, and the first, second, third... of every line."""
    columns: list[bytearray] = [bytearray() for _ in range(_MOST_COLUMNS)]
    everything = bytearray()
    for line in text.split(b"\n"):
        for column, match in enumerate(_NUMBER.findall(line)):
            if (value := int(match.partition(b".")[0])) < 256:
                everything.append(value)
                if column < _MOST_COLUMNS:
                    columns[column].append(value)
    for values in (everything, *columns):
        if len(values) >= MIN_RUN_BYTES:
            yield bytes(values)


def _decompressed(content: bytes, where: str) -> Iterator[bytes]:
    for number, match in enumerate(_COMPRESSED.finditer(content)):
        if number >= _MOST_STREAMS:
            raise _too_much(where)
        start = memoryview(content)[match.start() :]
        unpacked = _zlib(start) if match[0][:1] in b"\x1fx" else _others(start)
        if len(unpacked) > MAX_UNFOLDED_BYTES:
            raise _too_much(where)
        if len(unpacked) >= MIN_RUN_BYTES:
            yield unpacked


def _zlib(start: memoryview) -> bytes:
    """Return what comes out, up to the first damage: a stream that was spoiled on purpose still has its beginning."""
    unpacker, found = zlib.decompressobj(wbits=47), bytearray()  # gzip or zlib, as the header says
    try:
        for place in range(0, len(start), _STEP_BYTES):
            found += unpacker.decompress(start[place : place + _STEP_BYTES], MAX_UNFOLDED_BYTES + 1 - len(found))
            if unpacker.eof or len(found) > MAX_UNFOLDED_BYTES:
                break
    except zlib.error:
        pass
    return bytes(found)


def _others(start: memoryview) -> bytes:
    import pyarrow as pa

    found = bytearray()
    try:
        if bytes(start[:2]) == b"\xfd7":
            return lzma.LZMADecompressor(memlimit=256 << 20).decompress(start, MAX_UNFOLDED_BYTES + 1)
        if bytes(start[:2]) == b"BZ":
            return bz2.BZ2Decompressor().decompress(start, MAX_UNFOLDED_BYTES + 1)
        name = {b"\x28\xb5": "zstd", b"\x04\x22": "lz4"}[bytes(start[:2])]
        with pa.CompressedInputStream(pa.BufferReader(start), name) as stream:
            while len(found) <= MAX_UNFOLDED_BYTES and (piece := stream.read(_STEP_BYTES)):
                found += piece
    except (OSError, pa.ArrowException, lzma.LZMAError):
        pass
    return bytes(found)


def _is_text(content: bytes) -> bool:
    start = content[: 1 << 16]
    return len(start.translate(None, _NOT_PRINTABLE)) >= _LEAST_TEXT_SHARE * len(start)


_NOT_PRINTABLE: Final = bytes(sign for sign in range(256) if not 0x20 <= sign < 0x7F and sign not in b"\t\n\r")


def _too_much(where: str) -> ExportDenied:
    return ExportDenied(
        "text holds something that unpacks to more than is looked at",
        where=where,
        expected=f"at most {MAX_UNFOLDED_BYTES >> 20} MiB",
        hint="results are numbers and short notes; nothing packed leaves as text",
    )
