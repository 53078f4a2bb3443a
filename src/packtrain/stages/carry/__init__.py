"""carry: seal the cases under one statement, hand them over with two signatures by file or QR code, note what is seen.

The story of the log, its heads and what they prove are `custody`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packtrain.diligence.heads import write_own_log
from packtrain.documents.parties import Role
from packtrain.events import Sink
from packtrain.record.folder import VoyageFolder
from packtrain.stages.carry.by_code import adopt_code, own_code, take_code
from packtrain.stages.carry.handing import adopt, offer, take
from packtrain.stages.carry.observing import Observation, observe
from packtrain.stages.carry.sealing import STAGE, inputs, seal

__all__ = [
    "STAGE",
    "Observation",
    "accept",
    "adopt",
    "adopt_code",
    "inputs",
    "observe",
    "offer",
    "own_code",
    "release",
    "seal",
    "take",
    "take_code",
]


def release(
    folder: VoyageFolder, cases: Sequence[str], to: Role, sink: Sink, *, destination: Path, note: str = ""
) -> Path:
    """Sign cases over to another party; write the hand-over file, the whole log, and return it. See `offer`."""
    offer(folder, cases, to, sink, note=note)
    return write_own_log(folder, destination)


def accept(folder: VoyageFolder, hand_over: Path, sink: Sink, *, destination: Path, note: str = "") -> Path:
    """Sign for the cases of a hand-over file; write the answer file and its head, return the former. See `take`."""
    take(folder, hand_over, sink, note=note)
    return write_own_log(folder, destination)
