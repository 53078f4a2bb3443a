"""The program's pyproject.toml beside its lock: what the project is called, and whether the lock is still of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packtrain.errors import LockUnreadable
from packtrain.training.kit_install import link_provided
from packtrain.training.kit_lock.read import LockedPackage

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MAX_PROJECT_BYTES: Final = 4 << 20


def read_project(program: Path) -> Mapping[str, Any]:
    """Return [project] of the program's pyproject.toml; nothing where there is no such file.

    Raises:
        LockUnreadable: it cannot be read.
    """
    try:
        with (program / "pyproject.toml").open("rb") as stream:
            payload = stream.read(_MAX_PROJECT_BYTES)
        project = tomllib.loads(payload.decode("utf-8")).get("project", {})
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LockUnreadable(
            f"pyproject.toml of the program cannot be read: {error}", where=str(program / "pyproject.toml")
        ) from error
    return project if isinstance(project, dict) else {}


def project_name(project: Mapping[str, Any]) -> str | None:
    """Return the project's canonical name, or None where it has none."""
    name = project.get("name")
    return link_provided.canonical(name) if isinstance(name, str) else None


def refuse_stale(project: Mapping[str, Any], root: LockedPackage, where: str) -> None:
    """Refuse a lock that was made before the dependencies in pyproject.toml were last changed by hand.

    The kit would lack what was added. Names are compared, and the versions asked for where both sides have one line.

    Raises:
        LockUnreadable: the lock was made of other dependencies.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    listed = _requirements(project)
    if root.declared is None or listed is None:
        return
    asked: dict[str, list[Requirement]] = {}
    for one in listed:
        asked.setdefault(link_provided.canonical(one.name), []).append(one)
    # What has a marker may be left out of a lock that is for other Pythons alone.
    added = {name for name, ones in asked.items() if any(one.marker is None for one in ones)} - root.declared.keys()
    # A project may name itself, for an extra that consists of others.
    differing = (added | (root.declared.keys() - asked.keys())) - {root.name}
    for name, ones in asked.items():
        locked = root.declared.get(name, ())
        if len(ones) == len(locked) == 1 and locked[0] is not None and ones[0].url is None:
            try:
                same = SpecifierSet(locked[0]) == ones[0].specifier
            except InvalidSpecifier:
                same = True
            differing |= set() if same else {name}
    if differing:
        raise LockUnreadable(
            "lock is older than pyproject.toml: it was made of other dependencies",
            where=where,
            found=f"{', '.join(sorted(differing)[:8])} changed since",
            hint='run "uv lock" in the program\'s folder',
        )


def _requirements(project: Mapping[str, Any]) -> list[Requirement] | None:
    """Return all that [project] asks for, extras included; None where that is not all written there."""
    from packaging.requirements import InvalidRequirement, Requirement

    dynamic = project.get("dynamic", [])
    extras = project.get("optional-dependencies", {})
    if not project or "dependencies" in dynamic or "optional-dependencies" in dynamic or not isinstance(extras, dict):
        return None
    lists: Iterable[Any] = (project.get("dependencies", []), *extras.values())
    try:
        return [Requirement(text) for listed in lists for text in listed]
    except (InvalidRequirement, TypeError):
        return None
