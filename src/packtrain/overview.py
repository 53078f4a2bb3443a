"""Where a voyage stands, of all folders of one machine: what the record says, and what the stages add to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from packtrain.documents.plan import Plan
from packtrain.errors import VoyageFileError
from packtrain.record.folder import VoyageFolder
from packtrain.report.quietly import quietly
from packtrain.report.summarize import summarize
from packtrain.report.summary import PartySeen, StageView, Summary
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.training_facts import training_of
from packtrain.report.wave_view import BayView, WavesView, left_seconds
from packtrain.stages.pack import InBays
from packtrain.standing import StageState
from packtrain.voyage import Voyage


def overview(
    voyages: Sequence[Voyage],
    *,
    with_pictures: bool = False,
    curve_of: Callable[[VoyageFolder], TrainingCurve | None] = training_of,
) -> Summary:
    """Return where a voyage stands: the one object that status, report and the live page show.

    Nothing is written but parties.json, where no verb made it yet. A drive in a bay is looked at.

    Args:
        voyages: the folders of one voyage, one a party or more.
        with_pictures: samples may be shown.
        curve_of: see `summarize`.

    Raises:
        VoyageFileError: a voyage.toml cannot be read, or the folders are of different voyages.
    """
    names = dict.fromkeys(voyage.folder.voyage_file().voyage.name for voyage in voyages)
    if len(names) > 1:
        raise VoyageFileError(
            "these folders are of different voyages",
            where=", ".join(str(voyage.folder.root) for voyage in voyages),
            expected="one [voyage] name",
            found=", ".join(names),
            hint="name the folders of one voyage",
        )
    shards = voyages[0].shard_folder() if with_pictures else None
    return summarize([voyage.folder for voyage in voyages], [_seen(voyage) for voyage in voyages], shards, curve_of)


def _seen(voyage: Voyage) -> PartySeen:
    unread: list[str] = []
    none: list[StageState] = []
    states = quietly(voyage.states, none, unread)
    step = quietly(lambda: voyage.next_step(states), None, unread) if states else None
    bays = quietly(voyage.in_bays, None, unread)
    return PartySeen(
        stages=tuple(StageView(state.stage, state.state, state.detail) for state in states),
        next_command=step.command if step is not None else None,
        next_why=step.why if step is not None else "what comes next is not known: a paper cannot be read",
        waves=quietly(lambda: _waves(voyage, bays), None, unread) if bays is not None else None,
        unread=tuple(unread),
    )


def _waves(voyage: Voyage, found: InBays) -> WavesView:
    bays = tuple(BayView(bay.location, bay.state, bay.label, bay.text) for bay in found.bays)
    if found.progress is None:
        return WavesView(None, None, bays=bays)
    from packtrain.diligence.hand_over import custody_log

    progress = found.progress
    log = custody_log(voyage.folder).read(voyage.folder.trust())
    drives = {drive.uuid for drive in voyage.folder.read_signed(Plan).drives}
    return WavesView(
        done=progress.done,
        total=progress.total,
        wanted=progress.wanted(),
        wanted_empty=progress.empty,
        wanted_again=progress.again,
        wanted_sources=progress.sources,
        bays=bays,
        left_seconds=left_seconds(log, drives, progress.done, progress.total),
    )
