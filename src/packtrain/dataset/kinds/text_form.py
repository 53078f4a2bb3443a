"""How the bytes of a text table become characters: by a rule that gives the same for the same bytes.

1. A byte order mark says UTF-8, UTF-16 LE or UTF-16 BE.
2. Otherwise lines are counted that have other than ASCII bytes: if at least as many of them are valid UTF-8 as are not,
   it is UTF-8 (and those that are not valid are set aside).
3. Otherwise it is Windows-1252, of which Latin-1's letters are a part. The sample says so in its detail.
"""

from __future__ import annotations

import codecs
import gzip
import os
import select
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Literal, cast

from packtrain.dataset.kinds.piece import Damaged, one_line

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "windows-1252"]
GZIP_FAILS: Final = (OSError, EOFError, zlib.error)
_CHUNK_BYTES: Final = 1 << 20
_WAIT_MILLISECONDS: Final = 100
_LONGEST_LINE_BYTES: Final = 16 << 20
_MARKS: Final[tuple[tuple[bytes, Encoding], ...]] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def opened(stream: BinaryIO, is_gzip: bool) -> BinaryIO:
    """Return the bytes of a table from its beginning, unpacked."""
    stream.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="rb")) if is_gzip else stream


def encoding_of(stream: BinaryIO, is_gzip: bool) -> Encoding:
    """Return the encoding of a whole file.

    Raises:
        Damaged: the gzip around it is broken.
    """
    try:
        raw = opened(stream, is_gzip)
        head = raw.read(_CHUNK_BYTES)
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                return encoding
        # Nobody asks how many are valid where none is not.
        if all(_is_utf8(lines) for lines in _lines_together(raw, head)):
            return "utf-8"
        num_valid = num_invalid = 0
        for lines in _lines_together(opened(stream, is_gzip), b""):
            for line in lines.split(b"\n"):
                if not line.isascii():
                    is_valid = _is_utf8(line)
                    num_valid, num_invalid = num_valid + is_valid, num_invalid + (not is_valid)
    except GZIP_FAILS as error:
        raise Damaged(f"not a readable gzip file: {one_line(error)}") from error
    return "utf-8" if num_valid >= num_invalid else "windows-1252"


def _lines_together(raw: BinaryIO, head: bytes) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line, or a letter of two bytes would be cut; longer lines come in parts.

    Args:
        raw: the file after its head.
        head: what was read of it.
    """
    rest = head
    while chunk := raw.read(_CHUNK_BYTES):
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield lines
        elif len(rest) >= _LONGEST_LINE_BYTES:
            yield rest
            rest = b""
    yield rest


def _is_utf8(lines: bytes) -> bool:
    if lines.isascii():
        return True
    try:
        lines.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def head_of(stream: BinaryIO, is_gzip: bool, encoding: Encoding, num_bytes: int) -> str:
    """Return the beginning of a file as text, without a byte order mark; what cannot be read becomes U+FFFD.

    Raises:
        Damaged: the gzip around it is broken.
    """
    try:
        raw = opened(stream, is_gzip).read(num_bytes)
    except GZIP_FAILS as error:
        raise Damaged(f"not a readable gzip file: {one_line(error)}") from error
    return raw.decode(encoding, errors="replace").removeprefix("\ufeff")


class _Feed(threading.Thread):
    """Turns a file into UTF-8 and writes it into a pipe, until there is no more or it is told to stop."""

    def __init__(self, raw: BinaryIO, encoding: Encoding, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._raw = raw
        self._encoding = encoding
        self._descriptor = descriptor
        self.error: Exception | None = None
        self.is_stopped = False

    def run(self) -> None:
        # A half of a UTF-16 pair becomes bytes that are no UTF-8: the reader sets the line aside.
        errors = "surrogatepass" if self._encoding.startswith("utf-16") else "strict"
        decoder: Any = (
            codecs.getincrementaldecoder(self._encoding)(errors) if self._encoding != "windows-1252" else _Windows()
        )
        is_first = True
        try:
            while not self.is_stopped:
                chunk = self._raw.read(_CHUNK_BYTES)
                text = decoder.decode(chunk, not chunk)
                self._write((text.removeprefix("\ufeff") if is_first else text).encode("utf-8", errors))
                is_first = is_first and not text
                if not chunk:
                    return
        except BrokenPipeError:
            return
        except (*GZIP_FAILS, UnicodeError) as error:
            self.error = error
        finally:
            os.close(self._descriptor)

    def _write(self, payload: bytes) -> None:
        # Never a write that waits: whoever opened the pipe may hold it open and read no more.
        ready = select.poll()
        ready.register(self._descriptor, select.POLLOUT)
        left = memoryview(payload)
        while left and not self.is_stopped:
            if ready.poll(_WAIT_MILLISECONDS):
                left = left[os.write(self._descriptor, left) :]


class _Windows:
    _TABLE: Final = {byte: bytes([byte]).decode("windows-1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}

    def decode(self, chunk: bytes, final: bool) -> str:  # the form of codecs.IncrementalDecoder
        return chunk.decode("latin-1").translate(self._TABLE)


@contextmanager
def as_utf8(raw: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """Yield the path of a pipe that gives a file as UTF-8, to be opened once; memory does not grow with the file.

    Raises:
        Damaged: the file could not be read to its end, or its UTF-16 is cut in the middle of a character.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    feed = _Feed(raw, encoding, writing)
    feed.start()
    try:
        yield f"/proc/self/fd/{reading}"
    finally:
        feed.is_stopped = True
        feed.join()
        os.close(reading)
    if feed.error is not None:
        raise Damaged(f"not a readable table: {one_line(feed.error)}") from feed.error
