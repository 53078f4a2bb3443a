"""The drives of this machine, wired: which stand here, what lies on them, and what a person may have done to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packtrain.devices import clear, dip, mkfs, smart
from packtrain.devices.block import SYSTEM, BlockDrive, MountedDrive, Part, Roots, drive_at, find_drive, read_drives
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.sanitise_plan import CommandPlan, plan_commands
from packtrain.devices.serials import SerialWitness, Sighting
from packtrain.devices.watched import DriveWatch
from packtrain.errors import DriveInUse, DriveMissing, DuplicateDrive
from packtrain.events import Notice, Progress, Sink, discard
from packtrain.units import MIB, format_bytes
from packtrain.volume import layout
from packtrain.volume.holding import Holding, holding

if TYPE_CHECKING:
    from packtrain.ports import Drive

STAGE: Final = "drives"
_WORD_LENGTH: Final = 4


class DriveOpener:
    """Opens mount points and folders as drives, each with the serial number of the device below it.

    Keep one for the length of a run: it remembers the numbers it saw. A folder that is no mount point has none; nor has
    a drive behind a bridge that shows only its own, or the same for two drives.

    Args:
        sink: is told when a number turns out to be worth nothing.
        roots: where this machine is described.
    """

    def __init__(self, sink: Sink, roots: Roots = SYSTEM) -> None:
        self._sink = sink
        self._roots = roots
        self._witness = SerialWitness()
        self._opened: dict[str, list[DirectoryDrive]] = {}

    def __call__(self, path: Path) -> Drive:
        """Return the drive mounted at `path`, or the folder that plays one.

        Raises:
            DriveMissing: there is no such folder.
        """
        if not path.is_dir():
            raise DriveMissing(
                "no such drive",
                where=str(path),
                expected="a mounted file system or a folder",
                hint="mount it, or correct its path: on the command line, or in voyage.toml",
            )
        found = drive_at(path, self._roots)
        serial = found.drive.serial if found is not None else None
        if found is None or serial is None or serial.source == "bridge":
            return DirectoryDrive(path)
        drive = DirectoryDrive(path, serial.text)
        self._witnessed(serial.text, found, drive)
        return drive

    def _witnessed(self, serial: str, found: MountedDrive, drive: DirectoryDrive) -> None:
        file_system = found.part.file_system.uuid if found.part.file_system is not None else ""
        sighting = Sighting(found.drive.number, found.part.number, file_system, drive.location)
        doubt = self._witness.see(serial, sighting)
        self._opened.setdefault(serial, []).append(drive)
        if doubt is not None and doubt[0] == "two parts":
            text = f"{doubt[1].location} and {drive.location} lie on one drive (serial {serial}): losing it loses both"
            self._sink(Notice(STAGE, text, is_warning=True))
        elif doubt is not None:
            text = (
                f"{doubt[1].location} and {drive.location} show the same serial number ({serial}): the bridge hides "
                "those of its drives, so both count as unknown"
            )
            self._sink(Notice(STAGE, text, is_warning=True))
        if self._witness.is_doubted(serial):
            for one in self._opened[serial]:
                one.serial = None


def open_drive(path: Path) -> Drive:
    """Return the drive mounted at `path`, or the folder that plays one.

    Raises:
        DriveMissing: there is no such folder.
    """
    return DriveOpener(discard)(path)


def open_drives(paths: Sequence[Path], open_one: Callable[[Path], Drive] = open_drive) -> list[Drive]:
    """Return the drives at these paths, in the order given, each opened by `open_one`.

    Raises:
        DriveMissing: one is no folder.
        DuplicateDrive: two paths are the same folder.
    """
    seen: dict[tuple[int, int], Path] = {}
    drives: list[Drive] = []
    for path in paths:
        drive = open_one(path)
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        if key in seen:
            raise DuplicateDrive(
                "the same drive was given twice",
                where=str(path),
                found=f"the same folder as {seen[key]}",
                hint="name each drive once",
            )
        seen[key] = path
        drives.append(drive)
    return drives


def open_watched(paths: Sequence[Path], sink: Sink) -> tuple[list[Drive], Sink]:
    """Return the drives at these paths, and a sink that adds to progress how far each of them is.

    Raises:
        DriveMissing, DuplicateDrive: see `open_drives`.
    """
    watch = DriveWatch(sink)
    opener = DriveOpener(watch)
    return open_drives(paths, lambda path: watch.watched(opener(path))), watch


@dataclass(frozen=True, slots=True)
class ListedPart:
    """One part of a drive as `packtrain drives` lists it.

    Attributes:
        holding: what it says of itself; None where it is not mounted, or belongs to the system.
    """

    part: Part
    holding: Holding | None


@dataclass(frozen=True, slots=True)
class ListedDrive:
    """One drive as `packtrain drives` lists it: its parts that can hold something, and its health if it was asked."""

    drive: BlockDrive
    parts: tuple[ListedPart, ...]
    health: smart.SmartReport | None

    def notices(self) -> list[str]:
        """Return what a person should know before using this drive."""
        found = self.health.warnings() if self.health is not None else []
        if self.drive.zoned != "none":
            found.append(f"the kernel says that it is {self.drive.zoned} (SMR)")
        if self.drive.serial is not None and self.drive.serial.source == "bridge":
            found.append("only the bridge shows a serial number: documents will say none")
        return [f"{self.drive.name}: {text}" for text in found]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        drive, health = self.drive, self.health
        return {
            "id": drive.id,
            "device": str(drive.device),
            "model": drive.model,
            "serial": drive.serial.text if drive.serial is not None else None,
            "serial_source": drive.serial.source if drive.serial is not None else None,
            "size_bytes": drive.size_bytes,
            "transport": drive.transport,
            "rotational": drive.is_rotational,
            "removable": drive.is_removable,
            "read_only": drive.is_read_only,
            "zoned": drive.zoned,
            "use": drive.use,
            "offered": drive.is_offered,
            "parts": [_part_dict(listed) for listed in self.parts],
            "health": None if health is None else _health_dict(health),
            "notices": self.notices(),
        }


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that cannot be undone, ready to be done once a person has typed the word.

    Attributes:
        word: what must be typed; `word_of` says where it is read.
        told: what is on the drive, in lines.
        do: does it; returns what was done, as a sentence and as plain values.
    """

    word: str
    word_of: str
    told: tuple[str, ...]
    do: Callable[[], tuple[str, dict[str, Any]]]

    def is_confirmed_by(self, typed: str) -> bool:
        """Return whether this is the word; small and capital letters are the same."""
        return typed.strip().casefold() == self.word.casefold()


def list_drives(*, with_health: bool = False, roots: Roots = SYSTEM) -> list[ListedDrive]:
    """Return the drives of this machine, what lies on them and, if asked, what they say of their health."""
    return [_listed(drive, with_health=with_health) for drive in read_drives(roots)]


def find_folder(name: str, roots: Roots = SYSTEM) -> Path:
    """Return the mount point that a path or a label names: a label of a file system or of a packtrain drive.

    Raises:
        DriveMissing: nothing mounted is called so.
        DuplicateDrive: more than one is.
    """
    if Path(name).is_dir():
        return Path(name)
    found = [
        listed.part.mounts[0]
        for drive in list_drives(roots=roots)
        for listed in drive.parts
        if listed.part.mounts and name in _labels(listed)
    ]
    if not found:
        raise DriveMissing("no such folder, and no mounted drive has this label", where=name)
    if len(found) > 1:
        raise DuplicateDrive(
            "more than one mounted drive has this label",
            where=name,
            found=", ".join(map(str, found)),
            hint="name the mount point",
        )
    return found[0]


def run_dip_test(folder: Path, sink: Sink, *, asked_bytes: int | None = None, extent_bytes: int = MIB) -> dip.DipReport:
    """Write at length below a folder and return how evenly it went; nothing is left there.

    Raises:
        DriveInUse: the drive is packed and closed: nothing is written to it any more.
        DriveFull, DriveFailed: no room, or the drive cannot be written.
    """
    drive = DirectoryDrive(folder)
    if drive.size_bytes(layout.DRIVE) is not None:
        raise DriveInUse(
            "drive is packed and closed: nothing is written to it any more",
            where=str(folder),
            hint="test drives before they are packed",
        )
    total_bytes = dip.bytes_to_write(drive.free_bytes(), extent_bytes, asked_bytes)
    with dip.open_extents(folder, extent_bytes) as writer:
        return dip.dip_test(writer, total_bytes, extent_bytes, sink)


def clearing(path: Path, sink: Sink, roots: Roots = SYSTEM) -> Deed:
    """Return the deed that empties the drive mounted at `path`.

    Raises:
        DriveMissing, DriveInUse: it may not be emptied.
    """
    found = clear.clearable(path, roots)
    word, word_of = _word(found.drive, found.part, read_drives(roots))
    held = holding(DirectoryDrive(path))

    def do() -> tuple[str, dict[str, Any]]:
        # Once more: what was looked at and what is emptied must be the same drive, however long the typing took.
        device = path.stat().st_dev
        again = clear.clearable(path, roots)
        if (again.drive.id, again.part.number, again.part.file_system) != (
            found.drive.id,
            found.part.number,
            found.part.file_system,
        ):
            raise DriveInUse("another drive is mounted here than a moment ago", where=str(path), hint="look again")
        last = (layout.PLAN, layout.PLAN + layout.SIGNATURE_SUFFIX)
        count = clear.clear_folder(
            path,
            last,
            lambda done: sink(Progress(STAGE, f"emptying {path}", done_items=done, unit="files")),
            device,
        )
        return f"{path}: {count:,} files removed; the drive is empty", {"mount": str(path), "num_files": count}

    return Deed(word, word_of, (*_about(found.drive, found.part), f"holds    {held.text()}", "all files on it go"), do)


def formatting(device: Path, label: str, roots: Roots = SYSTEM) -> Deed:
    """Return the deed that makes an ext4 with this label on a device.

    Raises:
        DriveMissing, DriveInUse: it may not be formatted.
        ValueError: the label cannot be one.
    """
    mkfs.check_label(label)
    drive, part = mkfs.formattable(device, roots)
    word, word_of = _word(drive, part, read_drives(roots))

    def do() -> tuple[str, dict[str, Any]]:
        now_drive, now_part = mkfs.formattable(device, roots)
        if (now_drive.id, now_part.number, now_part.size_bytes) != (drive.id, part.number, part.size_bytes):
            raise DriveInUse("another drive stands here than a moment ago", where=str(device), hint="look again")
        made = mkfs.make_file_system(now_part, label, roots)
        sentence = f"{part.device}: ext4, label {label}, UUID {made.uuid}; the kernel sees it. Mount it and plan"
        return sentence, {"device": str(part.device), "label": label, "uuid": made.uuid, "file_system": made.kind}

    others = [f"and {len(drive.parts) - 1} partitions" for _ in (1,) if part.is_whole and len(drive.parts) > 1]
    return Deed(word, word_of, (*_about(drive, part), *others, "all that is on it goes"), do)


def own_commands(device: Path, roots: Roots = SYSTEM) -> tuple[BlockDrive, CommandPlan]:
    """Return the drive that a device file names, and how its own sanitise commands would be called; nothing is run.

    Raises:
        DriveMissing: no such drive.
    """
    found = find_drive(device, read_drives(roots))
    if found is None:
        hint = '"packtrain drives" lists them'
        if device.is_dir():
            hint = f"a folder has no commands of its own; {hint} and where they are mounted"
        raise DriveMissing("no such drive", where=str(device), hint=hint)
    return found[0], plan_commands(found[0])


def _listed(drive: BlockDrive, *, with_health: bool) -> ListedDrive:
    partitions = [part for part in drive.parts if not part.is_whole]
    whole = drive.parts[0]
    parts = partitions if partitions and not whole.mounts else [whole, *partitions]
    listed = tuple(
        ListedPart(part, holding(DirectoryDrive(part.mounts[0])) if part.mounts and not drive.use else None)
        for part in parts
    )
    asked = with_health and drive.transport not in ("loop", "virtio")
    return ListedDrive(drive, listed, smart.ask_drive(drive.device) if asked else None)


def _labels(listed: ListedPart) -> set[str]:
    of_system = listed.part.file_system.label if listed.part.file_system is not None else ""
    of_ours = listed.holding.label if listed.holding is not None else ""
    return {of_system, of_ours} - {""}


def _word(drive: BlockDrive, part: Part, drives: Sequence[BlockDrive]) -> tuple[str, str]:
    """Return what a person types to confirm, and where it is read: what no neighbour has and a slip does not hit."""
    serial = drive.serial
    alike = [other for other in drives if other.serial is not None and other.serial == serial]
    if serial is not None and serial.source == "drive" and len(alike) == 1 and len(_signs(serial.text)) >= _WORD_LENGTH:
        return _signs(serial.text)[-_WORD_LENGTH:], f"the last four of the serial number {serial.text}"
    uuid = part.file_system.uuid if part.file_system is not None else ""
    if len(_signs(uuid)) >= _WORD_LENGTH:
        return _signs(uuid)[-_WORD_LENGTH:], f"the last four of the volume id {uuid}"
    return part.name, "the name of the device: it shows no serial number and holds no file system"


def _signs(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _about(drive: BlockDrive, part: Part) -> list[str]:
    serial = drive.serial.text if drive.serial is not None else "none that can be read"
    lines = [
        f"drive    {drive.model or drive.name}, {format_bytes(drive.size_bytes)}, {drive.transport}",
        f"serial   {serial}",
        f"id       {drive.id}",
    ]
    if not part.is_whole:
        lines.append(f"part     {part.name}, {format_bytes(part.size_bytes)}")
    if part.file_system is not None:
        lines.append(" ".join(filter(None, ("content ", part.file_system.kind, part.file_system.label))))
    return lines


def _part_dict(listed: ListedPart) -> dict[str, Any]:
    part = listed.part
    return {
        "name": part.name,
        "size_bytes": part.size_bytes,
        "file_system": part.file_system.kind if part.file_system is not None else None,
        "label": part.file_system.label if part.file_system is not None else "",
        "uuid": part.file_system.uuid if part.file_system is not None else "",
        "mounts": [str(point) for point in part.mounts],
        "free_bytes": part.free_bytes,
        "read_only": part.is_read_only,
        "use": part.use,
        "holds": listed.holding.to_dict() if listed.holding is not None else None,
    }


def _health_dict(health: smart.SmartReport) -> dict[str, Any]:
    return {
        "health": health.health,
        "protocol": health.protocol,
        "model": health.model,
        "serial": health.serial,
        "temperature_celsius": health.temperature_celsius,
        "power_on_hours": health.power_on_hours,
        "percentage_used": health.percentage_used,
        "num_reallocated": health.num_reallocated,
        "num_pending": health.num_pending,
        "num_uncorrectable": health.num_uncorrectable,
        "rotation_rate": health.rotation_rate,
        "shingled": health.shingled,
        "remarks": list(health.remarks),
    }
