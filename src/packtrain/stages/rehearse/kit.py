"""The kit of a rehearsal: from the program and wheels that voyage.toml names to work/kit and a signed kit.json."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import rfc8785

from packtrain import __version__, durable
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.documents.kit import Kit
from packtrain.documents.voyage_file import TrainingSection
from packtrain.errors import KitError, VoyageFileError
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.training.kit import build_kit
from packtrain.training.wheels import Target


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
            hint="add [training] with program, command and wheels (docs/how-to/bring-your-own-program.md)",
        )
    return section


def kit_inputs(folder: VoyageFolder, section: TrainingSection) -> dict[str, str]:
    """Return the digests of what the kit is a function of: program, wheels, packages of the site, Python.

    Raises:
        VoyageFileError: a folder that voyage.toml names is not there, or it names no folder of wheels.
    """
    target = Target.here()
    return {
        "program": sha256_tree(_existing(folder, section.program, "program")),
        "wheels": sha256_tree(_wheels_folder(folder, section)),
        "provided": sha256_bytes(rfc8785.dumps([[name, _version_here(name)] for name in section.provided])),
        # Wheels are chosen and tried for one Python on one platform: on another, the kit is another.
        "target": sha256_bytes(f"{target.python} {target.platform}".encode()),
    }


def build(folder: VoyageFolder, section: TrainingSection) -> Kit:
    """Build work/kit, sign kit.json, put it beside the files; return it.

    Raises:
        KitError: see `build_kit`; or the wheels lack packtrain's own.
    """
    destination = folder.work / "kit"
    kit = build_kit(
        folder.resolve(section.program),
        _wheels_folder(folder, section),
        section.provided,
        section.command,
        destination,
    )
    if not any(file.name.startswith("wheels/packtrain-") for file in kit.files):
        raise KitError(
            "kit holds no wheel of packtrain, which loads the drives and starts the program at the site",
            where=str(folder.resolve(section.wheels or "")),
            expected=f"packtrain-{__version__}-py3-none-any.whl",
            hint="add it and the wheels it needs to the folder",
        )
    folder.write_signed(kit, folder.signer())
    # Beside the files, so that the folder is complete by itself wherever it is copied.
    signature = read_signature(folder.signature_path(Kit)) or b""
    durable.write_bytes(destination / "kit.json.sig", signature)
    durable.write_bytes(destination / "kit.json", folder.payload(Kit))
    return kit


def _existing(folder: VoyageFolder, text: str, name: str) -> Path:
    path = folder.resolve(text)
    if not path.is_dir():
        raise VoyageFileError(f"training.{name}: no such folder", where=str(path))
    return path


def _wheels_folder(folder: VoyageFolder, section: TrainingSection) -> Path:
    if section.wheels is None:
        raise VoyageFileError(
            "training.wheels is not given: a kit needs the wheels of all that is imported, packtrain's own included",
            where=str(folder.root / "voyage.toml"),
            hint="docs/how-to/bring-your-own-program.md says how to fetch them",
        )
    return _existing(folder, section.wheels, "wheels")


def _version_here(requirement: str) -> str:
    try:
        return version(requirement.partition("==")[0].strip())
    except (PackageNotFoundError, ValueError):
        return ""
