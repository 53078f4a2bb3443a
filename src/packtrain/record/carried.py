"""The folder that is carried as it is: which one voyage.toml names, and whether it can be one."""

from __future__ import annotations

from pathlib import Path

from packtrain.errors import SourceUnreadable, VoyageFileError
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder

_MOST_NAMED = 20


def folder_to_carry(folder: VoyageFolder) -> Path | None:
    """Return the folder that is carried as it is, or None where a data set is prepared; it need not be there.

    Raises:
        VoyageFileError: [sources] names another number of folders than one, or one that holds the voyage itself.
    """
    sources = folder.voyage_file().sources
    if sources is None or sources.form != "folder":
        return None
    where = str(folder.root / VOYAGE_FILE)
    if len(sources.paths) != 1:
        raise VoyageFileError(
            'form = "folder" carries one folder',
            where=where,
            expected="one path in [sources]",
            found=f"{len(sources.paths)} paths",
            hint="name the folder above them, or make a voyage for each",
        )
    root = folder.resolve(sources.paths[0])
    # The packing would read what it writes; and the keys of the voyage are no cargo.
    if folder.root.resolve().is_relative_to(root.resolve()):
        raise VoyageFileError(
            "the folder to carry holds the voyage folder itself",
            where=where,
            found=str(root),
            hint="keep the voyage folder elsewhere",
        )
    return root


def check_folder_to_carry(folder: VoyageFolder) -> Path | None:
    """Return the folder that is carried as it is, or None where a data set is prepared: it is there, without drives.

    Raises:
        VoyageFileError: see `folder_to_carry`; or a drive or bay lies in it.
        SourceUnreadable: it is not there, or no folder.
    """
    root = folder_to_carry(folder)
    if root is None:
        return None
    if not root.is_dir():
        raise SourceUnreadable(
            "the folder to carry is not there, or no folder",
            where=str(root),
            expected="one folder, or a link to one",
            found="a file" if root.is_file() else "a link to nothing" if root.is_symlink() else "nothing",
            hint="correct [sources] paths in voyage.toml",
        )
    drives = folder.voyage_file().drives
    named = (*drives.bays, *(path for case in drives.case for path in case.drives))
    inside = [text for text in named if folder.resolve(text).resolve().is_relative_to(root.resolve())]
    if inside:
        raise VoyageFileError(
            "a drive lies in the folder that is to be carried",
            where=str(root),
            expected="drives and bays elsewhere",
            found=", ".join(inside[:_MOST_NAMED]),
            hint="mount the drives elsewhere, or name a folder below this one in [sources]",
        )
    return root
