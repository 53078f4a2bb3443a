"""Looking for files in volumes beyond repair: row by row, what is good of them or can be rebuilt.

It comes after everything else, for volumes of which it is certain that no drive that could still come makes them whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import structs

from packtrain.documents.group import Volume
from packtrain.documents.plan import Plan
from packtrain.ports import Drive
from packtrain.volume.blocks import Column
from packtrain.volume.catalog import CatalogFile, CatalogPiece
from packtrain.volume.load_journal import SalvagedLine
from packtrain.volume.publishing import OpenGroup, Publisher
from packtrain.volume.ranges import Ranges
from packtrain.volume.repair import StripeReader
from packtrain.volume.resume import check_tiling
from packtrain.volume.salvage import Found, Salvage, join, without_content
from packtrain.volume.staging import store_faults
from packtrain.volume.wanted import Knowledge

# Files that are published together, and held until then.
_BATCH: Final = 1000


@dataclass(slots=True)
class _Got:
    """What was got out of one volume: numbers of files in the catalog, their bytes, and pieces as in `SalvagedLine`."""

    files: Ranges = field(default_factory=Ranges)
    bytes: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def add(self, entry: CatalogFile) -> None:
        self.files.add(entry.id)
        self.bytes += entry.bytes


@dataclass(frozen=True, slots=True)
class Salvaging:
    """Looks for files in volumes of one group.

    Args:
        plan: the verified plan.
        opened: the group.
        drives: the mounted drives of the group by their UUID in the plan.
        identity: the shipment's age identity.
        publisher: has store, staging and journal.
        readers: threads for the columns of a stripe.
    """

    plan: Plan
    opened: OpenGroup
    drives: Mapping[str, Drive]
    identity: str
    publisher: Publisher
    readers: Executor

    def run(self, knowledge: Knowledge) -> None:
        """Publish every file of volumes beyond repair that can be proven, and note what was looked at.

        Raises:
            DriveFull, DriveFailed: the store cannot take the files.
            HostileArchive: a name would leave the store.
        """
        volumes = knowledge.to_salvage(self.drives)
        by_stripe: dict[int, list[Volume]] = {}
        for volume in volumes:
            by_stripe.setdefault(volume.stripe, []).append(volume)
        for stripe, wanted in by_stripe.items():
            self._stripe(knowledge.stripe(stripe), wanted)
        if volumes:
            self._join_cut_files()

    def _stripe(self, volumes: Sequence[Volume], wanted: Sequence[Volume]) -> None:
        labels = {drive.uuid: drive.label for drive in self.plan.drives}
        code = self.opened.code
        columns = [Column(v, code.k, self.drives.get(v.drive), labels[v.drive]) for v in volumes]
        folder = self.publisher.staging.salvaged(self.opened.group.group)
        with store_faults(self.publisher.staging.root):
            folder.mkdir(exist_ok=True)
            salvages = {
                v.column: Salvage(v, self.opened.catalog, self.identity, folder, self.publisher.metadata)
                for v in wanted
            }
            got = {v.column: _Got() for v in wanted}
            try:
                rows = StripeReader(columns, code, self.readers).rows(sorted(salvages), to_the_end=True)
                for row, blocks in enumerate(rows):
                    for column, block in blocks.items():
                        salvages[column].take(row, block)
                        if len(salvages[column].found) >= _BATCH:
                            self._publish(got[column], salvages[column].take_away())
            finally:
                for column in columns:
                    column.close()
                for salvage in salvages.values():
                    salvage.finish()
            for volume in wanted:
                self._publish(got[volume.column], salvages[volume.column].take_away())
                bare = without_content(self.opened.catalog, volume, folder, self.publisher.metadata)
                while batch := list(itertools.islice(bare, _BATCH)):
                    self._publish(got[volume.column], batch)
                self._note(volume, got[volume.column])

    def _publish(self, got: _Got, found: Sequence[Found]) -> None:
        self.publisher.store.flush()
        for item in found:
            if item.piece.count == 1:
                self.publisher.store.publish(item.path, item.entry.path)
                got.add(item.entry)
            else:
                got.pieces.append((item.entry.id, item.piece.number))

    def _note(self, volume: Volume, got: _Got) -> None:
        store, journal, catalog = self.publisher.store, self.publisher.journal, self.opened.catalog
        for _, entry in catalog.members_in(volume.stripe, volume.column):
            target = catalog.entry(entry.link_target or b"") if entry.kind == "hardlink" else None
            if target is not None and target.id in got.files and store.link(target.path, entry.path):
                got.add(entry)
        store.flush()
        journal.add(
            [
                SalvagedLine(
                    self.opened.group.group,
                    volume.stripe,
                    volume.column,
                    tuple(got.files.pairs()),
                    got.bytes,
                    tuple(got.pieces),
                )
            ]
        )

    def _join_cut_files(self) -> None:
        """Put together the cut files of which every piece is there, in proven volumes or salvaged."""
        number = self.opened.group.group
        journal = self.publisher.journal
        lines = [line for key, line in journal.salvaged.items() if key[0] == number]
        pieces = {piece for line in lines for piece in line.pieces}
        put_together = Ranges(pair for line in lines for pair in line.files)
        for line in lines:
            for file in dict.fromkeys(file for file, _ in line.pieces if file not in put_together):
                entry = self.opened.catalog.file(file)
                parts: list[tuple[CatalogPiece, Path]] = []
                is_complete = True
                for piece in self.opened.catalog.pieces_of(file):
                    if (file, piece.number) in pieces:
                        staged = self.publisher.staging.salvaged(number) / f"{file}-{piece.number}"
                        parts.append((piece, staged))
                        is_complete &= staged.is_file()
                    else:
                        is_complete &= (number, piece.stripe, piece.column) in journal.volumes
                if is_complete and self._join(entry, parts):
                    put_together.add(file)
                    # More than one file can become complete with a volume: what it has by now is in the journal.
                    now = journal.salvaged[line.key]
                    files = Ranges((*now.files, (file, file)))
                    journal.add([structs.replace(now, files=tuple(files.pairs()), bytes=now.bytes + entry.bytes)])

    def _join(self, entry: CatalogFile, parts: Sequence[tuple[CatalogPiece, Path]]) -> bool:
        staging, store = self.publisher.staging, self.publisher.store
        number = self.opened.group.group
        target = staging.salvaged(number) / f"{entry.id}-whole"
        with store_faults(staging.root):
            check_tiling(self.opened.catalog, entry)
            # A copy: should a lost drive turn up, its volumes go on with the staged file as if nothing had been.
            if not join(parts, staging.whole_file(number, entry.id), target, entry):
                target.unlink()
                return False
            with target.open("rb") as stream:
                self.publisher.metadata.give(stream.fileno(), entry)
        store.flush()
        store.publish(target, entry.path)
        store.flush()
        return True
