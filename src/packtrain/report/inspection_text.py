"""The acceptance sheet of a site for people: a table for each host, one for all of them together, and the verdict."""

from __future__ import annotations

from packtrain.documents.inspection import Finding, Inspection
from packtrain.units import counted

_TOGETHER = "all hosts together"


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
