"""The drives that voyage.toml names: there, writable, and on file systems that hold what is to be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from packtrain.doctor.finding import Finding, Subject
from packtrain.doctor.places import Place, see, silent
from packtrain.units import counted

_VERBS: Final = ("plan", "pack")
_FAT: Final = frozenset({"vfat", "msdos"})
_MOST_NAMED: Final = 6


def look_at_drives(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the drives of a consignor that has not packed them yet, or that nothing is."""
    voyage = subject.voyage
    if voyage is None or not subject.is_for("consignor") or voyage.voyage.role != "consignor":
        return
    if subject.root is not None and (subject.root / "documents" / "shipment.json").is_file():
        yield Finding("drives", "ok", "packed and closed: they need not be here", _VERBS)
        return
    named = [path for case in voyage.drives.case for text in case.drives if (path := subject.path(text)) is not None]
    bays = [path for text in voyage.drives.bays if (path := subject.path(text)) is not None]
    if not named and not bays:
        why = "without drives there is nothing to plan for"
        remedy = 'add a label and its "drives" to voyage.toml: docs/how-to/eight-bays-sixty-drives.md'
        yield Finding("drives", "warn", "voyage.toml names none yet", _VERBS, why, remedy)
        return
    places, _ = see([*named, *bays])
    yield from _all(list(places.values()), set(bays))


def _all(places: Sequence[Place], bays: set[Path]) -> Iterator[Finding]:
    for place in (place for place in places if not place.answers):
        yield silent("drives", place.path, _VERBS)
    answering = [place for place in places if place.answers]
    missing = [place for place in answering if not place.is_folder]
    if missing and (len(missing) < len(answering) and all(place.path in bays for place in missing)):
        why = "fewer drives are written at once"
        yield Finding("drives", "warn", f"not there: {_names(missing)}", _VERBS, why, "mount them")
    elif missing:
        found = f"not there: {_names(missing)}"
        remedy = f"mount them, or correct voyage.toml; folders can play drives: mkdir -p {missing[0].typed}"
        yield Finding("drives", "fault", found, _VERBS, "a drive that is not there cannot be written", remedy)
    here = [place for place in answering if place.is_folder]
    if closed := [place for place in here if place.refusal]:
        found = f"{_names(closed)}: {closed[0].refusal}"
        remedy = f"sudo mount -o remount,rw {closed[0].typed}, or sudo chown $(id -un) {closed[0].typed}"
        yield Finding("drives", "fault", found, _VERBS, "a drive that cannot be written cannot be packed", remedy)
    if small := [place for place in here if place.file_system in _FAT]:
        why = "FAT holds no file of 4 GiB or more: a volume of a large shipment does not fit"
        remedy = "packtrain drives format DEVICE --label LABEL (ext4; all on it goes); exFAT and xfs do as well"
        yield Finding("drives", "warn", f"{_names(small)} are {small[0].file_system}", _VERBS, why, remedy)
    if remote := [place for place in here if place.is_on_network]:
        why = "what is packed there is carried nowhere, and is read back from a cache"
        found = f"{_names(remote)} are on {remote[0].file_system}"
        yield Finding("drives", "warn", found, _VERBS, why, "name the mount points of drives")
    yield from _apart(here)
    if here and not (missing or closed or len(here) < len(places)):
        kinds = ", ".join(sorted({place.file_system for place in here if place.file_system}))
        yield Finding("drives", "ok", f"{counted(len(here), 'drive')} there and writable ({kinds})", _VERBS)


def _apart(places: Sequence[Place]) -> Iterator[Finding]:
    by_device: dict[object, list[Place]] = {}
    for place in places:
        by_device.setdefault(place.seen.get("device"), []).append(place)
    shared = [held for held in by_device.values() if len(held) > 1]
    if shared:
        found = "; ".join(f"{_names(held)} lie on one file system" for held in shared[:3])
        why = "folders that play drives: losing that disk loses them all, whatever the code"
        remedy = "for a voyage that leaves mount a drive at each; to try things out it is as it should be"
        yield Finding("drives apart", "warn", found, _VERBS, why, remedy)


def _names(places: Sequence[Place]) -> str:
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return ", ".join(str(place.path) for place in places[:_MOST_NAMED]) + more
