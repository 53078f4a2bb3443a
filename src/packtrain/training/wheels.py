"""The wheels of a kit: each fits the target, each project once, and everything they need is there.

A wheel for another Python or platform, or a missing dependency, installs without a word at home where the right one is
at hand, and fails at the site where nothing is: so both are looked for when the kit is built.
"""

from __future__ import annotations

import email.parser
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packtrain.errors import KitError
from packtrain.training.target import Target, no_packaging

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = ["Target", "Wheel", "check_requirements", "needs_of", "read_wheels", "wheels_at"]

MAX_METADATA_BYTES: Final = 4 << 20
_MAX_LICENCE_CHARACTERS: Final = 200
_CLASSIFIER: Final = "License :: "


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel.

    Attributes:
        name: canonical name of the project.
        version: in its canonical spelling.
        stated: the version as its METADATA spells it: what is installed says so.
        path: the file.
        requires: the unconditional and marked requirements that it states.
        platforms: the platform tags of its name.
        licence: an SPDX expression, or an empty text.
        licence_name: what METADATA says of its licence where it is no expression, one line, or an empty text.
    """

    name: str
    version: str
    stated: str
    path: Path
    requires: tuple[str, ...]
    platforms: tuple[str, ...]
    licence: str
    licence_name: str


def read_wheels(folder: Path, target: Target | None = None) -> tuple[Wheel, ...]:
    """Return the wheels of a folder by name, each checked against the tags of the target (default: here).

    Raises:
        KitError: a file is no wheel (a source distribution for instance), is broken, does not fit the Python or the
            platform by its tags or by its Requires-Python, or is the second wheel of a project.
        MissingDependency: the extra `kit` is not installed.
    """
    listed = sorted(folder.iterdir()) if folder.is_dir() else _missing(folder)
    return wheels_at((path for path in listed if not path.name.startswith(".")), target or Target.here())


def wheels_at(paths: Iterable[Path], target: Target) -> tuple[Wheel, ...]:
    """Return the wheels at these paths, in the order of their names; checks and errors are those of `read_wheels`."""
    try:
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    except ImportError as error:
        raise no_packaging() from error
    supported = frozenset(target.tags())
    wheels: dict[str, Wheel] = {}
    for path in sorted(paths, key=lambda one: one.name):
        if path.suffix != ".whl" or not path.is_file():
            raise KitError(
                "file in the folder of wheels is no wheel",
                where=str(path),
                expected="*.whl only",
                hint='a source distribution cannot be built at the site: build it here with "pip wheel"',
            )
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise KitError(f"name of the wheel is not well formed: {error}", where=str(path)) from error
        if supported.isdisjoint(tags):
            raise KitError(
                "wheel does not fit the target",
                where=path.name,
                expected=target.spelled(),
                found=_spell(tags),
                hint="fetch the wheels with the same Python version and on the same platform as the site's",
            )
        if name in wheels:
            raise KitError("two wheels of one project", where=path.name, expected="one", found=wheels[name].path.name)
        metadata = _metadata(path)
        _check_python(path, metadata, target)
        wheels[name] = _read(path, metadata, name, str(version), tuple(sorted({tag.platform for tag in tags})))
    return tuple(wheels[name] for name in sorted(wheels))


def _check_python(path: Path, metadata: Message, target: Target) -> None:
    """Refuse a wheel that says itself that it is for other Pythons: a tag says only what it was built for."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    stated = str(metadata.get("Requires-Python", "")).strip()
    try:
        wanted = SpecifierSet(stated)
    except InvalidSpecifier:
        return  # old forms, which installers pass over as well
    pythons = {one["python_full_version"] for one in target.environments_of_any_patch()}
    if not any(wanted.contains(one, prereleases=True) for one in pythons):
        raise KitError(
            "wheel is not for the target's Python", where=path.name, expected=target.python, found=stated[:80]
        )


def _read(path: Path, metadata: Message, name: str, version: str, platforms: tuple[str, ...]) -> Wheel:
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    stated = str(metadata.get("Version", "")).strip()
    try:
        is_same = str(Version(stated)) == version
    except InvalidVersion:
        is_same = False
    if not is_same or canonicalize_name(str(metadata.get("Name", ""))) != name:
        raise KitError(
            "wheel is another than its name says",
            where=str(path),
            expected=f"{name} {version}",
            found=f"{metadata.get('Name', '')} {stated}"[:120],
        )
    expression, told = _licence(metadata)
    requires = tuple(str(text) for text in metadata.get_all("Requires-Dist", []))
    return Wheel(name, version, stated, path, requires, platforms, expression, told)


def _licence(metadata: Message) -> tuple[str, str]:
    """Return an expression, or what is said of the licence in other words."""
    expression = " ".join(str(metadata.get("License-Expression", "")).split())
    if expression:
        return expression[:_MAX_LICENCE_CHARACTERS], ""
    lines = str(metadata.get("License", "")).strip().splitlines()
    classifiers = [str(text) for text in metadata.get_all("Classifier", []) if str(text).startswith(_CLASSIFIER)]
    # Some put the whole licence into that field: its first line names it.
    told = lines[0].strip() if lines else "; ".join(text.rpartition(" :: ")[2] for text in classifiers)
    return "", told[:_MAX_LICENCE_CHARACTERS]


def needs_of(wheel: Wheel, target: Target) -> Iterator[tuple[str, str]]:
    """Yield canonical name and version specifier of what a wheel needs on the target, under any patch release of its
    Python; extras are not followed.

    Raises:
        KitError: a requirement cannot be read.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    environments = target.environments_of_any_patch()
    for text in wheel.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise KitError(
                "wheel states a requirement that cannot be read", where=wheel.name, found=text[:80]
            ) from error
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**one, "extra": ""}) for one in environments):
            yield canonicalize_name(requirement.name), str(requirement.specifier)


def check_requirements(wheels: Iterable[Wheel], provided: Mapping[str, str], target: Target | None = None) -> None:
    """Check that everything the wheels need on the target (default: here) is among them or provided (name -> version).

    Extras are nobody's stated wish and are not followed.

    Raises:
        KitError: a dependency is missing or has another version; all of them are named.
        MissingDependency: the extra `kit` is not installed.
    """
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError as error:
        raise no_packaging() from error
    wheels = tuple(wheels)
    versions = {**provided, **{wheel.name: wheel.version for wheel in wheels}}
    faults: list[str] = []
    for wheel in wheels:
        for name, specifier in needs_of(wheel, target or Target.here()):
            found = versions.get(name)
            if found is None or not SpecifierSet(specifier).contains(found, prereleases=True):
                faults.append(f"{wheel.name} needs {name}{specifier}, found {found or 'nothing'}")
    if faults:
        raise KitError(
            f"kit lacks {len(faults)} packages that its wheels need: {'; '.join(faults[:8])}",
            hint="add the wheels to the folder, or name the package in [training] provided if the site has it",
        )


def _metadata(path: Path) -> Message:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA"))
            with archive.open(name) as stream:
                payload = stream.read(MAX_METADATA_BYTES)
    except (zipfile.BadZipFile, zlib.error, StopIteration, EOFError, OSError, RuntimeError, ValueError) as error:
        raise KitError(
            "wheel is broken", where=str(path), expected="a zip file with *.dist-info/METADATA", hint="fetch it again"
        ) from error
    return email.parser.BytesHeaderParser().parsebytes(payload)


def _missing(folder: Path) -> list[Path]:
    raise KitError(
        "folder of wheels is not there",
        where=str(folder),
        hint='fill it with "pip download --require-hashes --only-binary=:all: -r LOCK -d FOLDER"',
    )


def _spell(tags: Iterable[Tag]) -> str:
    return ", ".join(sorted(str(tag) for tag in tags)[:4])
