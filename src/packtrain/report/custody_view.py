"""The custody log of a folder in plain words."""

from __future__ import annotations

from packtrain.diligence.custody_check import check_log
from packtrain.diligence.custody_story import story
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.stamps import read_stamps
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import read_heads


def told_of_custody(folder: VoyageFolder) -> tuple[str, ...]:
    """Return the story of this party's log, a sentence each, after checking chain and signatures.

    Raises:
        PacktrainError: the log, a head or a time stamp is not in order.
    """
    trust = folder.trust()
    lines = custody_log(folder).read(trust)
    heads = read_heads(folder.documents, trust)
    stamps = tuple(read_stamps(folder, heads))
    return tuple(story(lines, check_log(lines, heads, stamps, trust.revocations), trust.revocations))
