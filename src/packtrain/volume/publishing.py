"""From staged, proven volumes to files in the store, many volumes at a time: two flushes and one record for all.

A volume is in the journal only after its files are in the store and the store was flushed. What is killed in between
is staged and published once more; publishing the same file again changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packtrain import durable
from packtrain.documents.group import Group
from packtrain.erasure.code import Code
from packtrain.errors import HostileArchive
from packtrain.ports import Store
from packtrain.volume.blocks import Damage
from packtrain.volume.catalog import Catalog, CatalogPiece
from packtrain.volume.extract import MOST_REMEMBERED, Staged, StagedMember, finish_whole_file, staged_name
from packtrain.volume.load_journal import LoadJournal, RefusedLine, VolumeKey, VolumeLine, damage_lines
from packtrain.volume.metadata import Metadata
from packtrain.volume.resume import check_tiling, is_complete
from packtrain.volume.staging import Staging
from packtrain.volume.turns import Turn


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group while it is read: its document, its code, its catalog."""

    group: Group
    code: Code
    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Restored:
    """One data volume whose files are staged and proven.

    Attributes:
        blocks_repaired, rebuilt, damage: as in `VolumeLine`.
        staged: what was staged of it.
    """

    stripe: int
    column: int
    bytes: int
    blocks_repaired: int = 0
    rebuilt: bool = False
    damage: tuple[Damage, ...] = ()
    staged: Staged = field(default_factory=lambda: Staged(None, ()))


@dataclass(frozen=True, slots=True)
class _Either:
    """What is in one of two collections, without a third that holds both."""

    first: Container[VolumeKey]
    second: Container[VolumeKey]

    def __contains__(self, key: VolumeKey) -> bool:
        return key in self.first or key in self.second


@dataclass(slots=True)
class Publisher:
    """Moves staged volumes into the store.

    Args:
        staging: where their files wait.
        store: where they go.
        journal: notes them.
        metadata: gives a file that was put together from pieces mode, time and the rest.
        verify_files: hash all of them, see `extract.is_hashed`.
        turn: of the threads that stage and publish.
    """

    staging: Staging
    store: Store
    journal: LoadJournal
    metadata: Metadata
    verify_files: bool = False
    turn: Turn = field(default_factory=Turn)

    def publish(self, opened: OpenGroup, volumes: Sequence[Restored]) -> None:
        """Publish the files of these volumes, flush, and note them; one with a name that leads elsewhere as refused.

        Raises:
            DriveFull, DriveFailed: the store cannot take them.
            IntegrityError: a file put together from its pieces is not the catalog's.
        """
        if not volumes:
            return
        number = opened.group.group
        durable.step("volumes staged")
        self.store.flush()
        # Looked up in both: a set of all that was loaded would be made anew for each of ten thousand batches.
        batch = {(number, volume.stripe, volume.column) for volume in volumes}
        done: Container[VolumeKey] = _Either(batch, self.journal.volumes)
        looked_at: set[int] = set()
        pieces = {piece[:2]: piece.xxh3 for volume in volumes for piece in volume.staged.pieces}
        lines: list[VolumeLine | RefusedLine] = []
        for volume in volumes:
            key = (number, volume.stripe, volume.column)
            try:
                with self.turn.lock:
                    files, total_bytes = self._publish(opened, volume, done, looked_at, pieces)
            except HostileArchive as error:
                # The bytes are the consignor's, and a name leads elsewhere: the other volumes are no worse for it.
                lines.append(
                    RefusedLine(*key, type(error).__name__, error.what, error.where, error.expected, error.found)
                )
                continue
            lines.append(
                VolumeLine(
                    *key,
                    files=files,
                    bytes=total_bytes,
                    blocks_repaired=volume.blocks_repaired,
                    rebuilt=volume.rebuilt,
                    damage=damage_lines(volume.damage),
                    pieces=tuple(volume.staged.pieces),
                )
            )
        self.store.flush()
        self.journal.add(lines)
        for volume in volumes:
            shutil.rmtree(self.staging.volume_folder(number, volume.stripe, volume.column))

    def _publish(
        self,
        opened: OpenGroup,
        volume: Restored,
        done: Container[VolumeKey],
        looked_at: set[int],
        pieces: Mapping[tuple[int, int], str],
    ) -> tuple[int, int]:
        """Move the staged files of one volume into the store; return how many entries and bytes became complete."""
        number = opened.group.group
        files = total_bytes = 0
        ready: list[tuple[str, bytes, bool]] = []
        for index, member in enumerate(self._members(opened, volume)):
            if not member.is_cut:
                ready.append((staged_name(index), member.path, member.is_folder))
            elif member.file in looked_at or not self._publish_whole(opened, member, done, pieces):
                # Of several volumes that become proven together, the first publishes the file.
                looked_at.add(member.file)
                continue
            looked_at.add(member.file)
            files += 1
            total_bytes += member.bytes
            if len(ready) >= MOST_REMEMBERED:
                self.store.publish_all(self.staging.volume_folder(number, volume.stripe, volume.column), ready)
                ready.clear()
        self.store.publish_all(self.staging.volume_folder(number, volume.stripe, volume.column), ready)
        return files, total_bytes

    def _members(self, opened: OpenGroup, volume: Restored) -> Iterable[StagedMember]:
        if volume.staged.members is not None:
            return volume.staged.members
        found = opened.catalog.members_in(volume.stripe, volume.column)
        return (
            StagedMember(entry.path, entry.kind == "directory", entry.bytes, entry.id, piece.count > 1)
            for piece, entry in found
        )

    def _publish_whole(
        self, opened: OpenGroup, member: StagedMember, done: Container[VolumeKey], pieces: Mapping[tuple[int, int], str]
    ) -> bool:
        """Publish a file that was put together from pieces, if this was the last; return whether."""
        number = opened.group.group
        staged = self.staging.whole_file(number, member.file)
        if not staged.exists() or not is_complete(opened.catalog, number, member.file, done):
            return False
        entry = opened.catalog.file(member.file)
        check_tiling(opened.catalog, entry)
        # A run before this one may have published it and not noted its last volume any more: what is staged now has the
        # pieces of that volume alone.
        if self.store.size_bytes(entry.path) == entry.bytes and self.store.sha256(entry.path) == entry.sha256:
            staged.unlink()
            return True
        found: list[tuple[CatalogPiece, str]] = []
        for piece in opened.catalog.pieces_of(member.file):
            xxh3 = pieces.get((member.file, piece.number)) or self._noted(number, piece)
            found.append((piece, xxh3))
        finish_whole_file(staged, entry, found, self.metadata, verify_files=self.verify_files)
        self.store.publish(staged, entry.path)
        return True

    def _noted(self, group: int, piece: CatalogPiece) -> str:
        """Return the XXH3-64 of a piece that an earlier run staged; "" fits nothing."""
        line = self.journal.volumes.get((group, piece.stripe, piece.column))
        noted = line.pieces if line is not None else ()
        return next((xxh3 for file, number, xxh3 in noted if (file, number) == (piece.file, piece.number)), "")
