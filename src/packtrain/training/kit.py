"""The kit: a training program and its environment, installable with no network by `sh install.sh`.

```
install.sh link_provided.py check_installed.py
                                 what runs at the site (sh and the standard library)
README.txt                       what the site must have, and what is absent
target.txt                       "3.11 linux_x86_64", and the glibc that the wheels need: "2.28"
bom.cdx.json                     every package with its digest and licence (CycloneDX)
interpreter.tar.gz               the interpreter, where one travels
requirements.txt                 name==version --hash=sha256:…, exactly the wheels there
provided.txt                     name==version of the packages that the site provides
SHA256SUMS                       of all other files, for `sha256sum -c`
program/…                        the user's program, as it is
wheels/*.whl
```
Two kits built from the same files are the same, byte for byte: nothing in them tells when or where they were built.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.documents.kit import Kit, KitFile, Provided
from packtrain.errors import KitError
from packtrain.training import bom
from packtrain.training import kit_texts as texts_of
from packtrain.training import wheels as wheelhouse
from packtrain.training.command import split_command
from packtrain.training.interpreter import NAME as INTERPRETER
from packtrain.training.interpreter import packed_interpreter
from packtrain.training.kit_contents import refuse_secrets
from packtrain.training.kit_held import PROGRAM, SUMS
from packtrain.training.kit_install import link_provided
from packtrain.training.target import Target, glibc_needed
from packtrain.training.wheels import Wheel
from packtrain.units import MIB

INSTALLER: Final = "install.sh"
WHEELS: Final = "wheels"

_NAME: Final = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+][A-Za-z0-9_+.-]*){0,13}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a wheel comes from: what vouches for its bytes, and what it was built from here (or an empty text)."""

    vouched_by: str
    built_from: str = ""


@dataclass(frozen=True, slots=True)
class KitParts:
    """What a kit is put together from.

    Attributes:
        program: folder of the program; caches and names that begin with a dot stay behind.
        command: the training command; its first word is a script of the program.
        wheels: the wheels of its environment, packtrain's own among them; each fits the target.
        provided: name -> version of what the site has already.
        target: what the kit is for.
        origins: canonical name -> where the wheel comes from; one that is not named came from a folder of wheels.
        interpreter: a .tar.gz or a folder of an interpreter that can be moved, or None.
        lock_sha256: digest of uv.lock, or None.
    """

    program: Path
    command: str
    wheels: tuple[Wheel, ...]
    provided: Mapping[str, str]
    target: Target
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    interpreter: Path | None = None
    lock_sha256: str | None = None


def build_kit(
    program_folder: Path,
    wheels_folder: Path,
    provided: Sequence[str],
    command: str,
    destination: Path,
    target: Target | None = None,
    interpreter: Path | None = None,
) -> Kit:
    """Build a kit from a folder of wheels and return its document; `destination` is replaced at the end.

    Args:
        program_folder: see `KitParts`.
        wheels_folder: the wheels of its environment, packtrain's own among them.
        provided: packages that the site has already: "torch==2.13.0"; without a version, the one installed here.
        command: see `KitParts`.
        destination: the kit's folder.
        target: what the kit is for; the running interpreter's if None.
        interpreter: see `KitParts`.

    Raises:
        KitError: a wheel does not fit, a dependency is missing, a provided package is not here in that version, the
            script is not in the program, or a file name cannot be carried.
        MissingDependency: the extra `kit` is not installed.
        DriveFull: no space is left.
    """
    target = target or Target.here()
    wheels = wheelhouse.read_wheels(wheels_folder, target)
    pins = pin_provided(provided)
    carried = {wheel.name for wheel in wheels}
    wheelhouse.check_requirements(wheels, _known_provided(pins, carried - pins.keys(), target), target)
    return assemble(KitParts(program_folder, command, wheels, pins, target, interpreter=interpreter), destination)


def assemble(parts: KitParts, destination: Path) -> Kit:
    """Put a kit together and return its document; `destination` is replaced at the end.

    Raises:
        KitError: a package is both carried and provided, the script is not in the program, a file name cannot be
            carried, or a file holds a secret.
        DriveFull: no space is left.
    """
    program = dict(_program_files(parts.program))
    refuse_secrets(program)
    _check_script(parts.command, program, parts.program)
    if both := sorted({wheel.name for wheel in parts.wheels} & parts.provided.keys()):
        raise KitError(
            "package is among the wheels and provided by the site", where=", ".join(both), hint="choose one of the two"
        )
    building = destination.with_name(destination.name + durable.TEMPORARY_SUFFIX)
    shutil.rmtree(building, ignore_errors=True)
    files: dict[str, KitFile] = {}
    for relative, source in program.items():
        _carry(source, building, f"{PROGRAM}/{relative}", files)
    for wheel in parts.wheels:
        _carry(wheel.path, building, f"{WHEELS}/{wheel.path.name}", files)
    if parts.interpreter is not None:
        with packed_interpreter(parts.interpreter, destination.parent) as archive:
            _carry(archive, building, INTERPRETER, files)
    listed = {wheel.name: files[f"{WHEELS}/{wheel.path.name}"] for wheel in parts.wheels}
    glibc = glibc_needed(wheel.platforms for wheel in parts.wheels)
    texts = {
        "target.txt": texts_of.target_line(parts.target, glibc),
        "provided.txt": texts_of.pins(parts.provided),
        "requirements.txt": texts_of.requirements(parts.wheels, {name: file.sha256 for name, file in listed.items()}),
        "README.txt": texts_of.readme(
            parts.target, glibc, parts.provided, has_interpreter=INTERPRETER in files, has_uv="uv" in listed
        ),
        bom.NAME: _bill(parts, glibc, files).decode("utf-8"),
        **{name: _installer(name) for name in (INSTALLER, "link_provided.py", "check_installed.py")},
    }
    for name, text in texts.items():
        _write(text, building, name, files)
    _write("".join(f"{file.sha256}  {name}\n" for name, file in sorted(files.items())), building, SUMS, files)

    shutil.rmtree(destination, ignore_errors=True)
    building.replace(destination)
    durable.sync_folder(destination.parent)
    return Kit(
        target_python=parts.target.python,
        target_platform=parts.target.platform,
        program=sha256_tree(destination / PROGRAM),
        command=parts.command,
        files=tuple(file for _, file in sorted(files.items())),
        provided=tuple(Provided(name=name, version=version) for name, version in sorted(parts.provided.items())),
    )


def _bill(parts: KitParts, glibc: str, files: Mapping[str, KitFile]) -> bytes:
    listed: list[bom.Listed] = []
    for wheel in parts.wheels:
        file = files[f"{WHEELS}/{wheel.path.name}"]
        origin = parts.origins.get(wheel.name, Origin("a folder of wheels, and no lock"))
        listed.append(bom.Listed(wheel, file.sha256, file.bytes, origin.vouched_by, origin.built_from))
    return bom.bill_of_materials(
        bom.Contents(
            target=parts.target,
            glibc=glibc,
            program_sha256=sha256_tree(parts.program),
            wheels=tuple(listed),
            provided=parts.provided,
            interpreter_sha256=files[INTERPRETER].sha256 if INTERPRETER in files else None,
            lock_sha256=parts.lock_sha256,
        )
    )


def _program_files(folder: Path) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        raise KitError("program folder is not there", where=str(folder), hint="see [training] program in voyage.toml")
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        # The same rule as digest.sha256_tree, so that the program's digest is that of what is carried.
        if any(part == "__pycache__" or part.startswith(".") for part in relative.parts):
            continue
        if path.is_symlink():
            raise KitError("program holds a link, which a kit cannot carry", where=str(path), hint="put a copy there")
        if path.is_file():
            yield relative.as_posix(), path


def _check_script(command: str, program: Mapping[str, Path], folder: Path) -> None:
    words = split_command(command)
    if words[0] == "-m":
        return
    if PurePosixPath(words[0]).as_posix() not in program:
        raise KitError(
            "training command does not begin with a script of the program",
            where=str(folder),
            expected="a .py file of this folder, or -m MODULE",
            found=words[0],
            hint='write it as you would after "python": command = "train.py --data {data} …"',
        )


def pin_provided(provided: Sequence[str]) -> dict[str, str]:
    """Return name -> version of packages that the site provides; one without a version gets the one installed here.

    Raises:
        KitError: a text is not well formed, or names a package without a version that is not here.
    """
    pins: dict[str, str] = {}
    for text in provided:
        found = link_provided.read_pins(text)
        if not found and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text.strip()):
            name = link_provided.canonical(text.strip())
            here = _provided_here({name: None}, ())[name]
            # The build for this machine ("+cpu") says nothing about the site's.
            found = {name: here.partition("+")[0]}
        if not found or len(text.split()) != 1:
            raise KitError(
                "provided package is not well formed",
                where="[training] provided",
                expected='"torch==2.13.0" or "torch"',
                found=shlex.quote(text),
            )
        pins |= found
    return pins


def _provided_here(pins: Mapping[str, str | None], carried: Iterable[str]) -> dict[str, str]:
    try:
        found = link_provided.closure(pins, carried)
    except link_provided.ProvidedMismatch as error:
        raise KitError(
            "package that the site is to provide is not here to rehearse with",
            where=error.package,
            expected=error.expected,
            found=error.found,
            hint="install it where packtrain runs; or put its wheel into the kit and take it out of provided",
        ) from error
    return {name: distribution.version for name, distribution in found.items()}


def _known_provided(pins: Mapping[str, str], carried: Iterable[str], target: Target) -> Mapping[str, str]:
    """Return the versions of what the site provides and of all that brings along, as far as this Python can tell."""
    if target == Target.here():
        return _provided_here(pins, carried)
    try:
        return {**_provided_here(pins, carried), **pins}
    except KitError:
        return pins  # they are of another Python: what they bring along shows when the kit is installed


def _carry(source: Path, kit: Path, name: str, files: dict[str, KitFile]) -> None:
    if _NAME.fullmatch(name) is None:
        raise KitError(
            "file name cannot be carried in a kit",
            where=str(source),
            expected="letters, digits, and . _ + -, not beginning with . or -, at most 14 levels",
            hint="rename the file, or move it out of the program's folder",
        )
    state = hashlib.sha256()
    total_bytes = 0
    with source.open("rb") as stream, durable.atomic_writer(kit / name) as target:
        while piece := stream.read(MIB):
            state.update(piece)
            target.write(piece)
            total_bytes += len(piece)
    files[name] = KitFile(name=name, bytes=total_bytes, sha256=state.hexdigest())


def _write(text: str, kit: Path, name: str, files: dict[str, KitFile]) -> None:
    payload = text.encode("utf-8")
    durable.write_bytes(kit / name, payload)
    files[name] = KitFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload))


def _installer(name: str) -> str:
    return resources.files(link_provided.__package__ or "").joinpath(name).read_text(encoding="utf-8")
