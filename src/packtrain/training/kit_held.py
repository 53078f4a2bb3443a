"""A kit's folder held against its signed document: by a look, by one file, or byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_file, sha256_listed, sha256_tree
from packtrain.documents.kit import Kit, KitFile
from packtrain.errors import KitError

PROGRAM: Final = "program"
SUMS: Final = "SHA256SUMS"
RECORDS: Final = frozenset({"kit.json", "kit.json.sig"})
"""Files that may lie in a kit's folder without being named by kit.json."""


def names_its_program(kit: Kit) -> bool:
    """Return whether the program that a kit names by its digest, as `train` knows it, is the one among its files."""
    head = f"{PROGRAM}/"
    listed = ((file.name.removeprefix(head), file.sha256) for file in kit.files if file.name.startswith(head))
    return sha256_listed(listed) == kit.program


def holds_kit(folder: Path, kit: Kit) -> bool:
    """Return whether every file of the kit is there with its length; no file is opened."""
    try:
        return all((folder / file.name).stat().st_size == file.bytes for file in kit.files)
    except OSError:
        return False


def is_other_kit(folder: Path, kit: Kit) -> bool:
    """Return whether a folder holds another kit, by its list of digests, which names every file; one file is read.

    False where it, or the document, has no such list: then nothing is known.
    """
    listed = next((file for file in kit.files if file.name == SUMS), None)
    try:
        return listed is not None and sha256_file(folder / SUMS) != listed.sha256
    except OSError:
        return False


def looks_like_kit(folder: Path, kit: Kit) -> bool:
    """Return whether nothing speaks against a folder being the kit, as far as lengths and one small file tell."""
    return holds_kit(folder, kit) and not is_other_kit(folder, kit)


def is_whole_kit(folder: Path, kit: Kit) -> bool:
    """Return whether a folder holds every file of the kit, byte for byte, and a program that is exactly the kit's.

    What lies beside them is passed over, unlike in `verify_kit`: a program that ran leaves its caches there.
    """
    try:
        # The look first: most kits of one shipment are told apart by it.
        is_equal = looks_like_kit(folder, kit) and all(_is_file(folder / file.name, file) for file in kit.files)
    except OSError:
        return False
    return is_equal and sha256_tree(folder / PROGRAM) == kit.program


def newest_whole(folder: Path, kits: Sequence[Kit | None]) -> int | None:
    """Return the place in `kits` of the last one that a folder holds whole; None where it holds none of them."""
    return next(
        (number for number, kit in reversed(tuple(enumerate(kits))) if kit is not None and is_whole_kit(folder, kit)),
        None,
    )


def verify_kit(folder: Path, kit: Kit) -> None:
    """Check that a folder holds exactly the kit's files, byte for byte. All differences are named in one message.

    Raises:
        KitError: a file is missing, differs, is a link, or does not belong to the kit.
    """
    expected = {file.name: file for file in kit.files}
    faults: list[str] = [] if names_its_program(kit) else ["it names another program than the one in it"]
    for name, file in expected.items():
        path = folder / name
        if any(part.is_symlink() for part in (path, *path.parents) if part != folder and folder in part.parents):
            faults.append(f"{name} is a link")
        elif not path.is_file():
            faults.append(f"{name} is missing")
        elif not _is_file(path, file):
            faults.append(f"{name} differs")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name not in expected and name not in RECORDS:
            faults.append(f"{name} does not belong to it")
    if faults:
        raise KitError(
            f"kit differs from its signed document in {len(faults)} files: {'; '.join(faults[:8])}",
            where=str(folder),
            hint='take it from another drive; at home "packtrain rehearse" builds it again',
        )


def _is_file(path: Path, file: KitFile) -> bool:
    """Return whether a file has the length and the bytes of the kit's.

    Raises:
        OSError: it cannot be read.
    """
    return path.stat().st_size == file.bytes and sha256_file(path) == file.sha256
