"""What can be erased: a whole drive, or a folder that plays one. See `stages.close` for when it may be."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from packtrain.devices.block import SYSTEM, BlockDrive, Roots, drive_at
from packtrain.devices.clear import clear_folder
from packtrain.devices.sanitise_look import DRIVE_RECORD, Header, read_folder, strangers_in
from packtrain.devices.sanitise_mark import read_mark, wipe_mark, write_mark
from packtrain.devices.sanitise_plan import plan_commands
from packtrain.devices.sanitise_read_back import head_is_blank, read_back, with_head
from packtrain.devices.sanitise_run import SAVE_BYTES, overwrite, own_step, refuse_unable, run_blkdiscard
from packtrain.devices.sanitise_target import HEAD_BYTES, attachment_of, erasable, held, look, size_of
from packtrain.documents.codec import Instant
from packtrain.documents.sanitisation import Method, ReadBack, SanitisedDevice, SanitisingStep
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing, SanitisingFailed
from packtrain.events import Progress, Sink
from packtrain.units import counted, format_bytes

STAGE: Final = "drives"
Place = tuple[int, bytes]
"""An offset on the device and the bytes that stood there."""
Outcome = tuple[tuple[SanitisingStep, ...], ReadBack | None]


class WholeDrive:
    """A whole drive that nobody uses, and what stood on it when it was looked at.

    Attributes:
        device: as documents describe it.
        record, signature: the closing record on it, None where none can be read.
        headers: beginnings of volumes, each seen on the device itself.
        mark: the run that began to erase it, None where none did.
        is_blank: its first mebibyte holds zeros.
        told: what a person should see before it goes.

    Raises:
        DriveMissing, DriveInUse, DriveFailed, SanitisingFailed: see `erasable` and `look`.
    """

    def __init__(self, path: Path, now: Callable[[], Instant], roots: Roots = SYSTEM, save_bytes: int = SAVE_BYTES):
        drive = erasable(path, roots)
        self._drive, self._now, self._save_bytes = drive, now, save_bytes
        with held(drive.device, drive.number) as descriptor:
            self.mark = read_mark(descriptor)
            self.is_blank = head_is_blank(descriptor)
            self._attachment = attachment_of(descriptor)
        found = look(drive)[0] if self.mark is None and not self.is_blank else None
        self.record = found.record if found is not None else None
        self.signature = found.signature if found is not None else None
        self.headers: tuple[Place, ...] = tuple((one.offset, one.content) for one in found.headers) if found else ()
        says_zeros = plan_commands(drive).says_zeros
        serial = drive.serial.text if drive.serial is not None and drive.serial.source == "drive" else None
        self.device = SanitisedDevice(
            id=drive.id,
            model=drive.model,
            serial=serial,
            size_bytes=drive.size_bytes,
            transport=drive.transport,
            is_rotational=drive.is_rotational,
            says_zeros=says_zeros,
        )
        self.told: tuple[str, ...] = tuple(_about(drive))

    def refuse_unable(self, method: Method) -> None:
        """Refuse a method that this device does not take; SanitisingFailed. Nothing was written then."""
        if method == "files removed":
            raise SanitisingFailed("a drive is erased, not emptied", where=self.device.id)
        refuse_unable(self._drive.device, self._drive.name, method)

    def erase(
        self,
        nonce: str,
        method: Method,
        how: Literal["sample", "full"],
        headers: Sequence[Place],
        done_bytes: int,
        save: Callable[[int], None],
        head_goes: Callable[[], None],
        sink: Sink,
    ) -> Outcome:
        """Erase the drive and read it back; return what ran and what was seen.

        The head goes last: a drive that is not finished, or is not empty, keeps the mark of the run.

        Args:
            nonce: of the run; its mark is set first.
            method: how.
            how: what is read back.
            headers: what stood where before the first write, also of a run that was cut off.
            done_bytes: up to where a run that was cut off has overwritten.
            save: is told how far this one is.
            head_goes: is called before the mark goes: a blank device is taken for this one from then on alone.
            sink: takes progress.
        """
        drive = self._drive
        wanted = [Header(offset, content) for offset, content in headers]

        def telling(activity: str) -> Callable[[int, int], None]:
            return lambda done, total: sink(Progress(STAGE, activity, done_bytes=done, total_bytes=total))

        with held(drive.device, drive.number) as descriptor:
            size_bytes = size_of(descriptor)
            # While a person read what will go, the drive may have been pulled and another taken its name.
            if size_bytes != self.device.size_bytes or attachment_of(descriptor) != self._attachment:
                raise DriveInUse(
                    "another drive stands here than the one that was looked at",
                    where=str(drive.device),
                    hint="nothing was written to it; look again",
                )
            write_mark(descriptor, nonce)
            save(done_bytes)
        told = telling(f"{method} of {drive.name}")
        if method == "overwrite":
            with held(drive.device, drive.number) as descriptor:
                start = max(done_bytes, HEAD_BYTES)
                step = overwrite(descriptor, size_bytes, start, told, save, self._now, self._save_bytes)
        else:
            step = run_blkdiscard(drive.device, method, size_bytes, told, self._now)
        with held(drive.device, drive.number) as descriptor:
            if read_mark(descriptor) != nonce:
                raise DriveFailed(
                    "the mark of this run is not on the device any more",
                    where=str(drive.device),
                    hint="it was swapped, or another program wrote to it: look at it before anything else",
                )
            seed = secrets.token_hex(16)
            read = read_back(descriptor, size_bytes, seed, how, wanted, telling(f"reading back {drive.name}"))
            if not step.succeeded or not read.is_empty:
                return (step,), read
            started = self._now()
            head_goes()
            wipe_mark(descriptor)
            read = with_head(descriptor, read, wanted)
            detail = f"zeros over bytes 0 to {HEAD_BYTES}, in the place of the mark that this run had set there"
            return (step, own_step(detail, started, self._now())), read


class PlayedDrive:
    """A folder that plays a drive: its files are removed, and nothing of that is called sanitised.

    Raises:
        DriveMissing: it is no folder.
        DriveInUse: a drive is mounted there.
        SanitisingFailed: other things lie in it than those of a drive.
    """

    def __init__(self, path: Path, now: Callable[[], Instant], roots: Roots = SYSTEM) -> None:
        if not path.is_dir():
            raise DriveMissing("no such drive", where=str(path), expected="a block device, or a folder that plays one")
        if (found := drive_at(path, roots)) is not None:
            raise DriveInUse(
                "a drive is mounted here: it is erased whole, by its device",
                where=str(path),
                hint=f"umount {path}, then name {found.drive.id}",
            )
        self._path, self._now = path.absolute(), now
        # Of a folder all goes that lies in it, hidden files too.
        if strangers := strangers_in(path, with_hidden=True):
            raise SanitisingFailed(
                "other things lie in this folder than those of a drive",
                where=str(path),
                found=", ".join(strangers),
                hint="move them away first: all files below it go",
            )
        found_on = read_folder(path)
        self.record = found_on.record if found_on is not None else None
        self.signature = found_on.signature if found_on is not None else None
        self.headers: tuple[Place, ...] = ()
        self.mark: str | None = None
        self.is_blank = found_on is None
        self.device = SanitisedDevice(
            id=str(self._path),
            model="a folder that plays a drive",
            serial=None,
            size_bytes=0,
            transport="folder",
            is_rotational=False,
            says_zeros="",
        )
        self.told: tuple[str, ...] = (f"folder   {self._path}", "its files are removed, not overwritten")

    def refuse_unable(self, method: Method) -> None:
        """Refuse every method but the removal of files."""
        if method != "files removed":
            raise SanitisingFailed("a folder is not a device: only its files can go", where=str(self._path))

    def erase(
        self,
        nonce: str,
        method: Method,
        how: Literal["sample", "full"],
        headers: Sequence[Place],
        done_bytes: int,
        save: Callable[[int], None],
        head_goes: Callable[[], None],
        sink: Sink,
    ) -> Outcome:
        """Remove all files below the folder, its closing record last; see `WholeDrive.erase`."""
        del nonce, method, how, headers
        save(done_bytes)
        head_goes()
        started = self._now()
        count = clear_folder(
            self._path,
            (f"{DRIVE_RECORD}.sig", DRIVE_RECORD),
            lambda done: sink(Progress(STAGE, f"emptying {self._path}", done_items=done, unit="files")),
        )
        return (own_step(f"{counted(count, 'file')} removed, not overwritten", started, self._now()),), None


def _about(drive: BlockDrive) -> list[str]:
    serial = drive.serial.text if drive.serial is not None else "none that can be read"
    source = " (of the bridge)" if drive.serial is not None and drive.serial.source == "bridge" else ""
    lines = [
        f"device   {drive.device}: {drive.model or drive.name}, {format_bytes(drive.size_bytes)}, {drive.transport}",
        f"serial   {serial}{source}",
        f"id       {drive.id}",
    ]
    for part in drive.parts:
        if part.file_system is not None:
            lines.append(f"on it    {part.name}: {part.file_system.kind} {part.file_system.label}".rstrip())
    return lines
