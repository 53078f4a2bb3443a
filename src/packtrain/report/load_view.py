"""How far a load is, from what it leaves in work/load/: nothing is changed there, and nothing in it is believed far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, cast

import msgspec

from packtrain import durable
from packtrain.record.folder import VoyageFolder

_PROGRESS: Final = "work/load/progress.json"
JOURNAL: Final = "work/load/journal.jsonl"
_MAX_BYTES: Final = 64 << 20
_MAX_JOURNAL_BYTES: Final = 1 << 30
_MAX_LINE_BYTES: Final = 1 << 20
_Count = Annotated[int, msgspec.Meta(ge=0)]


class LoadedGroup(msgspec.Struct, frozen=True):
    """One group while it is read: see `GroupState` of the load, which writes it."""

    group: _Count
    k: _Count
    drives: _Count
    drives_seen: _Count
    drives_damaged: _Count
    drives_lost: _Count
    more_drives: _Count
    stripes: _Count
    stripes_proven: _Count
    stripes_provable: _Count
    volumes_open: _Count


class LoadProgress(msgspec.Struct, frozen=True, rename={"wave_pass": "pass"}):
    """Where a load stands after its last wave.

    Attributes:
        wave_pass: 1: every drive once; 2: drives of a group together again; None where nothing is wanted.
        drives: labels wanted next.
    """

    groups: Annotated[tuple[LoadedGroup, ...], msgspec.Meta(max_length=4096)]
    drives: tuple[str, ...] = ()
    wave_pass: int | None = None
    entries_loaded: _Count = 0
    bytes_loaded: _Count = 0

    @property
    def num_stripes(self) -> int:
        """Return how many stripes there are."""
        return sum(group.stripes for group in self.groups)

    @property
    def num_proven(self) -> int:
        """Return of how many every data volume is in the store."""
        return sum(group.stripes_proven for group in self.groups)


@dataclass(slots=True)
class LoadedDrives:
    """What the journal of a load knows of drives.

    Attributes:
        seen, lost: UUIDs of drives of which every data volume was tried, and of those that are said not to come.
        damaged: label -> volumes with damage and how many blocks; None where a volume is lost as a whole.
        is_whole: False where the journal is there and could not be read to its end.
    """

    seen: set[str] = field(default_factory=set[str])
    lost: set[str] = field(default_factory=set[str])
    damaged: dict[str, dict[str, int | None]] = field(default_factory=dict[str, dict[str, "int | None"]])
    is_whole: bool = True


def read_progress(folder: VoyageFolder) -> LoadProgress | None:
    """Return how far a load is; None where none began, or its file cannot be read."""
    payload = durable.plain_bytes(folder.root / _PROGRESS, _MAX_BYTES)
    try:
        return msgspec.json.decode(payload, type=LoadProgress) if payload else None
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def read_drives(folder: VoyageFolder) -> LoadedDrives:
    """Return what a load's journal knows of drives, as far as it can be read."""
    found = LoadedDrives()
    for line in _journal_lines(folder.root / JOURNAL, found):
        if b'"line":"drive"' in line:
            entry = _entry(line)
            uuid, state = entry.get("drive"), entry.get("state")
            if isinstance(uuid, str):
                if state == "seen":
                    found.seen.add(uuid)
                elif state == "lost":
                    found.lost.add(uuid)
                elif state == "awaited":
                    found.lost.discard(uuid)
        elif b'"damage":[[' in line:
            for damage in _entry(line).get("damage", ()):
                _take(found, damage)
    return found


def _journal_lines(path: Path, found: LoadedDrives) -> Iterator[bytes]:
    num_bytes = 0
    try:
        with durable.plain_file(path) as stream:
            while line := stream.readline(_MAX_LINE_BYTES):
                num_bytes += len(line)
                if num_bytes > _MAX_JOURNAL_BYTES:
                    found.is_whole = False
                    return
                yield line
    except FileNotFoundError:
        return
    except OSError:
        found.is_whole = False


def _take(found: LoadedDrives, damage: Any) -> None:
    match damage:
        case [str(label), str(volume), int(first), int(last), *_] if 0 <= first <= last:
            volumes = found.damaged.setdefault(label, {})
            before = volumes.get(volume, 0)
            volumes[volume] = None if before is None else before + last - first + 1
        case [str(label), str(volume), None, None, *_]:
            found.damaged.setdefault(label, {})[volume] = None
        case _:
            pass


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
