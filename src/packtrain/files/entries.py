"""What the two kinds of shipment have in common for whoever reads files: entries, and the bytes of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol


class Entry(NamedTuple):
    """A file, a folder, or something that cannot be read (a link that leads nowhere).

    Attributes:
        name: its path in the shipment; bytes that are no UTF-8 are escaped as Python does it for file names.
        bytes: length of a file; 0 for the others.
        sha256: of a file's content, as a signed document has it; None where none says so.
        mtime_ns: nanoseconds since 1970; None where nothing is known of a folder.
        link: what it points to, where it is a link; everything else is then said of what it leads to.
        place: for whoever made the entry.
    """

    name: str
    kind: Literal["file", "directory", "other"]
    bytes: int
    sha256: str | None
    mtime_ns: int | None
    mode: int | None
    link: str | None
    place: object


class Source(Protocol):
    """The content of one open file."""

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` from `offset` on; return the bytes, fewer than its length only at the end."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class ShipmentFiles(Protocol):
    """The files of one shipment. Any number of threads may use it."""

    def entry(self, name: str) -> Entry | None:
        """Return what is at a path ("" is the top); None where nothing is."""
        ...

    def children(self, name: str) -> Sequence[Entry]:
        """Return what lies directly in a folder, in the order of the names."""
        ...

    def open(self, entry: Entry) -> Source:
        """Return the content of a file."""
        ...

    def unknown(self) -> str:
        """Return what is not known of the names, a few words; "" where all are."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
