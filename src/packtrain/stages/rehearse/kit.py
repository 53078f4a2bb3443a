"""The kit of a rehearsal: from the program and its lock, or a folder of wheels, to work/kit and a signed kit.json."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import __version__, durable
from packtrain.digest import sha256_bytes, sha256_file, sha256_tree
from packtrain.diligence.kit_chain import keep_lawful_kit
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Ready
from packtrain.documents.voyage_file import TrainingSection
from packtrain.errors import KitError, VoyageFileError
from packtrain.events import Sink, discard
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.training.kit import build_kit
from packtrain.training.kit_lock.locked_kit import (
    LockedKit,
    build_locked_kit,
    check_folder,
    folders_of,
    groups_with,
    packages_of,
)
from packtrain.training.target import Target, glibc_here

LOCK: Final = "uv.lock"
CACHE: Final = "wheels"
_PROBE: Final = (
    'import sys, sysconfig;print("%d.%d" % sys.version_info[:2], sysconfig.get_platform().replace("-", "_"))'
)


@dataclass(frozen=True, slots=True)
class KitOptions:
    """How a kit is built this time.

    Attributes:
        wheelhouses: folders to look for wheels in before anything is fetched.
        is_offline: fetch nothing.
        python: an interpreter of the target, to build from source with; found on PATH if None.
    """

    wheelhouses: tuple[Path, ...] = ()
    is_offline: bool = False
    python: Path | None = None


def section_of(folder: VoyageFolder) -> TrainingSection:
    """Return [training] of voyage.toml.

    Raises:
        VoyageFileError: there is none.
    """
    section = folder.voyage_file().training
    if section is None:
        raise VoyageFileError(
            "there is no [training], so there is nothing to rehearse",
            where=str(folder.root / "voyage.toml"),
            expected="program and command",
            hint="add [training] with program and command (docs/how-to/bring-your-own-program.md)",
        )
    return section


def target_of(section: TrainingSection) -> Target:
    """Return the Python and platform that the kit is for.

    Raises:
        VoyageFileError: they are not well formed.
    """
    return Target.named(section.python, section.platform)


def kit_inputs(folder: VoyageFolder, section: TrainingSection) -> dict[str, str]:
    """Return the digests of what the kit is a function of: program, lock or wheels, packages of the site, target.

    Raises:
        VoyageFileError: a folder or file that voyage.toml names is not there, or it names neither lock nor wheels.
        LockUnreadable: the lock cannot be read.
    """
    target = target_of(section)
    lock = _lock(folder, section)
    found = {
        "program": sha256_tree(_existing(folder, section.program, "program")),
        # Wheels are chosen and tried for one Python on one platform: on another, the kit is another.
        "target": sha256_bytes(f"{target.python} {target.platform}".encode()),
    }
    provided = [[name, "" if lock is not None else _version_here(name)] for name in section.provided]
    found["provided"] = sha256_bytes(rfc8785.dumps(provided))
    if section.wheels is not None:
        found["wheels"] = sha256_tree(_existing(folder, section.wheels, "wheels"))
    elif lock is None:
        raise _neither(folder)
    if lock is not None:
        chosen = [sorted(section.extras), sorted(section.groups), [sha256_tree(one) for one in folders_of(lock)]]
        found["lock"] = sha256_bytes(sha256_file(lock).encode() + rfc8785.dumps(chosen))
    if section.interpreter is not None:
        path = folder.resolve(section.interpreter)
        found["interpreter"] = sha256_tree(path) if path.is_dir() else sha256_file(_existing_file(path, "interpreter"))
    return found


def build(
    folder: VoyageFolder,
    section: TrainingSection,
    sink: Sink = discard,
    options: KitOptions | None = None,
) -> Kit:
    """Build work/kit, sign kit.json, put it beside the files; return it. A ready sheet of another kit is removed.

    The kit that left with the drives is kept: an update begins with it.

    Raises:
        KitError: see `build_kit`; or the wheels lack packtrain's own.
        LockUnreadable: the lock cannot be read, or has no answer for the target.
        WheelUnavailable: a wheel cannot be fetched or built.
    """
    options = options or KitOptions()
    destination = folder.work / "kit"
    target, lock = target_of(section), _lock(folder, section)
    program = _existing(folder, section.program, "program")
    interpreter = folder.resolve(section.interpreter) if section.interpreter else None
    if section.wheels is None and lock is None:
        raise _neither(folder)
    locked = LockedKit(
        program=program,
        command=section.command,
        lock=lock or Path(),
        extras=section.extras,
        groups=section.groups,
        provided=section.provided,
        target=target,
        interpreter=interpreter,
    )
    keep_lawful_kit(folder)
    if section.wheels is not None:
        wheels = _existing(folder, section.wheels, "wheels")
        if not any(wheels.glob("packtrain-*.whl")):
            raise _refuse_without_packtrain(folder, section)
        if lock is not None:
            check_folder(locked, wheels)
        kit = build_kit(program, wheels, section.provided, section.command, destination, target, interpreter)
    else:
        # Before anything is fetched: the wheels of a program may be gigabytes.
        if "packtrain" not in packages_of(locked):
            raise _refuse_without_packtrain(folder, section, groups_with(locked, "packtrain"))
        python = options.python or python_of(target) or Path(sys.executable)
        kit = build_locked_kit(
            locked,
            destination,
            cache=folder.work / CACHE,
            wheelhouses=options.wheelhouses,
            is_offline=options.is_offline,
            python=python,
            sink=sink,
        )
    if folder.has(Ready) and not (folder.has(Kit) and folder.read(Kit) == kit):
        # Its first words are the digest of a kit that is no more.
        for path in (folder.signature_path(Ready), folder.document_path(Ready)):
            path.unlink(missing_ok=True)
    folder.write_signed(kit, folder.signer())
    # Beside the files, so that the folder is complete by itself wherever it is copied.
    signature = read_signature(folder.signature_path(Kit)) or b""
    durable.write_bytes(destination / "kit.json.sig", signature)
    durable.write_bytes(destination / "kit.json", folder.payload(Kit))
    return kit


def python_of(target: Target) -> Path | None:
    """Return an interpreter of this machine that is the target's: the running one, or one on PATH; None without one."""
    if target.python == Target.here().python:
        return Path(sys.executable)
    for folder in os.get_exec_path():
        path = Path(folder) / f"python{target.python}"
        # Version managers put a file of that name there whether or not there is such a Python.
        if path.is_file() and _probed(path) == f"{target.python} {Target.here().system_platform}":
            return path
    return None


def cannot_run_here(folder: VoyageFolder, section: TrainingSection, python: Path | None) -> str | None:
    """Return why the kit cannot be tried on this machine, or None where it can.

    Args:
        folder: whose kit it is.
        section: its [training].
        python: the interpreter that was named, or None.
    """
    target, here = target_of(section), Target.here()
    if target.system_platform != here.system_platform:
        return f"the kit is for {target.system_platform}, and this machine is {here.system_platform}"
    words = (folder.work / "kit" / "target.txt").read_text(encoding="utf-8").split()
    needed = words[2] if len(words) > 2 else ""
    if needed and (glibc := glibc_here()) and _numbers(glibc) < _numbers(needed):
        return f"its wheels need glibc {needed}, and this machine has {glibc}"
    if python is None:
        if section.interpreter is None and python_of(target) is None:
            return f"the kit is for Python {target.python}, and none is on PATH here: name one with --python"
        return None
    found = _probed(python)
    if found != f"{target.python} {target.system_platform}":
        return f"the kit is for Python {target.python} on {target.system_platform}, and {python} is {found}"
    return None


def _probed(python: Path) -> str:
    try:
        done = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "no interpreter that runs"
    return done.stdout.strip()[:80] or "no interpreter that runs"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:2] if part.isdigit()]


def _refuse_without_packtrain(folder: VoyageFolder, section: TrainingSection, groups: Sequence[str] = ()) -> KitError:
    program = folder.resolve(section.program)
    name = f"packtrain-{__version__}-py3-none-any.whl"
    how = f"add it and the wheels it needs to the folder {section.wheels}"
    if groups:
        how = f'the lock has it in the group "{groups[0]}": put groups = ["{groups[0]}"] under [training]'
    elif section.wheels is None:
        how = (
            f'in a checkout of packtrain run "uv build --wheel --out-dir {program.parent}"; then '
            f"run \"uv add --project {program} --group site 'packtrain[kit] @ {program.parent / name}'\" and put "
            'groups = ["site"] under [training]'
        )
    return KitError(
        "kit holds no wheel of packtrain, which loads the drives and starts the program at the site",
        where=str(folder.resolve(section.wheels) if section.wheels else program / LOCK),
        expected=name,
        hint=how,
    )


def _lock(folder: VoyageFolder, section: TrainingSection) -> Path | None:
    if section.lock is not None:
        return _existing_file(folder.resolve(section.lock), "lock")
    own = folder.resolve(section.program) / LOCK
    return own if own.is_file() else None


def _existing(folder: VoyageFolder, text: str, name: str) -> Path:
    path = folder.resolve(text)
    if not path.is_dir():
        raise VoyageFileError(f"training.{name}: no such folder", where=str(path))
    return path


def _existing_file(path: Path, name: str) -> Path:
    if not path.is_file():
        raise VoyageFileError(f"training.{name}: no such file", where=str(path))
    return path


def _neither(folder: VoyageFolder) -> VoyageFileError:
    return VoyageFileError(
        "training.wheels is not given and the program has no uv.lock: a kit needs the wheels of all that is imported, "
        "packtrain's own included",
        where=str(folder.root / "voyage.toml"),
        hint='run "uv lock" in the program\'s folder; docs/how-to/bring-your-own-program.md says more',
    )


def _version_here(requirement: str) -> str:
    try:
        return version(requirement.partition("==")[0].strip())
    except (PackageNotFoundError, ValueError):
        return ""
