"""return: the results come home, and only the results. Export (consignee), release (operator), accept (consignor)."""

from __future__ import annotations

from packtrain.stages.homecoming.accept import accept
from packtrain.stages.homecoming.export import export, inputs
from packtrain.stages.homecoming.kept import STAGE
from packtrain.stages.homecoming.model import SignedModel, sign_model
from packtrain.stages.homecoming.release import release

__all__ = ["STAGE", "SignedModel", "accept", "export", "inputs", "release", "sign_model"]
