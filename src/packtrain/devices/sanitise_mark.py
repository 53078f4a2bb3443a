"""The mark of a run that erases a drive: what ties a half-erased device to the run that began on it.

The first mebibyte of a drive is replaced by the mark before anything else goes, and by zeros after everything else is
gone. Whoever finds the mark knows that the drive is not finished; the run that was cut off knows it by the mark.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import Final

from packtrain.devices.sanitise_target import HEAD_BYTES, forget_cached

_TEXT: Final = "packtrain is erasing this drive and has not finished. Run {nonce}\n"
_PATTERN: Final = re.compile(
    rb"packtrain is erasing this drive and has not finished\. Run (?P<nonce>[0-9a-f]{32})\n\0{64}"
)
_READ_BYTES: Final = 4096


def read_mark(descriptor: int) -> str | None:
    """Return the run whose mark an open device bears; None where it bears none."""
    with mmap.mmap(-1, _READ_BYTES) as buffer:
        if os.preadv(descriptor, [buffer], 0) != _READ_BYTES:
            return None
        match = _PATTERN.match(buffer[:])
    return match["nonce"].decode() if match else None


def write_mark(descriptor: int, nonce: str) -> None:
    """Replace the first mebibyte of an open device by the mark of a run."""
    _write_head(descriptor, _TEXT.format(nonce=nonce).encode())


def wipe_mark(descriptor: int) -> None:
    """Replace the first mebibyte of an open device by zeros."""
    _write_head(descriptor, b"")


def _write_head(descriptor: int, content: bytes) -> None:
    with mmap.mmap(-1, HEAD_BYTES) as buffer:
        buffer[: len(content)] = content
        done = 0
        with memoryview(buffer) as view:
            while done < HEAD_BYTES:
                with view[done:] as rest:
                    done += os.pwritev(descriptor, [rest], done)
    forget_cached(descriptor)
