"""The serial number of a drive, how well it is known, and whether a bridge tells the same one for every bay."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

SerialSource = Literal["drive", "bridge"]

_LONGEST: Final = 128
"""What documents hold of a serial number, in characters."""
_PRINTABLE: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
# What bridges and card readers answer when nobody gave them a number.
_NOBODYS: Final = re.compile(r"0+|default|none|unknown|n/?a|invalid|to be filled.*|0?123456789[0-9a-f]{0,7}", re.I)


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial number.

    Attributes:
        text: as it is printed on the drive, blanks at the ends cut off.
        source: "drive" if the drive itself said it; "bridge" if only the USB bridge in front of it has one: another
            drive in the same bay may show the same, and this drive another one elsewhere.
    """

    text: str
    source: SerialSource


def clean(text: str) -> str | None:
    """Return a serial number as documents hold it; None if there is none in it: blanks, controls, a placeholder."""
    trimmed = " ".join(text.replace("\0", " ").split())
    if not trimmed or len(trimmed) > _LONGEST or _PRINTABLE.fullmatch(trimmed) is None or _NOBODYS.fullmatch(trimmed):
        return None
    return trimmed


def find_serial(block: Path, usb: Path | None, udev: dict[str, str]) -> Serial | None:
    """Return a drive's serial number as sysfs and the udev database tell it.

    Args:
        block: the drive's folder in sysfs, links resolved.
        usb: the folder of the USB device it hangs on, if it does.
        udev: the drive's properties in the udev database.
    """
    bridge = clean(_read(usb / "serial")) if usb is not None else None
    # udev asks the drive itself (ata_id) also behind a bridge, and then says that it spoke ATA.
    if "ID_ATA" in udev or udev.get("ID_BUS") == "ata":
        found = clean(udev.get("ID_SERIAL_SHORT", ""))
        if found is not None:
            return Serial(found, "drive")
    candidates = (_read(block / "device" / "serial"), _read(block / "serial"), _vital_product_data(block))
    for text in candidates:
        found = clean(text)
        if found is not None and found != bridge:
            return Serial(found, "drive")
    return Serial(bridge, "bridge") if bridge is not None else None


def _vital_product_data(block: Path) -> str:
    """Return page 0x80 (unit serial number) of a SCSI device: two bytes of kind and page, two of length, the text."""
    try:
        page = (block / "device" / "vpd_pg80").read_bytes()[:4096]
    except OSError:
        return ""
    if len(page) < 4 or page[1] != 0x80:
        return ""
    length = struct.unpack_from(">H", page, 2)[0]
    return page[4 : 4 + length].decode("ascii", "replace")


def _read(path: Path) -> str:
    try:
        return path.read_bytes()[:4096].decode("ascii", "replace").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a serial number was seen.

    Attributes:
        disk, part: device numbers of the whole drive and of the part that is mounted.
        file_system: UUID of the file system, "" where it could not be read.
        location: the mount point.
    """

    disk: str
    part: str
    file_system: str
    location: str


Doubt = Literal["two drives", "two parts"]


class SerialWitness:
    """Remembers which serial number was seen where, for the length of one run.

    A multi-bay bridge that hides its drives gives its own number for each of them. The same number for two drives is
    worth nothing as an identity, so both count as unknown from then on.
    """

    def __init__(self) -> None:
        self._seen: dict[str, list[Sighting]] = {}
        self._doubted: set[str] = set()

    def is_doubted(self, serial: str) -> bool:
        """Return whether this number was seen on two drives."""
        return serial in self._doubted

    def see(self, serial: str, sighting: Sighting) -> tuple[Doubt, Sighting] | None:
        """Note a number; return what speaks against it and the earlier sighting, None if nothing does.

        "two parts" leaves the number as it is: it is one drive, mounted twice, and losing it loses both.
        """
        earlier = self._seen.setdefault(serial, [])
        for other in earlier:
            if _is_same(other, sighting):
                return None
        found: tuple[Doubt, Sighting] | None = None
        if earlier:
            twin = next((other for other in earlier if other.disk == sighting.disk), None)
            if twin is not None and twin.part != sighting.part:
                found = ("two parts", twin)
            else:
                self._doubted.add(serial)
                found = ("two drives", twin or earlier[0])
        earlier.append(sighting)
        return found


def _is_same(one: Sighting, other: Sighting) -> bool:
    """Return whether both are the same file system, also one that was unplugged and came back by another name."""
    if one.file_system and other.file_system:
        return one.file_system == other.file_system
    return one.part == other.part
