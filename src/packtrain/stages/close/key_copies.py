"""Every copy of a key of the shipment in a voyage folder: below keys/, in dossiers there, in what a crash left.

Nothing is looked for outside of the folder: `NOT_REACHED` says so in the signed record.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.dossier import STAGING
from packtrain.record import keys
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder

_JOURNAL: Final = "keys-being-destroyed.json"
_NAMES: Final = frozenset({keys.CONSIGNOR_ENVELOPE, keys.SITE_ENVELOPE, keys.RELEASE})
_MOST_INFO_BYTES: Final = 64 * 1024
NOT_REACHED: Final = (
    "copies outside of this voyage folder: dossiers that were sent or lie elsewhere, backups, snapshots of the file "
    "system, other parties' folders",
    "old cells of flash and of file systems that copy on write: a key file was overwritten in place and removed, and "
    "they may keep what stood there before",
    "the key that opens an envelope (keys/identity.txt, an SSH key, a passphrase): it stays with this party, and opens "
    "any copy of an envelope that is left",
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an earlier run began to destroy: names, and digests by which copies are found under other names."""

    names: frozenset[str]
    digests: frozenset[str]


def find(folder: VoyageFolder, shipment: str, digests: Collection[str] = ()) -> dict[str, str]:
    """Return name -> SHA-256 of every copy of an envelope in this folder.

    Below keys/ the name is enough; in what an import left and in a dossier of this shipment too. Elsewhere only the
    very bytes count: a file of that name may belong to another shipment. Links and other voyage folders are not
    entered.

    Args:
        folder: the voyage folder.
        shipment: its UUID.
        digests: of envelopes that were here before.
    """
    known = {sha256_bytes(path.read_bytes()) for path in _in_keys(folder)} | set(digests)
    found: dict[str, str] = {}
    for path in _small_files(folder.root):
        by_name = path.name.removesuffix(durable.TEMPORARY_SUFFIX) in _NAMES and _is_place_of_keys(
            folder, path, shipment
        )
        if not by_name and not known:
            continue
        try:
            with path.open("rb") as stream:
                digest = sha256_bytes(stream.read(keys.MAX_ENVELOPE_BYTES + 1))
        except OSError:
            continue
        if by_name or digest in known:
            found[_name(folder, path)] = digest
    return found


def remember(folder: VoyageFolder, names: Collection[str], digests: Collection[str]) -> None:
    """Write down what is about to be destroyed: a crash in the middle must not make the closing record forget one."""
    document = {"names": sorted(names), "digests": sorted(digests)}
    durable.write_bytes(folder.work / _JOURNAL, json.dumps(document).encode())


def remembered(folder: VoyageFolder) -> Remembered:
    """Return what a run that was cut off has written down."""
    path = folder.work / _JOURNAL
    if not path.is_file():
        return Remembered(frozenset(), frozenset())
    document = cast("dict[str, list[str]]", json.loads(path.read_bytes()))
    return Remembered(frozenset(document["names"]), frozenset(document["digests"]))


def forget(folder: VoyageFolder) -> None:
    """Take the note away: what it names is in the closing record."""
    (folder.work / _JOURNAL).unlink(missing_ok=True)


def destroy(folder: VoyageFolder, name: str) -> None:
    """Overwrite and remove one copy that `find` named."""
    keys.destroy(folder.keys / name if "/" not in name else folder.root / name)


def _in_keys(folder: VoyageFolder) -> list[Path]:
    return [path for name in sorted(_NAMES) if (path := folder.keys / name).is_file() and not path.is_symlink()]


def _is_place_of_keys(folder: VoyageFolder, path: Path, shipment: str) -> bool:
    if path.parent == folder.keys or path.is_relative_to(folder.work / STAGING):
        return True
    try:
        with (path.parent.parent.parent / "bag-info.txt").open("rb") as stream:
            info = stream.read(_MOST_INFO_BYTES)
    except OSError:
        return False
    return path.parent.name == "keys" and f"Packtrain-Shipment: {shipment} ".encode() in info


def _name(folder: VoyageFolder, path: Path) -> str:
    if path.parent == folder.keys:
        return path.name
    name = path.relative_to(folder.root).as_posix()
    return name if "/" in name else f"./{name}"


def _small_files(root: Path) -> Iterator[Path]:
    """Yield every regular file that is no longer than an envelope; what cannot be listed is passed over."""
    stack = [root]
    while stack:
        place = stack.pop()
        try:
            with os.scandir(place) as members:
                below = list(members)
        except OSError:
            continue
        if place != root and any(member.name == VOYAGE_FILE for member in below):
            continue
        for member in below:
            if member.is_dir(follow_symlinks=False):
                stack.append(Path(member.path))
                continue
            try:
                status = member.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= keys.MAX_ENVELOPE_BYTES:
                yield Path(member.path)
