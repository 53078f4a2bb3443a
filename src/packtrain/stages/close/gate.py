"""When a voyage may be closed, and its drives erased: not while a key or a drive could still be needed."""

from __future__ import annotations

from packtrain.diligence.judging import kept_policy, standing_of
from packtrain.diligence.rules.record import current_flags
from packtrain.documents.admission import Admission
from packtrain.documents.export_list import ExportList
from packtrain.documents.flags import Flags
from packtrain.documents.parties import Role
from packtrain.errors import ClosingRefused, StageNotReady
from packtrain.record.folder import VoyageFolder


def refuse_open_voyage(folder: VoyageFolder, *, without_results: bool) -> None:
    """Refuse while the voyage is not at its end for this party.

    Raises:
        ClosingRefused: the return is not finished here, the verdict on the dossier is no admission, or a STOP or HOLD
            of this party's run of the rules is open.
        StageNotReady: a site's admission is not here.
    """
    role = folder.voyage_file().voyage.role
    _refuse_unfinished(folder, role, without_results=without_results)
    _refuse_open_flags(folder, role)


def _refuse_unfinished(folder: VoyageFolder, role: Role, *, without_results: bool) -> None:
    has_begun = folder.receipt("return") is not None or folder.has(ExportList)
    if without_results and has_begun:
        raise ClosingRefused(
            "results are on their way home",
            where=str(folder.root),
            expected="no export list and no receipt of a return",
            hint='finish "packtrain return", then close without this option',
        )
    if not without_results and (folder.receipt("return") is None or not folder.has(ExportList)):
        raise ClosingRefused(
            "the results have not come home",
            where=str(folder.root),
            expected={
                "consignor": "results accepted",
                "operator": "the export list countersigned",
                "consignee": "the export list signed",
            }[role],
            hint='finish "packtrain return" first: a key destroyed now could still be needed; where nothing is to come '
            'home, "packtrain close --without-results" says so in the record',
        )
    if role != "consignor":
        if not folder.has(Admission):
            raise StageNotReady("admission.json is not here", where=str(folder.root), hint="it comes with the dossier")
        admission = folder.read_signed(Admission)
        if admission.verdict != "admit":
            raise ClosingRefused(
                f"the verdict on this dossier is {admission.verdict}",
                where=str(folder.document_path(Admission)),
                hint="an open verdict keeps the voyage open",
            )


def _refuse_open_flags(folder: VoyageFolder, role: Role) -> None:
    flags = current_flags(folder).get(role)
    if flags is None:
        return
    standing = standing_of(folder, flags, kept_policy(folder, flags.policy)).standing
    if standing.is_blocking:
        raise ClosingRefused(
            f"the voyage is not closed while these are open: {standing.sentence}",
            where=str(folder.document_path(Flags)),
            hint='"packtrain flags answer" signs what a person of this party found; the flag itself stays',
        )
