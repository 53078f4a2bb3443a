"""Measuring, wired: what `measure` needs of the world, in a voyage folder or without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packtrain.devices.bench import MachineBench
from packtrain.stores.folder import FolderStore

if TYPE_CHECKING:
    from packtrain.documents.measurement import Measurement
    from packtrain.events import Sink
    from packtrain.ports import Drive
    from packtrain.record.folder import VoyageFolder
    from packtrain.stages.measure import Wishes, World


def measure_for(
    folder: VoyageFolder | None, wishes: Wishes, open_drive: Callable[[Path], Drive], sink: Sink
) -> Measurement:
    """Return what was measured; nothing is written into the voyage folder. See `stages.measure` for errors."""
    from packtrain.stages import measure

    return measure.measure(measure.subject_of(wishes, folder), _world(open_drive), sink)


def preview_for(
    folder: VoyageFolder | None, wishes: Wishes, open_drive: Callable[[Path], Drive], sink: Sink
) -> dict[str, Any]:
    """Return what would be measured as plain values; nothing is written anywhere. See `stages.measure` for errors."""
    from packtrain.stages import measure

    subject = measure.subject_of(wishes, folder)
    return measure.to_dict(measure.candidates_of(subject, _world(open_drive), sink), subject)


def _world(open_drive: Callable[[Path], Drive]) -> World:
    from packtrain.stages.measure import World

    return World(open_drive, FolderStore, MachineBench())
