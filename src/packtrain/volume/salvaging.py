"""Looking for files in volumes beyond repair: row by row, what is good of them or can be rebuilt.

It comes after everything else, for volumes of which it is certain that no drive that could still come makes them whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from packtrain.documents.group import Volume
from packtrain.documents.plan import Plan
from packtrain.ports import Drive
from packtrain.volume.blocks import Column
from packtrain.volume.catalog import CatalogFile, CatalogPiece
from packtrain.volume.extract import store_faults
from packtrain.volume.load_journal import SalvagedLine
from packtrain.volume.publishing import OpenGroup, Publisher
from packtrain.volume.repair import StripeReader
from packtrain.volume.resume import check_tiling
from packtrain.volume.salvage import Found, Salvage, join, without_content
from packtrain.volume.wanted import Knowledge


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
            try:
                rows = StripeReader(columns, code, self.readers).rows(sorted(salvages), to_the_end=True)
                for row, blocks in enumerate(rows):
                    for column, block in blocks.items():
                        salvages[column].take(row, block)
            finally:
                for column in columns:
                    column.close()
                for salvage in salvages.values():
                    salvage.finish()
            for volume in wanted:
                bare = without_content(self.opened.catalog, volume, folder, self.publisher.metadata)
                self._publish(volume, [*salvages[volume.column].found, *bare])

    def _publish(self, volume: Volume, found: Sequence[Found]) -> None:
        store, journal = self.publisher.store, self.publisher.journal
        whole = [item for item in found if item.piece.count == 1]
        store.flush()
        for item in whole:
            store.publish(item.path, item.entry.path)
        got = {item.entry.path: item.entry for item in whole}
        for _, entry in self.opened.catalog.members_in(volume.stripe, volume.column):
            target = got.get(entry.link_target or b"")
            if entry.kind == "hardlink" and target is not None and store.link(target.path, entry.path):
                got[entry.path] = entry
        store.flush()
        journal.add(
            [
                SalvagedLine(
                    self.opened.group.group,
                    volume.stripe,
                    volume.column,
                    tuple(entry.id for entry in got.values()),
                    sum(entry.bytes for entry in got.values()),
                    tuple((item.entry.id, item.piece.number) for item in found if item.piece.count > 1),
                )
            ]
        )

    def _join_cut_files(self) -> None:
        """Put together the cut files of which every piece is there, in proven volumes or salvaged."""
        number = self.opened.group.group
        journal = self.publisher.journal
        lines = [line for key, line in journal.salvaged.items() if key[0] == number]
        pieces = {piece for line in lines for piece in line.pieces}
        for line in lines:
            for file in dict.fromkeys(file for file, _ in line.pieces if file not in line.files):
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
                if is_complete and not any(file in other.files for other in lines) and self._join(entry, parts):
                    journal.add([structs.replace(line, files=(*line.files, file), bytes=line.bytes + entry.bytes)])
                    lines = [other for key, other in journal.salvaged.items() if key[0] == number]

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
