"""Where the shards lie that a data set adopted. They are no part of work/dataset: nothing of them is copied.

work/adopted.json is written by `prepare`, read by `pack`, and travels nowhere: it names places of this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from packtrain import durable
from packtrain.documents.dataset import FileName
from packtrain.errors import StageNotReady
from packtrain.record.folder import VoyageFolder

_NAME: Final = "adopted.json"


class AdoptedPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shard, where it lies, and how it looked when it was read.

    Attributes:
        name: in the data set and on the drives.
        path: absolute, with what is no plain character as `%XX`.
        bytes, mtime_ns: when it was read; another time of change means that it was written to since.
    """

    name: FileName
    path: Annotated[str, msgspec.Meta(pattern=r"\A/[ -~]*\Z")]
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    mtime_ns: int

    @property
    def place(self) -> Path:
        """Return the path."""
        return Path(os.fsdecode(unquote_to_bytes(self.path)))


class _AdoptedPlaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    shards: tuple[AdoptedPlace, ...]


def place_of(name: str, path: Path, size_bytes: int, mtime_ns: int) -> AdoptedPlace:
    """Return the place of a shard."""
    return AdoptedPlace(
        name=name, path=quote_from_bytes(os.fsencode(path), safe="/ "), bytes=size_bytes, mtime_ns=mtime_ns
    )


def write_places(folder: VoyageFolder, places: Iterable[AdoptedPlace]) -> None:
    """Write where the adopted shards lie; without any the file is removed.

    Raises:
        DriveFull: no space is left.
    """
    path = folder.work / _NAME
    shards = tuple(places)
    if not shards:
        path.unlink(missing_ok=True)
        return
    payload = msgspec.json.encode(_AdoptedPlaces(version=1, shards=shards))
    durable.write_bytes(path, msgspec.json.format(payload, indent=1) + b"\n", 0o600)


def adopted_places(folder: VoyageFolder) -> Mapping[str, AdoptedPlace]:
    """Return the place of each adopted shard by its name; none where shards are the voyage's own.

    Raises:
        StageNotReady: the file is damaged.
    """
    path = folder.work / _NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_AdoptedPlaces)
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StageNotReady(
            f"the list of adopted shards cannot be read: {error}", where=str(path), hint='run "packtrain prepare" again'
        ) from error
    return {each.name: each for each in found.shards}
