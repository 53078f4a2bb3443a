"""update: the kit changes after departure: made by the consignor, seen by the operator, applied by the consignee."""

from __future__ import annotations

from packtrain.stages.update.apply import apply
from packtrain.stages.update.countersign import Approve, countersign
from packtrain.stages.update.make import make
from packtrain.stages.update.opened import STAGE, Told
from packtrain.stages.update.show import show

__all__ = ["STAGE", "Approve", "Told", "apply", "countersign", "make", "show"]
