"""A measurement as text: a line a rate, and in words what it does not show."""

from __future__ import annotations

from typing import Any, Final

from packtrain.documents.measurement import MeasuredDrive, MeasuredFolder, Measurement, Rate, Together, Work
from packtrain.units import format_bytes, format_seconds

Rows = list[tuple[str, str]]
_NOT: Final = "not measured"
_IN_MEMORY: Final = ("tmpfs", "ramfs")


def measurement_rows(found: Measurement) -> list[tuple[str, Rows]]:
    """Return sections with a heading each, and rows of a name and what was found."""
    sections = [("this machine", _machine(found))]
    sections += [(f"drive {one.name}", _drive(one)) for one in found.drives]
    if found.together is not None:
        sections.append(("drives side by side", _together(found.together)))
    for name, folder in (("source", found.source), ("store", found.store)):
        if folder is not None:
            sections.append((name, _folder(folder)))
    if notes := _notes(found):
        sections.append(("what this does not show", [("", text) for text in notes]))
    return sections


def _notes(found: Measurement) -> list[str]:
    notes: list[str] = []
    if any(one.is_short and one.is_written for one in found.drives):
        notes.append("how a drive writes behind its fast cache: --bytes 100GB --seconds 3600 would")
    if any(one.write is not None and one.file_system not in _IN_MEMORY for one in found.drives):
        notes.append("the rest of the medium: a disk that turns is about half as fast at its end as at its beginning")
    return notes


def preview_rows(preview: dict[str, Any]) -> Rows:
    """Return what a dry run says, as rows."""
    rows: Rows = [("this machine", f"packing and loading a small set, code {preview['code']}; digests and cipher")]
    for one in preview["drives"]:
        does = f"write and read {format_bytes(one['bytes'])}" if one["use"] == "write" else "read only: nothing written"
        rows.append((one["name"], f"{does}; {one['file_system'] or 'file system not known'} at {one['path']}"))
    if preview["side_by_side"]:
        rows.append(("side by side", "all of them at once, as a wave"))
    rows += [(name, preview[name]) for name in ("source", "store") if preview[name] is not None]
    rows.append(("takes", f"at most about {format_seconds(preview['most_seconds'])}, and what drives take to sync"))
    return rows


def rate_text(rate: Rate | None) -> str:
    """Return a rate in words with what it rests on."""
    if rate is None:
        return _NOT
    return f"{_per_second(rate)}  ({format_bytes(rate.bytes)} in {format_seconds(rate.seconds)})"


def _per_second(rate: Rate | Work) -> str:
    return f"{format_bytes(int(rate.bytes_per_second))}/s"


def _machine(found: Measurement) -> Rows:
    machine = found.machine
    rows: Rows = [
        ("processor", f"{machine.processor or 'not known'}, {machine.cores} cores used"),
        ("software", f"{machine.system}, Python {machine.python}, packtrain {machine.packtrain}"),
        ("measured", f"{found.made}, in {format_seconds(found.seconds)}"),
    ]
    for name, work in (("pack", machine.pack), ("load", machine.load)):
        rows.append((name, _work(work)))
    for name, rate in (
        ("SHA-256", machine.sha256),
        ("XXH3", machine.xxh3),
        ("age, encrypt", machine.encrypt),
        ("parity", machine.encode),
    ):
        rows.append((name, f"{_per_second(rate)} a core" if rate is not None else _NOT))
    return [*rows, *([("note", machine.note)] if machine.note else [])]


def _work(work: Work | None) -> str:
    if work is None:
        return _NOT
    return (
        f"{work.cpu_seconds_per_gb:.2f} CPU seconds a GB; {_per_second(work)} with no drive to wait for "
        f"({work.k}+{work.m}, {format_bytes(work.bytes)} in {format_seconds(work.seconds)})"
    )


def _drive(one: MeasuredDrive) -> Rows:
    rows: Rows = [
        ("at", f"{one.path}, {one.file_system or 'file system not known'}, {format_bytes(one.size_bytes)}"),
        ("serial", one.serial or "not known"),
    ]
    if one.is_written:
        rows.append(("write", rate_text(one.write)))
        rows.append(("of that syncing", format_seconds(one.sync_seconds)))
    else:
        rows.append(("write", "not measured: nothing was written here"))
    rows.append(("read", f"{rate_text(one.read)}{f', read back: {one.readback}' if one.readback else ''}"))
    if spread := _spread(one):
        rows.append(("over its parts", spread))
    if one.is_written:
        rows.append(("fell while writing", _slowed(one)))
    return [*rows, *([("problem", one.problem)] if one.problem else [])]


def _spread(one: MeasuredDrive) -> str:
    rates = [
        rate
        for part in one.parts
        if (rate := part.write_bytes_per_second if one.is_written else part.read_bytes_per_second) is not None
    ]
    if len(rates) < 2:
        return ""
    text = f"{format_bytes(int(min(rates)))}/s to {format_bytes(int(max(rates)))}/s in {len(rates)} parts"
    places = [part.at_bytes for part in one.parts if part.at_bytes is not None]
    if not places or not one.size_bytes:
        return f"{text}; where they lie on the medium is not known"
    # A file system is a little smaller than the device that places are counted on.
    low, high = (min(100, round(100 * place / one.size_bytes)) for place in (min(places), max(places)))
    return f"{text}, begun at {low} % of it" if low == high else f"{text}, begun at {low} to {high} % of it"


def _slowed(one: MeasuredDrive) -> str:
    return f"{one.slowed}; short: fast caches of drives hold more than was written" if one.is_short else one.slowed


def _together(found: Together) -> Rows:
    rows: Rows = [("drives", f"{len(found.drives)}: {', '.join(found.drives)}")]
    for name, rate, part in (("write", found.write, found.write_part), ("read", found.read, found.read_part)):
        share = f"; {part:.0%} of the sum of each alone" if part is not None else ""
        if rate is not None or name == "read":
            rows.append((name, f"{rate_text(rate)}{share}"))
    rows.append(("they share", found.limit or "nothing that slows them down"))
    return rows


def _folder(found: MeasuredFolder) -> Rows:
    rows: Rows = [("at", f"{found.path}, {found.file_system or 'file system not known'}")]
    if found.write is not None:
        rows.append(("write", rate_text(found.write)))
    rows.append(("read", f"{rate_text(found.read)}{f', read back: {found.readback}' if found.readback else ''}"))
    return [*rows, *([("problem", found.problem)] if found.problem else [])]
