"""A reader of cargo format 1 written from docs/spec/cargo-1.md alone: the standard library, `age`, `ssh-keygen`.

It is slow, holds volumes in memory and does without XXH3; it is there to show that the specification says enough.
Nothing of packtrain is imported here, and nothing may be.
"""

from second_reader.refused import Refused
from second_reader.restore import Report, restore

__all__ = ["Refused", "Report", "restore"]
