"""What a lock means for a target: which packages, in which of their versions.

Markers are evaluated for the target, and for every patch release of its Python: the site may have another than home, so
what one of them needs is carried. uv has settled everything else: the lock has no choice in it but by markers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from packtrain.errors import LockUnreadable
from packtrain.training.kit_lock.read import Dependency, Lock, LockedPackage
from packtrain.training.target import Target

# uv tells conflicting extras and groups apart by names of its own in markers: extra-<length>-<package>-<extra>.
_CHOSEN: Final = re.compile(r"""\bextra\s*(==|!=)\s*(['"])((?:extra|group|project)-[0-9]+-[^'"]{1,300})\2""")
_ALWAYS: Final = "python_version >= '0'"
_NEVER: Final = "python_version < '0'"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the program's lock a kit carries.

    Attributes:
        program: canonical name of the program's own package in the lock; None takes the only one that it can be.
        extras: optional dependencies of the program.
        groups: dependency groups of the program.
        provided: canonical names that the site provides: neither they nor what only they need is carried.
    """

    program: str | None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    provided: frozenset[str] = frozenset()


@dataclass(slots=True)
class Resolved:
    """The packages for a target, by name, and the versions that the lock has of what the site provides."""

    root: LockedPackage
    packages: dict[str, LockedPackage] = field(default_factory=dict[str, LockedPackage])
    provided: dict[str, str] = field(default_factory=dict[str, str])


def resolve(lock: Lock, wanted: Wanted, target: Target) -> Resolved:
    """Return the packages of a lock for a target; the program's own is among them where it is one to be installed.

    Raises:
        LockUnreadable: the lock is not for this Python, lacks an extra or a package it names, or leaves open what it
            should settle.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(lock.requires_python)
    except InvalidSpecifier as error:
        raise LockUnreadable("requires-python cannot be read", where=str(lock.path)) from error
    environments = target.environments()
    if not all(fits.contains(one["python_full_version"], prereleases=True) for one in environments):
        raise LockUnreadable(
            "lock is not for the target's Python",
            where=str(lock.path),
            expected=f"requires-python that holds for {target.python}",
            found=lock.requires_python,
            hint='widen requires-python in pyproject.toml and run "uv lock"; or name another Python in voyage.toml',
        )
    root = _root(lock, wanted.program)
    markers = _Markers(lock, target.environments_of_any_patch(), _chosen(root.name, wanted))
    found = Resolved(root)
    seen: set[tuple[str, str, str]] = set()
    waiting: list[tuple[LockedPackage, str, tuple[Dependency, ...]]] = [(root, "", root.dependencies)]
    waiting += [(root, extra, _listed(lock, root.extras, extra, "extra")) for extra in wanted.extras]
    waiting += [(root, f"group {name}", _listed(lock, root.groups, name, "group")) for name in wanted.groups]
    found.packages[root.name] = root
    while waiting:
        package, part, dependencies = waiting.pop()
        if (package.name, package.version, part) in seen:
            continue
        seen.add((package.name, package.version, part))
        for dependency in dependencies:
            if not markers.hold(dependency.marker):
                continue
            chosen = _choose(lock, dependency, markers)
            if chosen.name in wanted.provided:
                found.provided[chosen.name] = chosen.version
                continue
            other = found.packages.setdefault(chosen.name, chosen)
            if other is not chosen:
                markers.refuse_if_torn(f"{chosen.name} {other.version} and {chosen.version}")
                raise LockUnreadable(
                    "lock has two versions of a package for one target",
                    where=str(lock.path),
                    found=f"{chosen.name} {other.version} and {chosen.version} for {target.spelled()}",
                )
            waiting.append((chosen, "", chosen.dependencies))
            # An extra that a version does not have is uv's warning, and no dependency.
            waiting += [(chosen, extra, chosen.extras.get(extra, ())) for extra in dependency.extras]
    # A virtual package is a list of dependencies and nothing to install: most programs are one.
    found.packages = {name: one for name, one in found.packages.items() if one.source_kind != "virtual"}
    return found


class _Markers:
    """Evaluates markers for a target and a choice among conflicting extras; what it evaluated once it remembers."""

    def __init__(self, lock: Lock, environments: tuple[dict[str, str], ...], chosen: Collection[str]) -> None:
        self._lock = lock
        self._environments = environments
        self._chosen = chosen
        self._known: dict[str, bool] = {"": True}
        self._tells_patches_apart = ""

    def hold(self, text: str) -> bool:
        """Return whether a marker holds for the target, with one patch release of its Python at least.

        Raises:
            LockUnreadable: it cannot be read.
        """
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._evaluate(text)
        return found

    def _evaluate(self, text: str) -> bool:
        from packaging.markers import Marker

        try:
            marker = Marker(_CHOSEN.sub(self._settle, text))
            verdicts = {marker.evaluate({**one, "extra": ""}) for one in self._environments}
        except (ValueError, RecursionError) as error:
            raise LockUnreadable("marker cannot be read", where=str(self._lock.path), found=text[:200]) from error
        if len(verdicts) > 1:
            self._tells_patches_apart = self._tells_patches_apart or text
        return any(verdicts)

    def refuse_if_torn(self, found: str) -> None:
        """Refuse where a marker told patch releases apart: two versions of a package cannot both be carried.

        Raises:
            LockUnreadable: so it is.
        """
        if self._tells_patches_apart:
            raise LockUnreadable(
                "lock depends on the patch release of the target's Python, which is not known here",
                where=str(self._lock.path),
                found=f"{found}, by the marker {self._tells_patches_apart[:200]}",
                hint='choose one version for all of them (constraint-dependencies in pyproject.toml), then "uv lock"',
            )

    def _settle(self, found: re.Match[str]) -> str:
        return _ALWAYS if (found[3] in self._chosen) == (found[1] == "==") else _NEVER


def _chosen(program: str, wanted: Wanted) -> frozenset[str]:
    """Return the names by which uv's markers speak of the program's chosen extras and groups."""
    head = f"{len(program)}-{program}"
    return frozenset(
        {f"project-{head}", *(f"extra-{head}-{one}" for one in wanted.extras)}
        | {f"group-{head}-{one}" for one in wanted.groups}
    )


def _root(lock: Lock, program: str | None) -> LockedPackage:
    own = [one for one in lock.packages if one.source_kind in ("virtual", "editable", "directory")]
    if program is not None:
        own = [one for one in own if one.name == program]
    elif len(own) > 1:
        own = [one for one in own if one.source_place == "."]
    if len(own) != 1:
        raise LockUnreadable(
            "lock does not tell which package the program is",
            where=str(lock.path),
            expected=f"the package {program}" if program else "one package of its own folder",
            found=", ".join(one.name for one in own[:5]) or "none",
            hint="give the program's folder a pyproject.toml with [project] name, a member of the lock's workspace",
        )
    return own[0]


def _listed(lock: Lock, lists: Mapping[str, tuple[Dependency, ...]], name: str, what: str) -> tuple[Dependency, ...]:
    if name not in lists:
        raise LockUnreadable(
            f"lock has no {what} of that name",
            where=str(lock.path),
            expected=", ".join(sorted(lists)) or f"a program with a {what}",
            found=name[:80],
        )
    return lists[name]


def _choose(lock: Lock, dependency: Dependency, markers: _Markers) -> LockedPackage:
    candidates: Iterable[LockedPackage] = lock.by_name.get(dependency.name, ())
    if dependency.version is not None:
        candidates = [one for one in candidates if one.version == dependency.version]
    if dependency.source is not None:
        candidates = [one for one in candidates if one.source == dependency.source]
    candidates = list(candidates)
    if len(candidates) > 1:
        candidates = [one for one in candidates if not one.markers or any(map(markers.hold, one.markers))]
    if len(candidates) != 1:
        if candidates:
            markers.refuse_if_torn(" and ".join(f"{one.name} {one.version}" for one in candidates[:2]))
        raise LockUnreadable(
            "lock names a package that it does not have" if not candidates else "lock leaves a choice open",
            where=str(lock.path),
            found=f"{dependency.name} {dependency.version or ''}".strip(),
            hint='write it again with "uv lock"',
        )
    return candidates[0]
