"""How far a packing in waves is: which waves are done, what is in the bays, which drives come next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.errors import DriveMissing
from packtrain.ports import Drive
from packtrain.record.folder import VoyageFolder
from packtrain.stages.pack.at_hand import num_bays
from packtrain.stages.pack.kept import journal_folder
from packtrain.volume.holding import Holding, holding
from packtrain.volume.journal import Journal
from packtrain.volume.places import places_of
from packtrain.volume.waves import WaveProgress, progress


@dataclass(frozen=True, slots=True)
class Bay:
    """One bay.

    Attributes:
        location: its path, as voyage.toml spells it.
        state: "closed", "begun", "empty", "void", "other" or "not mounted".
        label: of a drive of this packing.
        text: in words, with what to do.
    """

    location: str
    state: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class InBays:
    """A packing in waves as it stands.

    Attributes:
        bays: in the order of voyage.toml.
        progress: None where every group is closed.
    """

    bays: tuple[Bay, ...]
    progress: WaveProgress | None

    def to_dict(self) -> dict[str, object]:
        """Return it as plain values, under the names that `pack` uses at the end of a wave."""
        wanted: dict[str, object] = {"wanted_empty": [], "wanted_again": [], "wanted_sources": []}
        if self.progress is not None:
            wanted = {
                "waves_done": self.progress.done,
                "waves": self.progress.total,
                "wanted_empty": list(self.progress.empty),
                "wanted_again": list(self.progress.again),
                "wanted_sources": [{"number": n, "of": list(labels)} for n, labels in self.progress.sources],
            }
        bays = [{"location": bay.location, "state": bay.state, "label": bay.label} for bay in self.bays]
        return {**wanted, "bays": bays}


def standing(folder: VoyageFolder) -> str:
    """Return how far a packing in waves is, in words; empty where none is under way."""
    found = _under_way(folder)
    if found is None:
        return ""
    with Journal(found[1], only_reads=True) as journal:
        waves = progress(found[0], found[2], journal)
    return str(waves) if waves is not None else ""


def in_bays(folder: VoyageFolder, open_drive: Callable[[Path], Drive]) -> InBays | None:
    """Return what is in the bays, and which drives come next; None where no packing in waves is under way.

    What a drive says of itself is taken at its word: `pack` verifies it.
    """
    paths = folder.voyage_file().drives.bays
    found = _under_way(folder)
    if found is None or not paths or folder.has(PackingStatement):
        return None
    plan, place, bays = found
    with Journal(place, only_reads=True) as journal:
        labels = {one.uuid: one.label for one in places_of(plan, journal).values()}
        void = {old: one.label for one in places_of(plan, journal).values() for old in one.replaces}
        waves = progress(plan, bays, journal)
    return InBays(tuple(_bay(folder, text, open_drive, plan, labels, void) for text in paths), waves)


def _under_way(folder: VoyageFolder) -> tuple[Plan, Path, int] | None:
    """Return plan, journal folder and number of bays of a packing, where drives take their turn."""
    if not folder.has(Plan) or not folder.has(PlacementDocument):
        return None
    plan = folder.read_signed(Plan)
    place = journal_folder(folder, plan.attempt)
    bays = num_bays(folder, plan)
    return (plan, place, bays) if place.is_dir() and bays is not None else None


def _bay(
    folder: VoyageFolder,
    text: str,
    open_drive: Callable[[Path], Drive],
    plan: Plan,
    labels: dict[str, str],
    void: dict[str, str],
) -> Bay:
    path = folder.resolve(text)
    try:
        found = holding(open_drive(path))
    except DriveMissing:
        found = None
    # Where one bay is a mount point, a plain folder is a bay with nothing mounted.
    are_mounts = any(folder.resolve(bay).is_mount() for bay in folder.voyage_file().drives.bays)
    if found is None or (are_mounts and not path.is_mount()):
        return Bay(text, "not mounted", "", "nothing is mounted")
    if found.state == "empty":
        return Bay(text, "empty", "", "empty")
    if not _is_of(found, plan):
        return Bay(text, "other", "", found.text())
    if found.uuid in void:
        label = void[found.uuid]
        return Bay(text, "void", label, f"{label}, void: another drive has come in its place; take it out")
    label = labels.get(found.uuid, found.label)
    if found.state == "closed":
        return Bay(text, "closed", label, f"{label}, closed: write the label on it and take it out")
    return Bay(text, "begun", label, f"{label or 'a drive of this shipment'}, begun and not closed: leave it here")


def _is_of(found: Holding, plan: Plan) -> bool:
    return (found.shipment, found.attempt) == (plan.shipment, plan.attempt)
