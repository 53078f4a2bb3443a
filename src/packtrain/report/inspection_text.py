"""The acceptance sheet of a site for people: a table for each host, one for all of them together, and the verdict."""

from __future__ import annotations

from packtrain.documents.inspection import Finding, Inspection
from packtrain.record.folder import VoyageFolder
from packtrain.report.inspection_view import InspectionView, inspections_view
from packtrain.units import counted

_TOGETHER = "all hosts together"
MOST_FAULTS: int = 5
"""Of a sheet, in its line of status."""


def finding_rows(sheet: Inspection) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a title and its rows for each host, and for what is of several: verdict and name, what was found."""
    tables: dict[str, list[tuple[str, str]]] = {}
    is_alone = len(sheet.hosts) == 1
    for one in sheet.findings:
        title = one.hosts[0] if len(one.hosts) == 1 and (is_alone or one.hosts[0] in sheet.hosts) else _TOGETHER
        tables.setdefault(title, []).append((one.verdict, _told(one)))
    return list(tables.items())


def verdict_of(sheet: Inspection) -> str:
    """Return in one line what the sheet says."""
    hosts = counted(len(sheet.hosts), "host")
    unseen = sum(one.verdict == "not shown" for one in sheet.findings)
    rest = f", {unseen} of {len(sheet.findings)} findings not shown" if unseen else ""
    if sheet.is_fit:
        return f"fit: {hosts}, nothing bad{rest}; signed by the {sheet.by}"
    return f"NOT FIT: {hosts}, {counted(len(sheet.faults), 'fault')}{rest}; signed by the {sheet.by}"


def _told(one: Finding) -> str:
    lines = [f"{one.what}: {one.found}"]
    if one.asked:
        lines.append(f"asked: {one.asked}" + (" (promised)" if one.is_promised else ""))
    if one.remedy:
        lines.append(f"-> {one.remedy}")
    return "\n".join(lines)


def untold_of_site(folder: VoyageFolder) -> str:
    """Return in a line why nothing says that this site is fit; "" where this party's own sheet does."""
    unread: list[str] = []
    sheets = [view for view in inspections_view([folder], unread) if view.by == folder.voyage_file().voyage.role]
    if not sheets:
        why = f" ({unread[0]})" if unread else ""
        return f'this site was not inspected{why}: "packtrain inspect" holds it against rehearsal and contract'
    [sheet] = sheets
    if not sheet.is_fit:
        return f"inspection.json says that this site is not fit: {sheet_in_words(sheet)}"
    return f'inspection.json is not of what is here: {sheet.stale}; "packtrain inspect" again' if sheet.stale else ""


def sheet_in_words(view: InspectionView) -> str:
    """Return a sheet in a line of status: the verdict, who signed it and when, and the first faults."""
    hosts = counted(len(view.hosts), "host")
    unseen = f", {view.num_not_shown} of {view.num_findings} findings not shown" if view.num_not_shown else ""
    verdict = "fit" if view.is_fit else f"NOT FIT, {counted(view.num_faults, 'fault')}"
    told = f"{view.by}, {view.finished}: {verdict}: {hosts} by {view.engine}{unseen}"
    if view.stale:
        told += f"; {view.stale}"
    for fault in view.faults[:MOST_FAULTS]:
        told += f"; {fault.hosts}: {fault.what}: {fault.found}"
    if view.num_faults > MOST_FAULTS:
        told += f"; and {view.num_faults - MOST_FAULTS:,} more"
    return told
