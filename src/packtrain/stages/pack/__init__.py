"""pack: put the data set on the drives. Writes plan.json, shipment.json, the groups, key envelopes, custody entries.

Where there are more drives than bays it goes in waves: each call writes the groups whose drives are mounted, and says
what to mount next.
"""

from __future__ import annotations

from packtrain.stages.pack.cargo import Preview, preview
from packtrain.stages.pack.standing import InBays, in_bays, standing
from packtrain.stages.pack.work import STAGE, inputs, is_settled, pack

__all__ = ["STAGE", "InBays", "Preview", "in_bays", "inputs", "is_settled", "pack", "preview", "standing"]
