"""Elements of an XML file from anywhere, one at a time: no DTD, no entities, bounded depth and length.

Only the wanted elements are built, and each is dropped when the next comes, so memory is that of the largest one.
expat does the parsing. It has no way to reach the network or other files as it is used here, and a document type
declaration, which every attack by entities begins with, is refused at its first byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from packtrain.diligence.lists.reading import MAX_ENTRY_BYTES
from packtrain.errors import ListUnreadable

_PIECE_BYTES: Final = 1 << 16
_MAX_TOKEN_BYTES: Final = 1 << 20
_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 100_000
"""Elements within one wanted element; OFAC's reference values, the largest there is, have about 3000."""
_NODE_BYTES: Final = 64


@dataclass(slots=True)
class Element:
    """One element: names without their namespace.

    Attributes:
        tag: its name.
        attributes: name -> value.
        line: where it begins, from 1.
        text: its own text, without that of the elements in it.
        children: the elements in it.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list["Element"])

    def get(self, name: str) -> str:
        """Return an attribute, or "" where it is not there."""
        return self.attributes.get(name, "")

    def all(self, *path: str) -> Iterator[Element]:
        """Yield the elements at a path of tags below this one, in order."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.tag == path[0]:
                yield from child.all(*path[1:])

    def first(self, *path: str) -> Element | None:
        """Return the first element at a path below this one, or None."""
        return next(self.all(*path), None)

    def value(self, *path: str) -> str:
        """Return the text of the first element at a path below this one, stripped; "" where there is none."""
        found = self.first(*path)
        return found.text.strip() if found is not None else ""

    def values(self, *path: str) -> Iterator[str]:
        """Yield the texts of all elements at a path below this one that have text, stripped."""
        return filter(None, (found.text.strip() for found in self.all(*path)))


def elements(path: Path, root: str, wanted: Collection[str]) -> Iterator[Element]:
    """Yield the root without its children, then each wanted element when it is complete.

    Wanted elements within wanted ones are part of these and not yielded by themselves.

    Args:
        path: the file.
        root: the name that the outermost element must have.
        wanted: names of the elements to build.

    Raises:
        ListUnreadable: not XML, cut off, another root, a DTD, or out of bounds; with its line.
        OSError: the file cannot be read.
    """
    builder = _Builder(path.name, root, frozenset(wanted))
    parser = builder.parser
    fed_bytes = 0
    with path.open("rb") as stream:
        is_last = False
        while not is_last:
            piece = stream.read(_PIECE_BYTES)
            is_last = not piece
            try:
                parser.Parse(piece, is_last)
            except (expat.ExpatError, ValueError) as error:  # ValueError: an encoding that Python does not know
                raise ListUnreadable(
                    f"not XML, or cut off: {error}",
                    where=f"{path.name}, line {parser.CurrentLineNumber}",
                    hint="fetch the file again: nothing of it was kept",
                ) from error
            fed_bytes += len(piece)
            # expat reads an unfinished token anew with every piece: without a bound a huge one takes quadratic time.
            if not is_last and fed_bytes - max(parser.CurrentByteIndex, 0) > _MAX_TOKEN_BYTES:
                raise builder.refusal("tag is too long", f"at most {_MAX_TOKEN_BYTES} bytes")
            yield from builder.take()


class _Builder:
    """Takes what expat finds and builds the wanted elements."""

    def __init__(self, name: str, root: str, wanted: frozenset[str]) -> None:
        self._name = name
        self._root = root
        self._wanted = wanted
        self._depth = 0
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._done: list[Element] = []
        self._held_bytes = 0
        self._num_nodes = 0
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def take(self) -> list[Element]:
        """Return the elements that were completed since the last call."""
        done, self._done = self._done, []
        return done

    def refusal(self, what: str, expected: str | None = None, found: str | None = None) -> ListUnreadable:
        """Return the error for the line that is being read."""
        return ListUnreadable(
            what, where=f"{self._name}, line {self.parser.CurrentLineNumber}", expected=expected, found=found
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.refusal("elements lie too deep in each other", f"at most {_MAX_DEPTH}")
        if self._depth == 1:
            if tag != self._root:
                raise self.refusal("XML of another format", f"<{self._root}>", f"<{tag[:64]}>")
            self._done.append(Element(tag, self._local(attributes), self.parser.CurrentLineNumber))
        elif self._open or tag in self._wanted:
            element = Element(tag, self._local(attributes), self.parser.CurrentLineNumber)
            self._hold(_NODE_BYTES + sum(len(key) + len(value) for key, value in attributes.items()))
            self._num_nodes += 1
            if self._num_nodes > _MAX_NODES:
                raise self.refusal("one entry has too many elements", f"at most {_MAX_NODES}")
            if self._open:
                self._open[-1].children.append(element)
            self._open.append(element)
            self._texts.append([])

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._open:
            element = self._open.pop()
            element.text = "".join(self._texts.pop())
            if not self._open:
                self._done.append(element)
                self._held_bytes = self._num_nodes = 0

    def _characters(self, text: str) -> None:
        if self._open:
            self._hold(len(text))
            self._texts[-1].append(text)

    def _doctype(self, name: str, system_id: str | None, public_id: str | None, has_subset: bool) -> None:
        raise self.refusal("a document type declaration is refused: no published list has one")

    def _hold(self, num_bytes: int) -> None:
        self._held_bytes += num_bytes
        if self._held_bytes > MAX_ENTRY_BYTES:
            raise self.refusal("one entry is too long", f"at most {MAX_ENTRY_BYTES} bytes")

    @staticmethod
    def _local(attributes: dict[str, str]) -> dict[str, str]:
        return {name.rpartition("}")[2]: value for name, value in attributes.items()}
