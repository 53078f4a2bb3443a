"""A load of two groups of two drives over hosts that are processes: what its tests share."""

import dataclasses
import functools

from host_processes import HostProcesses, at
from loading_parts import Arrived
from packtrain.documents.placement import PlacedGroup
from packtrain.documents.receipt import Receipt
from packtrain.drives import open_watched
from packtrain.stages import load
from packtrain.stores.folder import FolderStore

PAIRS = (PlacedGroup(k=1, m=1, drives=("A1", "B1")), PlacedGroup(k=1, m=1, drives=("A2", "B2")))


def whole(site: Arrived) -> list[str]:
    """Return where the drives are: a group a host."""
    return at(h1=[site.drive("A1"), site.drive("B1")], h2=[site.drive("A2"), site.drive("B2")])


def load_on(site: Arrived, mapper: HostProcesses, places: list[str], **options: object) -> Receipt:
    path = site.consignee.root / "store"
    return load.load_on_hosts(
        site.consignee,
        mapper,
        places,
        open_watched,
        FolderStore(path),
        functools.partial(FolderStore, path),
        site.events.append,
        dataclasses.replace(load.Options(), **options),  # pyright: ignore[reportArgumentType]
    )
