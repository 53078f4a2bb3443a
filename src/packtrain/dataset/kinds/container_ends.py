"""Whether a clip's file is as long as its container says: demuxers take the end of a cut file for that of the film.

MP4 and MOV need no look here (their tables of frames lead beyond the end), MPEG streams, Ogg and FLV say no length.
"""

from __future__ import annotations

from typing import BinaryIO, Final

_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_HEAD_BYTES: Final = 4096
_UNKNOWN: Final = 0xFFFFFFFF


def ends_early(stream: BinaryIO, size_bytes: int) -> bool:
    """Return whether Matroska, WebM or AVI says that it is longer than it is; the stream is at its beginning again."""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    if head[:4] == _EBML:
        return _segment_end(head) > size_bytes
    # RIFF: the size counts what follows it. Files of more than 1 GiB go on in further chunks.
    told = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and head[8:12] == b"AVI " and told != _UNKNOWN and 8 + told > size_bytes


def _segment_end(head: bytes) -> int:
    """Return where the segment ends, 0 where it does not say (RFC 8794, section 4; RFC 9559, section 5.1)."""
    length, size = _number(head, 4)
    at = 4 + length + size
    if head[at : at + 4] != _SEGMENT:
        return 0
    length, size = _number(head, at + 4)
    # All bits set: a live stream, whose end nobody knew.
    is_unknown = length == 0 or size == (1 << (7 * length)) - 1
    return 0 if is_unknown else at + 4 + length + size


def _number(head: bytes, at: int) -> tuple[int, int]:
    """Return length and value of a number whose leading zeros say how long it is; 0, 0 beyond the end."""
    first = head[at] if at < len(head) else 0
    length = 9 - first.bit_length() if first else 0
    digits = head[at : at + length]
    if length == 0 or len(digits) < length:
        return 0, 0
    return length, int.from_bytes(digits, "big") & ((1 << (7 * length)) - 1)
