"""return: the results come home, and only the results.

Export and pieces (consignee), release (operator), gather and accept (consignor).
"""

from __future__ import annotations

from packtrain.stages.homecoming.accept import accept
from packtrain.stages.homecoming.export import export, inputs
from packtrain.stages.homecoming.kept import STAGE
from packtrain.stages.homecoming.model import SignedModel, sign_model
from packtrain.stages.homecoming.pieces import cut_pieces, gather_pieces, gathering
from packtrain.stages.homecoming.release import release

__all__ = [
    "STAGE",
    "SignedModel",
    "accept",
    "cut_pieces",
    "export",
    "gather_pieces",
    "gathering",
    "inputs",
    "release",
    "sign_model",
]
