"""carry: seal the cases under one statement, hand them over with two signatures by file or QR code, note what is seen.

The story of the log, its heads and what they prove are `custody`.
"""

from __future__ import annotations

from packtrain.stages.carry.by_code import adopt_code, own_code, take_code
from packtrain.stages.carry.handing import adopt, offer, take
from packtrain.stages.carry.observing import Observation, observe
from packtrain.stages.carry.sealing import STAGE, inputs, seal

__all__ = [
    "STAGE",
    "Observation",
    "adopt",
    "adopt_code",
    "inputs",
    "observe",
    "offer",
    "own_code",
    "seal",
    "take",
    "take_code",
]
