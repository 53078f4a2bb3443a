"""The journal of a load: which volumes are in the store, one line each. A killed load goes on from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from packtrain import durable
from packtrain.volume.blocks import Damage

_FORMAT: Final = "packtrain-load-journal-1"
VolumeKey = tuple[int, int, int]
"""Group, stripe, column."""


class DamageLine(msgspec.Struct, frozen=True, array_like=True):
    """One `Damage` in the journal."""

    drive: str
    volume: str
    first_block: int | None
    last_block: int | None
    what: str


class VolumeLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One volume whose files are in the store.

    Attributes:
        files, bytes: entries, and bytes of files, that became complete with this volume.
        blocks_repaired: its damaged blocks that were rebuilt.
        rebuilt: it was lost as a whole and rebuilt from the others.
        damage: what was found in its stripe.
    """

    group: Annotated[int, msgspec.Meta(ge=0)]
    stripe: Annotated[int, msgspec.Meta(ge=0)]
    column: Annotated[int, msgspec.Meta(ge=0)]
    files: Annotated[int, msgspec.Meta(ge=0)]
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    blocks_repaired: Annotated[int, msgspec.Meta(ge=0)]
    rebuilt: bool
    damage: tuple[DamageLine, ...]

    @property
    def key(self) -> VolumeKey:
        """Return what names the volume."""
        return self.group, self.stripe, self.column

    def damages(self) -> Iterator[Damage]:
        """Yield the damage as its own type."""
        for line in self.damage:
            yield Damage(line.drive, line.volume, line.first_block, line.last_block, line.what)


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    plan: str
    store: str


class LoadJournal:
    """The journal file. A journal of another plan or store, or one that cannot be read, is begun anew.

    Args:
        path: the `.jsonl` file.
        plan_digest: SHA-256 of plan.json.
        store: location of the store.
    """

    def __init__(self, path: Path, plan_digest: str, store: str) -> None:
        self._path = path
        self._head = _Head(_FORMAT, plan_digest, store)
        self.volumes: dict[VolumeKey, VolumeLine] = {}
        payload = path.read_bytes() if path.exists() else b""
        # A torn last line is a volume whose files were published and not recorded: it is read once more.
        whole, _, torn = payload.rpartition(b"\n")
        lines = whole.split(b"\n")
        try:
            known = msgspec.json.decode(lines[0], type=_Head) == self._head
            if known:
                for line in lines[1:]:
                    volume = msgspec.json.decode(line, type=VolumeLine)
                    self.volumes[volume.key] = volume
        except (msgspec.MsgspecError, UnicodeDecodeError):
            known = False
            self.volumes.clear()
        if not known or torn:
            self._rewrite()

    def add(self, volumes: Sequence[VolumeLine]) -> None:
        """Record volumes, durably."""
        durable.append_records(self._path, [msgspec.json.encode(volume) for volume in volumes])
        self.volumes.update((volume.key, volume) for volume in volumes)

    def forget(self, keys: set[VolumeKey]) -> None:
        """Take volumes back: their files are not in the store any more."""
        for key in keys:
            self.volumes.pop(key, None)
        if keys:
            self._rewrite()

    def _rewrite(self) -> None:
        lines = [msgspec.json.encode(self._head), *(msgspec.json.encode(line) for line in self.volumes.values())]
        durable.write_bytes(self._path, b"".join(line + b"\n" for line in lines))


def damage_lines(damage: list[Damage]) -> tuple[DamageLine, ...]:
    """Return damage in the journal's form."""
    return tuple(DamageLine(d.drive, d.volume, d.first_block, d.last_block, d.what) for d in damage)
