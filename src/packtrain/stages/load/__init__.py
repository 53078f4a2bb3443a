"""load: from admitted drives into the store, repaired on the way. Nothing is loaded that the site did not admit.

The cargo goes into the store, and the kit, if one came, into work/kit.
"""

from __future__ import annotations

from packtrain.stages.load.cargo import Options, load
from packtrain.stages.load.in_place import note_in_place, open_in_place
from packtrain.stages.load.kept import KIT_NAME, STAGE, inputs, is_settled, standing
from packtrain.stages.load.on_hosts import load_on_hosts

__all__ = [
    "KIT_NAME",
    "STAGE",
    "Options",
    "inputs",
    "is_settled",
    "load",
    "load_on_hosts",
    "note_in_place",
    "open_in_place",
    "standing",
]
