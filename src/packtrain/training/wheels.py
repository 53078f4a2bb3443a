"""The wheels of a kit: each fits the target, each project once, and everything they need is there.

A wheel for another Python or platform, or a missing dependency, installs without a word at home where the right one is
at hand, and fails at the site where nothing is: so both are looked for when the kit is built.
"""

from __future__ import annotations

import email.parser
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packtrain.errors import KitError, MissingDependency

if TYPE_CHECKING:
    from packaging.tags import Tag

MAX_METADATA_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """The interpreter and machine a kit is for: "3.11" and "linux_x86_64"."""

    python: str
    platform: str

    @classmethod
    def here(cls) -> Target:
        """Return the running interpreter's target."""
        return cls("{}.{}".format(*sys.version_info[:2]), sysconfig.get_platform().replace("-", "_"))


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel: canonical project name, version, file, and the unconditional and marked requirements it states."""

    name: str
    version: str
    path: Path
    requires: tuple[str, ...]


def read_wheels(folder: Path) -> tuple[Wheel, ...]:
    """Return the wheels of a folder by name, each checked against the running interpreter's tags.

    Raises:
        KitError: a file is no wheel (a source distribution for instance), is broken, does not fit this Python or
            platform, or is the second wheel of a project.
        MissingDependency: the extra `kit` is not installed.
    """
    try:
        from packaging.tags import sys_tags
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    except ImportError as error:
        raise _no_packaging() from error
    supported = frozenset(sys_tags())
    wheels: dict[str, Wheel] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else _missing(folder):
        if path.name.startswith("."):
            continue
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
                expected=f"Python {Target.here().python} on {Target.here().platform}",
                found=_spell(tags),
                hint="fetch the wheels with the same Python version and on the same platform as the site's",
            )
        if name in wheels:
            raise KitError("two wheels of one project", where=path.name, expected="one", found=wheels[name].path.name)
        wheels[name] = Wheel(name, str(version), path, _requires(path))
    return tuple(wheels.values())


def check_requirements(wheels: Iterable[Wheel], provided: Mapping[str, str]) -> None:
    """Check that everything the wheels need is among them or provided (name -> version).

    Extras are nobody's stated wish and are not followed.

    Raises:
        KitError: a dependency is missing or has another version; all of them are named.
        MissingDependency: the extra `kit` is not installed.
    """
    try:
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name
    except ImportError as error:
        raise _no_packaging() from error
    wheels = tuple(wheels)
    versions = {**provided, **{wheel.name: wheel.version for wheel in wheels}}
    faults: list[str] = []
    for wheel in wheels:
        for text in wheel.requires:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                faults.append(f"{wheel.name} states a requirement that cannot be read: {text[:80]}")
                continue
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            found = versions.get(canonicalize_name(requirement.name))
            if found is None or not requirement.specifier.contains(found, prereleases=True):
                wanted = f"{requirement.name}{requirement.specifier}"
                faults.append(f"{wheel.name} needs {wanted}, found {found or 'nothing'}")
    if faults:
        raise KitError(
            f"kit lacks {len(faults)} packages that its wheels need: {'; '.join(faults[:8])}",
            hint="add the wheels to the folder, or name the package in [training] provided if the site has it",
        )


def _requires(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA"))
            with archive.open(name) as stream:
                payload = stream.read(MAX_METADATA_BYTES)
    except (zipfile.BadZipFile, StopIteration, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise KitError(
            "wheel is broken", where=str(path), expected="a zip file with *.dist-info/METADATA", hint="fetch it again"
        ) from error
    return tuple(email.parser.BytesHeaderParser().parsebytes(payload).get_all("Requires-Dist", []))


def _missing(folder: Path) -> list[Path]:
    raise KitError(
        "folder of wheels is not there",
        where=str(folder),
        hint='fill it with "pip download --require-hashes --only-binary=:all: -r LOCK -d FOLDER"',
    )


def _spell(tags: Iterable[Tag]) -> str:
    return ", ".join(sorted(str(tag) for tag in tags)[:4])


def _no_packaging() -> MissingDependency:
    return MissingDependency(
        "building a kit needs the extra `kit`", where="packaging", hint='install it with pip install "packtrain[kit]"'
    )
