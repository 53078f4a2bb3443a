"""The files of a shipment that is still packed: names from its catalogs, bytes from its drives."""

from __future__ import annotations

import os
from typing import cast

from packtrain.files.entries import Entry, Source
from packtrain.volume.packed_tree import PackedEntry, PackedTree


class PackedFiles:
    """See `ShipmentFiles`.

    Args:
        tree: open; it is closed with this.
    """

    def __init__(self, tree: PackedTree) -> None:
        self._tree = tree

    def entry(self, name: str) -> Entry | None:
        """Return what is at a path; None where nothing is."""
        try:
            found = self._tree.entry(os.fsencode(name))
        except UnicodeEncodeError:
            return None
        return None if found is None else self._entry(found, name)

    def children(self, name: str) -> list[Entry]:
        """Return what lies directly in a folder."""
        below = f"{name}/" if name else ""
        return [
            self._entry(found, below + os.fsdecode(found.path.rpartition(b"/")[2]))
            for found in self._tree.children(os.fsencode(name))
        ]

    def open(self, entry: Entry) -> Source:
        """Return the content of a file."""
        return _PackedSource(self._tree, cast("PackedEntry", entry.place))

    def unknown(self) -> str:
        """Return which groups have no drive here."""
        drives = [drive.label for drives in self._tree.unnamed.values() for drive in drives]
        return f"names on {', '.join(drives[:20])} are not known: no drive of their group is here" if drives else ""

    def num_rebuilt(self) -> int:
        """Return how many blocks were rebuilt from others so far."""
        return self._tree.num_rebuilt()

    def close(self) -> None:
        """Release everything."""
        self._tree.close()

    def _entry(self, found: PackedEntry, name: str) -> Entry:
        file = found.file
        is_link = file is not None and file.kind == "symlink"
        link = os.fsdecode(file.link_target or b"") if file is not None and is_link else None
        target = self._tree.target(found)
        if target is None:
            return Entry(name, "other", 0, None, None, None, link, found)
        about = target.file
        if target.is_folder or about is None:
            mtime_ns, mode = (None, None) if about is None else (about.mtime_ns, about.mode)
            return Entry(name, "directory", 0, None, mtime_ns, mode, link, target)
        return Entry(name, "file", about.bytes, about.sha256, about.mtime_ns, about.mode, link, target)


class _PackedSource:
    def __init__(self, tree: PackedTree, entry: PackedEntry) -> None:
        self._tree = tree
        self._entry = entry

    def read_into(self, offset: int, target: memoryview) -> int:
        return self._tree.read_into(self._entry, offset, target)

    def close(self) -> None:
        pass
