"""Objects of a JSON file from anywhere, one at a time, each with its number or line; memory is that of the largest."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from packtrain.diligence.lists.reading import MAX_ENTRY_BYTES
from packtrain.errors import ListUnreadable

_PIECE_BYTES: Final = 1 << 18
_BLANKS: Final = " \t\r\n"
_CUT_OFF: Final = "fetch the file again: it may be cut off; nothing of it was kept"


def objects_in_array(path: Path, member: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of an array that is a member of the file's one object, each with its place for messages.

    Args:
        path: the file.
        member: name of the array.

    Raises:
        ListUnreadable: not such a file, cut off, or an object out of bounds.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        window = _Window(stream, path.name)
        window.expect("{")
        found = False
        while not window.skip("}"):
            name = window.value()
            window.expect(":")
            if name == member:
                found = True
                yield from _array(window, path.name, member)
            else:
                window.value()
            if not window.skip(","):
                window.expect("}")
                break
        window.end()
    if not found:
        raise ListUnreadable("JSON of another format", where=path.name, expected=f'an object with "{member}"')


def objects_by_line(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file of JSON lines, each with its place for messages; empty lines are left out.

    Raises:
        ListUnreadable: a line is no JSON object, or is too long.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        number = 0
        while raw := stream.readline(MAX_ENTRY_BYTES + 1):
            number += 1
            where = f"{path.name}, line {number}"
            if len(raw) > MAX_ENTRY_BYTES:
                raise ListUnreadable("line is too long", where=where, expected=f"at most {MAX_ENTRY_BYTES} bytes")
            if not raw.strip():
                continue
            try:
                value = json.loads(raw)
            except (ValueError, RecursionError) as error:
                raise ListUnreadable(f"line is not JSON: {error}", where=where, hint=_CUT_OFF) from error
            yield where, _object(value, where)


def _array(window: _Window, name: str, member: str) -> Iterator[tuple[str, dict[str, Any]]]:
    window.expect("[")
    number = 0
    while not window.skip("]"):
        number += 1
        where = f"{name}, {member}[{number - 1}]"
        yield where, _object(window.value(), where)
        if not window.skip(","):
            window.expect("]")
            return


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ListUnreadable("not a JSON object", where=where, found=type(value).__name__)
    return cast("dict[str, Any]", value)


class _Window:
    """The part of a file that is being read, and where in it the next value begins."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_whole = False
        self._bytes_to_text = codecs.getincrementaldecoder("utf-8-sig")()
        self._decoder = json.JSONDecoder()

    def expect(self, sign: str) -> None:
        """Pass a sign that must come now."""
        if not self.skip(sign):
            found = self._text[self._at : self._at + 20] or "the end of the file"
            raise self._refusal("not JSON, or cut off", expected=repr(sign), found=found)

    def skip(self, sign: str) -> bool:
        """Pass a sign if it comes now; return whether it did."""
        self._to_next()
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def value(self) -> object:
        """Return the next value, however far it reaches."""
        self._to_next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                # Cut off by the window, or wrong; which of both is known when no more comes, or more than there may be.
                if isinstance(error, RecursionError) or not self._more():
                    raise self._refusal(f"not JSON, or cut off: {error}") from error
                continue
            if end == len(self._text) and not self._is_whole and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def end(self) -> None:
        """Refuse anything that comes now."""
        self._to_next()
        if self._at < len(self._text):
            raise self._refusal("text after the end of the JSON", found=self._text[self._at : self._at + 20])

    def _to_next(self) -> None:
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return

    def _more(self) -> bool:
        """Drop what was read, read one more piece; return whether any came."""
        if self._is_whole:
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > MAX_ENTRY_BYTES:
            raise self._refusal("one entry is too long", expected=f"at most {MAX_ENTRY_BYTES} characters")
        piece = self._stream.read(_PIECE_BYTES)
        self._is_whole = not piece
        try:
            self._text += self._bytes_to_text.decode(piece, self._is_whole)
        except UnicodeDecodeError as error:
            raise self._refusal("not UTF-8") from error
        return not self._is_whole

    def _refusal(self, what: str, expected: str | None = None, found: str | None = None) -> ListUnreadable:
        line = self._line + self._text.count("\n", 0, self._at)
        where = f"{self._name}, line {line}"
        return ListUnreadable(what, where=where, expected=expected, found=found, hint=_CUT_OFF)
