"""The consignee: builds the new kit beside the old one, and puts it in its place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.diligence.kit_chain import chain_of
from packtrain.documents.kit import KitFile
from packtrain.errors import KitError, KitUpdateRefused, SignatureMissing
from packtrain.events import Progress, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.stages.update.kept import documents_of
from packtrain.stages.update.opened import (
    STAGE,
    Opened,
    Told,
    check_admitted,
    check_follows,
    kit_before,
    open_update,
    operator_signature,
    signature_beside,
    told_of,
)
from packtrain.training.kit import INSTALLER
from packtrain.training.kit_held import RECORDS, newest_whole, verify_kit

_BUILDING: Final = "kit.update"
_REPLACED: Final = "kit.replaced"


def apply(folder: VoyageFolder, path: Path, sink: Sink) -> Told:
    """Bring a kit update into force; return what it changed and what comes next.

    The new kit is whole and compared beside the old one before a document changes, and the documents change before the
    folder does: in between `train` refuses the program that is there. Killed anywhere, the same command goes on.

    Where the kit in force was lost, an update that was in force before builds its kit again, from the one before it or
    from whatever of it is here, and changes no document: one after the other they lead to the kit in force.

    Args:
        folder: the consignee's voyage folder.
        path: the file of the update, the operator's signature beside it.
        sink: takes events.

    Raises:
        KitUpdateRefused: see `open_update` and `check_follows`; or a file that it does not bring is not here.
        SignatureMissing, SignatureInvalid, UntrustedSigner: the operator did not countersign.
    """
    opened = open_update(folder, path)
    number = lost_since(folder, opened)
    before = check_follows(folder, opened) if number is None else None
    signature = operator_signature(folder, opened)
    if signature is None:
        raise SignatureMissing(
            "kit update is not countersigned by the operator",
            where=str(signature_beside(path)),
            hint='the operator looks at it and signs: "packtrain update countersign"; send both files',
        )
    if number is not None:
        return _build_again(folder, opened, number, sink)
    kit = folder.work / "kit"
    if before is not None or not _is(kit, opened):
        sink(Progress(STAGE, "building the new kit beside the old one"))
        _build(folder, opened)
        if before is not None:
            durable.write_together(folder.documents, documents_of(folder, opened, signature))
        _swap(folder.work)
    _clear(folder.work)
    return told_of(folder, opened, "in force here", *_steps_next(folder, opened))


def lost_since(folder: VoyageFolder, opened: Opened) -> int | None:
    """Return the number of an update that was in force before the last, where work/kit is not the kit in force."""
    numbers = {each.update_digest: each.number for each in chain_of(folder)[1:-1]}
    number = numbers.get(opened.digest)
    return number if number is not None and _newest_here(folder) != len(numbers) + 1 else None


def _newest_here(folder: VoyageFolder) -> int | None:
    """Return the number of the newest kit of the chain that work/kit holds whole."""
    return newest_whole(folder.work / "kit", [each.kit for each in chain_of(folder)])


def _build_again(folder: VoyageFolder, opened: Opened, number: int, sink: Sink) -> Told:
    check_admitted(folder, str(opened.file.path))
    here = _newest_here(folder)
    if here is None or here < number:
        sink(Progress(STAGE, f"building the kit of update {number} again"))
        _build(folder, opened)
        _swap(folder.work)
        here = number
    _clear(folder.work)
    last = chain_of(folder)[-1].number
    return told_of(
        folder,
        opened,
        f"was in force here; in work/kit is the kit of update {here} now, and that of update {last} is in force",
        f'update {here + 1}, from its file: "packtrain update apply FILE"; until update {last} is here "packtrain '
        'train" refuses',
    )


def _build(folder: VoyageFolder, opened: Opened) -> None:
    """Make work/kit.update, whole and compared; files that did not change are those of the kit that is here."""
    building = folder.work / _BUILDING
    if _is(building, opened):
        return  # built by a run that was killed
    shutil.rmtree(building, ignore_errors=True)
    brought = {file.name for file in opened.update.files}
    for file in opened.kit.files:
        target = building / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.name in brought:
            opened.file.take(file.sha256, target)
        else:
            _link(folder, file, target)
    for name in RECORDS:
        durable.write_bytes(building / name, opened.file.documents[name])
    verify_kit(building, opened.kit)
    durable.sync_file_system(building)


def _link(folder: VoyageFolder, file: KitFile, target: Path) -> None:
    found = "is missing"
    for base in (folder.work / "kit", folder.work / _REPLACED):
        source = base / file.name
        if not source.is_file() or source.is_symlink():
            continue
        if source.stat().st_size != file.bytes or sha256_file(source) != file.sha256:
            found = "differs"
            continue
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, target)
        return
    last = chain_of(folder)[-1].number
    again = f', then "packtrain update apply" with the file of each update from 1 to {last}' if last else ""
    raise KitUpdateRefused(
        "a file that did not change is not in the kit here",
        where=str(folder.work / "kit"),
        expected="a kit that is whole",
        found=f"{file.name} {found}",
        hint=f'"packtrain load DRIVES" brings the kit that left on the drives{again}',
    )


def _swap(work: Path) -> None:
    kit, building, replaced = work / "kit", work / _BUILDING, work / _REPLACED
    if kit.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        kit.rename(replaced)
        durable.sync_folder(work)
        durable.step("kit set aside")
    building.rename(kit)
    durable.sync_folder(work)
    durable.step("kit in place")


def _clear(work: Path) -> None:
    for name in (_REPLACED, _BUILDING):
        shutil.rmtree(work / name, ignore_errors=True)


def _is(place: Path, opened: Opened) -> bool:
    """Return whether a folder is the whole new kit, its signed document beside the files."""
    try:
        verify_kit(place, opened.kit)
        return all((place / name).read_bytes() == opened.file.documents[name] for name in RECORDS)
    except (KitError, FileNotFoundError):
        return False


def _steps_next(folder: VoyageFolder, opened: Opened) -> list[str]:
    told = [f"install it anew: sh {folder.work / 'kit' / INSTALLER} FOLDER PYTHON"]
    section = folder.voyage_file().training
    before = kit_before(folder, opened)
    command = opened.kit.command
    if section is not None and section.command != command and (before is None or before.command != command):
        told.append(f"the command is another one: set [training] command = {command!r} in voyage.toml")
    told.append('"packtrain train --python FOLDER/bin/python" goes on from its newest checkpoint')
    return told
