"""The kit on its way from the drives into the voyage folder: every file held against the signed kit.json.

It lies in the clear on the first drive of each case. What is run at the site is never what lies on a drive, but a copy
of which every byte was compared first.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from packtrain import durable
from packtrain.documents.kit import Kit, KitFile
from packtrain.errors import DriveFailed, KitError
from packtrain.units import MIB
from packtrain.volume import layout
from packtrain.volume.discover import Mounted


def copy_kit(kit: Kit, mounted: Sequence[Mounted], destination: Path) -> tuple[bool, tuple[str, ...]]:
    """Copy the kit from the drives that carry it; return whether it stands in `destination`, and the damage seen.

    A file that is damaged on one drive is taken from the next that has it. `destination` is replaced at the end, when
    all files were whole; until then it is as it was.

    Raises:
        KitError: the document gives a file two contents, or the name of a folder.
        DriveFull: no space is left where `destination` lies.
    """
    _check_names(kit)
    staging = destination.with_name(destination.name + durable.TEMPORARY_SUFFIX)
    _remove(staging)
    faults: list[str] = []
    try:
        if not kit.files or not all(_copy_file(file, mounted, staging, faults) for file in kit.files):
            return False, tuple(faults)
        _remove(destination)
        staging.rename(destination)
        durable.sync_folder(destination.parent)
        durable.step("kit copied")
        return True, tuple(faults)
    finally:
        _remove(staging)


def _copy_file(file: KitFile, mounted: Sequence[Mounted], staging: Path, faults: list[str]) -> bool:
    name = layout.KIT_PREFIX + file.name
    for item in mounted:
        # Another digest in the drive's signed tag manifest is another kit, and no damage.
        if item.tag_files.get(name) != file.sha256:
            continue
        try:
            with durable.atomic_writer(staging / file.name) as target:
                reader = item.drive.open_reader(name)
                try:
                    if reader.size_bytes != file.bytes:
                        raise _Damaged("has another length than kit.json says")
                    state = hashlib.sha256()
                    buffer = memoryview(bytearray(min(MIB, max(file.bytes, 1))))
                    offset = 0
                    while offset < file.bytes and (count := reader.read_into(buffer, offset)):
                        # A drive that goes on beyond the length it named is not believed.
                        piece = buffer[: min(count, file.bytes - offset)]
                        state.update(piece)
                        target.write(piece)
                        offset += len(piece)
                    if state.hexdigest() != file.sha256:
                        raise _Damaged("differs from kit.json")
                finally:
                    reader.close()
        except DriveFailed as error:
            faults.append(f"drive {item.record.label}, {name}: {error.what}")
        else:
            return True
    return False


class _Damaged(DriveFailed):
    """The way out of a file that is not the kit's."""


def _check_names(kit: Kit) -> None:
    names = {file.name for file in kit.files}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    if len(names) != len(kit.files) or names & folders:
        raise KitError(
            "kit names a file twice, or a file as a folder",
            where="kit.json",
            found=", ".join(sorted(names & folders))[:200] or "a name twice",
            hint="ask the consignor for a kit that can be installed",
        )


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
