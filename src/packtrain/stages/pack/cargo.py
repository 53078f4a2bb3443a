"""What is packed: the prepared data set, or a folder as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Dataset
from packtrain.documents.placement import PlacementDocument
from packtrain.errors import NothingToCarry
from packtrain.events import Notice, Progress, Sink
from packtrain.record.adopted import adopted_places
from packtrain.record.carried import check_folder_to_carry, folder_to_carry
from packtrain.record.folder import VoyageFolder
from packtrain.stages.pack.kept import journals
from packtrain.stages.pack.planting import canaries_folder, planted
from packtrain.training.miniature_travels import carried_miniature
from packtrain.volume import layout
from packtrain.volume.assignment import GroupShare
from packtrain.volume.cargo import CargoEntry, listed, listed_where_they_lie, refuse_names_no_reader_takes
from packtrain.volume.cargo_list import CargoList, VolumeCount, count_volumes, list_folder, list_of, look_at_folder
from packtrain.volume.losses import LossReport

LOSSES_NAME: Final = "losses.txt"
_ACCEPTED_NAME: Final = "losses.accepted"
_LISTING_NAME: Final = "cargo.list"


@dataclass(frozen=True, slots=True)
class Cargo:
    """What goes on the drives.

    Attributes:
        listed: its entries.
        num_samples: of a data set; None of a folder as it is.
        num_canaries: beside the shards of a data set; a folder as it is has none.
        losses: of a folder: what is left out, and what is not carried whole.
    """

    listed: CargoList
    num_samples: int | None
    losses: LossReport = field(default_factory=LossReport)
    num_canaries: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a packing would do; nothing was written for it."""

    cargo: Cargo
    volumes: VolumeCount
    num_drives: int
    num_groups: int
    volume_target_bytes: int


def cargo_inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digest of what is packed, by name: of a folder as it is only where it lies, for it is always scanned.

    Raises:
        StageNotReady: there is no data set yet.
    """
    root = folder_to_carry(folder)
    if root is None:
        return {"dataset": folder.digest(Dataset)}
    return {"folder": sha256_bytes(str(root).encode("utf-8", "surrogateescape"))}


def cargo_to_pack(folder: VoyageFolder, placement: PlacementDocument, sink: Sink, *, accept_losses: bool) -> Cargo:
    """Return what is packed: the data set by its document, a folder by scanning it.

    Raises:
        StageNotReady: there is no data set yet.
        SourceUnreadable, SourceChanged: files of the data set are missing or changed; of a folder something cannot be
            carried, and that was not accepted. A file of the voyage folder lists all of it.
        NothingToCarry: the folder is empty.
    """
    root = check_folder_to_carry(folder)
    if root is None:
        return _dataset_cargo(folder)
    place = journals(folder)
    with durable.atomic_writer(place / LOSSES_NAME, 0o600) as stream:
        report = LossReport(stream)
        found = list_folder(
            root,
            place / _LISTING_NAME,
            report,
            lambda num: sink(Progress("pack", "looking at the folder", done_items=num, unit="entries")),
        )
    cargo = Cargo(found, None, report)
    for line in report.lines():
        sink(Notice("pack", line, is_warning=bool(report.left_out)))
    _refuse_losses(place, cargo, root, accept_losses=accept_losses)
    _refuse_empty_and_long(cargo, placement, root)
    return cargo


def preview(folder: VoyageFolder) -> Preview:
    """Return what would be packed; write nothing.

    Raises:
        StageNotReady: there is no placement or data set yet.
        SourceUnreadable, SourceChanged: files of the data set are missing or changed.
        NothingToCarry: the folder is empty.
    """
    root, placement = check_folder_to_carry(folder), folder.read(PlacementDocument)
    if root is None:
        cargo = _dataset_cargo(folder, is_preview=True)
    else:
        report = LossReport()
        cargo = Cargo(look_at_folder(root, report), None, report)
        _refuse_empty_and_long(cargo, placement, root)
    target = _target_bytes(cargo, placement)
    capacity = {drive.label: drive.capacity_bytes for drive in placement.drives}
    groups = [(GroupShare(g.k, g.k * min(capacity[label] for label in g.drives)), g.m) for g in placement.groups]
    return Preview(
        cargo, count_volumes(cargo.listed, groups, target), len(placement.drives), len(placement.groups), target
    )


def _dataset_cargo(folder: VoyageFolder, *, is_preview: bool = False) -> Cargo:
    dataset, document = folder.read(Dataset), folder.payload(Dataset)
    root, places = folder.work / "dataset", adopted_places(folder)
    adopted = [shard for shard in dataset.shards if shard.name in places]
    own = [shard for shard in dataset.shards if shard.name not in places]
    # The data set's own document travels first: the receiver holds what was loaded against it.
    entries = list(listed(root, [("dataset.json", len(document), sha256_bytes(document))]))
    entries += listed(root, [(shard.name, shard.bytes, shard.sha256) for shard in own])
    entries += listed_where_they_lie(
        (shard.name, places[shard.name].place, shard.bytes, places[shard.name].mtime_ns, shard.sha256)
        for shard in adopted
    )
    entries += listed(root, [(file.name, file.bytes, file.sha256) for file in dataset.files])
    entries += _miniature(root, dataset)
    canaries = planted(folder, dataset, is_preview=is_preview)
    entries += listed(canaries_folder(folder), canaries)
    return Cargo(list_of(entries), dataset.num_samples, num_canaries=len(canaries))


def _miniature(root: Path, dataset: Dataset) -> Iterator[CargoEntry]:
    """Yield the miniature's files: the site runs the rehearsal again before it trains (`packtrain inspect`)."""
    by_name = carried_miniature(dataset)
    carried = {part.name.encode(): name.encode() for name, part in by_name.items()}
    for entry in listed(root, [(part.name, part.bytes, part.sha256) for part in by_name.values()]):
        yield entry._replace(name=carried[entry.name])


def _refuse_losses(place: Path, cargo: Cargo, root: Path, *, accept_losses: bool) -> None:
    """Refuse what cannot be carried, unless it was accepted: now, or the very same before."""
    report, accepted = cargo.losses, place / _ACCEPTED_NAME
    if not report.left_out:
        (place / LOSSES_NAME).unlink()
        accepted.unlink(missing_ok=True)
        return
    if accept_losses:
        durable.write_bytes(accepted, report.digest().encode("ascii"))
    elif not accepted.is_file() or accepted.read_text("ascii") != report.digest():
        report.refuse(
            str(root),
            f'{place / LOSSES_NAME} lists all of them; mend them, or go without: "packtrain pack --accept-losses"',
        )


def _refuse_empty_and_long(cargo: Cargo, placement: PlacementDocument, root: Path) -> None:
    if not cargo.listed.num_entries:
        raise NothingToCarry("the folder is empty", where=str(root), hint="correct [sources] paths in voyage.toml")
    if cargo.listed.has_long_names:
        for _ in refuse_names_no_reader_takes(cargo.listed.entries, _target_bytes(cargo, placement)):
            pass


def _target_bytes(cargo: Cargo, placement: PlacementDocument) -> int:
    return layout.volume_target_bytes(cargo.listed.total_bytes, sum(group.k for group in placement.groups))
