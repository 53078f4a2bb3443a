"""prepare: from source files to training shards, in units of work that survive a crash.

The walk lists the sources. Pass 1 (`reading`) reads them, a unit at a time. Between the passes it is settled which
samples are kept, on which side and in which order, on metadata alone. Pass 2 (`writing`) writes the shards. What is
done is known from receipts in work/prepare; the data set grows in work/dataset.
"""

from __future__ import annotations

from packtrain.stages.prepare.ground import DATASET_FOLDER, MINIATURE, STAGE, inputs
from packtrain.stages.prepare.looking import RowsAside, drops, look, rejects
from packtrain.stages.prepare.run import prepare

__all__ = ["DATASET_FOLDER", "MINIATURE", "STAGE", "RowsAside", "drops", "inputs", "look", "prepare", "rejects"]
