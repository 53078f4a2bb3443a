"""The log as a step of `carry` finds it."""

from __future__ import annotations

from packtrain.diligence.hand_over import Holding, custody_log, holdings, open_releases
from packtrain.documents.parties import Role
from packtrain.errors import StageNotReady
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder


def present(folder: VoyageFolder) -> tuple[tuple[CustodyLine, ...], dict[str, Holding]]:
    """Return the verified lines and who holds what; StageNotReady where nothing was sealed yet."""
    log = custody_log(folder)
    lines = log.read(folder.trust())
    if not lines:
        raise StageNotReady(
            "the custody log is empty",
            where=str(log.path),
            hint='the consignor seals the cases first: "packtrain carry seal"',
        )
    return lines, holdings(lines, str(log.path))


def refuse_while_open(held: dict[str, Holding], role: Role, folder: VoyageFolder) -> None:
    """Refuse to write while an own release waits for its answer: two entries after one line would be a fork."""
    if waiting := open_releases(held, role):
        raise StageNotReady(
            f"the hand-over of case {', '.join(waiting)} waits for its answer",
            where=str(custody_log(folder).path),
            hint='take in the other side\'s answer first: "packtrain carry adopt FILE"; cases that leave together are '
            "released together",
        )
