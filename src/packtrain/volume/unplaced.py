"""What no volume holds and the catalog alone carries: folders with something in them, and links of cut files.

Folders get mode and times when all that lies in them is there, so this comes last; where drives come in waves, once
after each of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packtrain.errors import HostileArchive
from packtrain.ports import Store
from packtrain.units import quoted
from packtrain.volume.catalog import Catalog, CatalogFile
from packtrain.volume.metadata import Metadata


@dataclass(frozen=True, slots=True)
class Finished:
    """What `finish_unplaced` did: entries without a volume that are in the store, by catalog; links without a file."""

    files: tuple[int, ...]
    pending: tuple[bytes, ...]


def finish_unplaced(catalogs: Sequence[Catalog], store: Store, metadata: Metadata) -> Finished:
    """Make the links, then give all folders their mode and times, those that lie deeper first.

    Called again it finds the links made, and does the rest once more.

    Args:
        catalogs: of all groups of which anything was loaded, in this run or before.
        store: where everything lies.
        metadata: gives folders what the catalog says of them.

    Raises:
        HostileArchive: a link names something that is no file of its catalog; a name leads through a link.
        DriveFull, DriveFailed: the store cannot take it.
    """
    files = [0] * len(catalogs)
    pending: list[bytes] = []
    for number, catalog in enumerate(catalogs):
        for entry in catalog.unplaced_links():
            # Before the folders: a link changes the time of the folder that it comes into.
            if store.link(_target(catalog, entry), entry.path):
                files[number] += 1
            else:
                pending.append(entry.path)
    # Names in falling byte order: what lies in a folder comes before it, over all groups.
    folders = heapq.merge(*(_folders(number, c) for number, c in enumerate(catalogs)), key=_path, reverse=True)
    for entry, is_placed, number in folders:
        if is_placed and not store.holds(entry.path):
            continue  # it comes with its volume, or is listed as lost with it
        store.finish_folder(entry.path, lambda descriptor, entry=entry: metadata.give(descriptor, entry))
        files[number] += not is_placed
    return Finished(tuple(files), tuple(pending))


def _target(catalog: Catalog, link: CatalogFile) -> bytes:
    assert link.link_target is not None
    target = catalog.entry(link.link_target)
    if target is None or target.kind != "file":
        raise HostileArchive("hard link names no file of the catalog", found=quoted(link.path[:256]))
    return target.path


def _folders(number: int, catalog: Catalog) -> Iterator[tuple[CatalogFile, bool, int]]:
    return ((entry, is_placed, number) for entry, is_placed in catalog.directories())


def _path(found: tuple[CatalogFile, bool, int]) -> bytes:
    return found[0].path
