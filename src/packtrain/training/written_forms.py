"""The forms in which bytes are written again: digits, turned round, as numbers. None of them hides a known stretch."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

import numpy as np

from packtrain.training.needles import Needle

_SWAPS: Final = (2, 4, 8)


def as_text(content: bytes) -> Iterator[bytes]:
    """Yield a stretch as it is, backwards, in hexadecimal digits, and in base64 wherever it begins in a group."""
    yield content
    yield content[::-1]
    yield content.hex().encode("ascii")
    yield content.hex().upper().encode("ascii")
    for standard in base64_forms(content):
        yield standard
        if (url_safe := standard.translate(bytes.maketrans(b"+/", b"-_"))) != standard:
            yield url_safe


def base64_forms(content: bytes) -> Iterator[bytes]:
    """Yield the digits that stand for the stretch alone, for its three places in a group of three bytes."""
    for place in range(3):
        whole = content[(3 - place) % 3 :]
        yield base64.b64encode(whole[: len(whole) // 3 * 3])


def as_wide_text(content: bytes) -> Iterator[bytes]:
    """Yield text in UTF-16, both ways."""
    text = content.decode("latin-1")
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")


def as_words(content: bytes) -> Iterator[bytes]:
    """Yield a stretch with the bytes of each word of 2, 4 or 8 turned round, wherever a word begins."""
    for width in _SWAPS:
        for place in range(width):
            whole = content[place : place + (len(content) - place) // width * width]
            yield np.frombuffer(whole, dtype=np.uint8).reshape(-1, width)[:, ::-1].tobytes()


def as_numbers(content: bytes) -> Iterator[bytes]:
    """Yield a stretch as numbers, a number a byte: as it counts, from 0 to 1, and from -1 to 1 in three usual ways."""
    values = np.frombuffer(content, dtype=np.uint8).astype(np.float32)
    for scaled in (
        values,
        values / np.float32(255),
        (values - np.float32(128)) / np.float32(128),
        values / np.float32(127.5) - np.float32(1),
        (values - np.float32(127.5)) / np.float32(127.5),
    ):
        yield scaled.tobytes()
        yield scaled.astype(np.float16).tobytes()
        bits = scaled.view(np.uint32)
        # Round to the nearest, a tie to the even one, as torch does.
        yield (
            ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))
            .astype(np.uint16)
            .tobytes()
        )
    yield values.astype(np.float64).tobytes()


def needles_of(label: str, content: bytes) -> Iterator[Needle]:
    """Yield the stretch in every form of this file but UTF-16."""
    for forms in (as_text(content), as_words(content), as_numbers(content)):
        for form in forms:
            yield Needle(label, form)
