"""measure: what this machine and its drives do in a second, so that a plan rests on figures. Writes measurement.json.

It is no stage of the voyage: it has no receipt, and nothing that others read of it makes them run again.
"""

from packtrain.stages.measure.meter import STAGE
from packtrain.stages.measure.run import World, candidates_of, measure, to_dict
from packtrain.stages.measure.subject import Subject, Wishes, subject_of

__all__ = ["STAGE", "Subject", "Wishes", "World", "candidates_of", "measure", "subject_of", "to_dict"]
