"""close: destroy this party's keys, erase drives one by one before or after that, and sign what became of both.

A drive is erased by `begin`, `erase` and `finish`: the first and the last need the folder's lock, the second may take
a day.
"""

from __future__ import annotations

from packtrain.stages.close.closing import STAGE, ApproveKeys, close, inputs
from packtrain.stages.close.sanitising import ApproveErasure, Run, Target, begin, erase, finish, refuse_failed

__all__ = [
    "STAGE",
    "ApproveErasure",
    "ApproveKeys",
    "Run",
    "Target",
    "begin",
    "close",
    "erase",
    "finish",
    "inputs",
    "refuse_failed",
]
