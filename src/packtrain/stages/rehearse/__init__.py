"""rehearse: the voyage in miniature, at home, in a box with no network. Writes kit.json and ready.json.

The outer half builds the kit, packs the miniature on folders that play drives, loses one of them, damages another, and
makes the box. The inner half runs in the box, under the Python that was installed from the kit: it loads the miniature
and runs the program: undisturbed, then under each fault. What both saw becomes the sheet.
"""

from __future__ import annotations

from packtrain.stages.rehearse.inside import rehearse_inside
from packtrain.stages.rehearse.kit import KitOptions, build, section_of
from packtrain.stages.rehearse.outside import STAGE, could_not_be_tried, inputs, rehearse

__all__ = ["STAGE", "KitOptions", "build", "could_not_be_tried", "inputs", "rehearse", "rehearse_inside", "section_of"]
