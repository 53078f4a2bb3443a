"""A kit from a lock: resolved for the target, fetched, checked, put together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_file
from packtrain.documents.kit import Kit
from packtrain.errors import KitError
from packtrain.events import Notice, Progress, Sink
from packtrain.training.kit import KitParts, Origin, assemble, pin_provided
from packtrain.training.kit_install import link_provided
from packtrain.training.kit_lock.fetch import Fetcher
from packtrain.training.kit_lock.gather import gather, hold_against_lock
from packtrain.training.kit_lock.project import project_name, read_project, refuse_stale
from packtrain.training.kit_lock.read import Lock, read_lock
from packtrain.training.kit_lock.resolve import Resolved, Wanted, resolve
from packtrain.training.target import Target
from packtrain.training.wheels import check_requirements, read_wheels, wheels_at

STAGE: Final = "kit"


@dataclass(frozen=True, slots=True)
class LockedKit:
    """What a kit from a lock is made of; the names are those of [training] in voyage.toml."""

    program: Path
    command: str
    lock: Path
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    provided: tuple[str, ...]
    target: Target
    interpreter: Path | None


def build_locked_kit(
    wanted: LockedKit,
    destination: Path,
    *,
    cache: Path,
    wheelhouses: Sequence[Path],
    is_offline: bool,
    python: Path,
    sink: Sink,
) -> Kit:
    """Build a kit from a lock and return its document; `destination` is replaced at the end.

    Args:
        wanted: what it is made of.
        destination: the kit's folder.
        cache: where fetched and built wheels stay for the next time.
        wheelhouses: folders to look in before anything is fetched.
        is_offline: fetch nothing.
        python: an interpreter to build wheels from source with.
        sink: told how far it is.

    Raises:
        LockUnreadable: the lock cannot be read, or has no answer for the target.
        WheelUnavailable: a wheel cannot be fetched or built.
        KitError: see `assemble`; or the lock has another version of what the site provides. What a wheel asks for and
            the lock does not have is a warning.
    """
    lock, resolved, pins = _resolved(wanted)
    so_far = Progress(STAGE, "gathering wheels of the lock", unit="packages")

    def count(num_bytes: int) -> None:
        nonlocal so_far
        so_far = dataclasses.replace(so_far, done_bytes=so_far.done_bytes + num_bytes)
        sink(so_far)

    def tell(name: str, number: int, total: int) -> None:
        nonlocal so_far
        so_far = dataclasses.replace(so_far, done_items=number, total_items=total, note=name)
        sink(so_far)

    fetcher = Fetcher(cache, lock.folder, wheelhouses=wheelhouses, is_offline=is_offline, on_bytes=count)
    gathered = gather(lock, resolved, wanted.target, fetcher, python=python, is_offline=is_offline, on_package=tell)
    wheels = wheels_at((one.path for one in gathered), wanted.target)
    hold_against_lock(wheels, resolved, wanted.target, str(wanted.lock))
    try:
        check_requirements(wheels, {**resolved.provided, **pins}, wanted.target)
    except KitError as error:
        # The lock may mean it so: uv takes a project's word over that of a package (override-dependencies).
        sink(Notice(STAGE, f"lock settles otherwise than its wheels ask for: {error.message}", is_warning=True))
    by_path = {one.path: Origin(one.vouched_by, one.built_from) for one in gathered}
    return assemble(
        KitParts(
            program=wanted.program,
            command=wanted.command,
            wheels=wheels,
            provided=pins,
            target=wanted.target,
            origins={wheel.name: by_path[wheel.path] for wheel in wheels},
            interpreter=wanted.interpreter,
            lock_sha256=sha256_file(wanted.lock),
        ),
        destination,
    )


def check_folder(wanted: LockedKit, wheels: Path) -> None:
    """Check that a folder of wheels holds what the lock resolves to for the target.

    Raises:
        KitError: it does not; or a wheel does not fit the target.
        LockUnreadable: the lock cannot be read, or has no answer for the target.
    """
    _, resolved, _ = _resolved(wanted)
    hold_against_lock(read_wheels(wheels, wanted.target), resolved, wanted.target, str(wheels))


def packages_of(wanted: LockedKit) -> frozenset[str]:
    """Return the canonical names of the packages that a kit from this lock carries.

    Raises:
        LockUnreadable: the lock cannot be read, or has no answer for the target.
    """
    return frozenset(_resolved(wanted)[1].packages)


def groups_with(wanted: LockedKit, package: str) -> tuple[str, ...]:
    """Return the program's dependency groups that ask for a package by name.

    Raises:
        LockUnreadable: see `packages_of`.
    """
    groups = _resolved(wanted)[1].root.groups
    return tuple(sorted(name for name, listed in groups.items() if any(one.name == package for one in listed)))


def folders_of(path: Path) -> tuple[Path, ...]:
    """Return the folders beside the lock's own that wheels are built from: no digest of the lock covers them.

    Raises:
        LockUnreadable: the lock cannot be read.
    """
    lock = read_lock(path)
    places = {
        lock.folder / one.source_place
        for one in lock.packages
        if one.source_kind in ("directory", "editable") and one.source_place != "."
    }
    return tuple(sorted(place for place in places if place.is_dir()))


def _resolved(wanted: LockedKit) -> tuple[Lock, Resolved, dict[str, str]]:
    """Return the lock, its packages for the target, and name -> version of what the site provides."""
    lock = read_lock(wanted.lock)
    project = read_project(wanted.program)
    named = {_name(text): text for text in wanted.provided}
    resolved = resolve(
        lock,
        Wanted(project_name(project), wanted.extras, wanted.groups, frozenset(named)),
        wanted.target,
    )
    refuse_stale(project, resolved.root, str(wanted.lock))
    pins: dict[str, str] = {}
    for name, text in named.items():
        locked = resolved.provided.get(name)
        if "==" not in text and locked is not None:
            pins[name] = locked.partition("+")[0]
            continue
        pins |= pin_provided([text])
        if locked is not None and not link_provided.fits(pins[name], locked):
            raise KitError(
                "lock has another version of a package than the site is to provide",
                where=name,
                expected=f"{locked} (the lock)",
                found=f"{pins[name]} ([training] provided)",
                hint="lock the site's version, or carry the lock's and take the package out of provided",
            )
    return lock, resolved, pins


def _name(text: str) -> str:
    return link_provided.canonical(re.split(r"[=<>!~\s]", text.strip(), maxsplit=1)[0])
