"""The wheels of a lock for a target, brought together; and a folder of wheels held against a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_file, sha256_tree
from packtrain.errors import KitError, WheelUnavailable
from packtrain.training.kit_lock.build import build_wheel
from packtrain.training.kit_lock.choose import Chooser
from packtrain.training.kit_lock.fetch import Fetcher
from packtrain.training.kit_lock.read import Lock, LockedPackage
from packtrain.training.kit_lock.resolve import Resolved
from packtrain.training.target import Target
from packtrain.training.wheels import Wheel

HELD: Final = "digest and version of uv.lock"
UNHASHED: Final = "version of uv.lock, which names no digest for it"


@dataclass(frozen=True, slots=True)
class Gathered:
    """One wheel of the lock: where it lies, what vouches for it, and what it was built from (or an empty text)."""

    path: Path
    vouched_by: str
    built_from: str


def gather(
    lock: Lock,
    resolved: Resolved,
    target: Target,
    fetcher: Fetcher,
    *,
    python: Path,
    is_offline: bool,
    on_package: Callable[[str, int, int], None] | None = None,
) -> tuple[Gathered, ...]:
    """Return a wheel of each package: fetched, or built at home where the target gets none.

    Args:
        lock: what it was resolved from.
        resolved: the packages.
        target: what the wheels are for.
        fetcher: brings files of the lock.
        python: the interpreter to build with.
        is_offline: nothing may be fetched.
        on_package: called before each package with its name, its number from 0, and how many there are.

    Raises:
        WheelUnavailable: packages have no wheel for the target, all of them named; or one cannot be had.
    """
    chooser = Chooser(target)
    packages = [resolved.packages[name] for name in sorted(resolved.packages)]
    # Before a byte is fetched: what the target cannot have at all.
    _refuse_unavailable(packages, chooser)
    gathered: list[Gathered] = []
    for number, package in enumerate(packages):
        if on_package is not None:
            on_package(package.name, number, len(packages))
        file = chooser.wheel(package)
        if file is not None:
            gathered.append(Gathered(fetcher.get(file), HELD if file.sha256 else UNHASHED, ""))
        else:
            gathered.append(_build(lock, package, chooser, fetcher, python, is_offline=is_offline))
    return tuple(gathered)


def hold_against_lock(wheels: Sequence[Wheel], resolved: Resolved, target: Target, where: str) -> None:
    """Check that a folder of wheels holds what the lock resolves to for the target; others may be beside that.

    Raises:
        KitError: a wheel of another version or other bytes than the lock's, or a package of the lock without a wheel.
    """
    carried = {wheel.name: wheel for wheel in wheels}
    chooser = Chooser(target)
    faults: list[str] = []
    for name, package in sorted(resolved.packages.items()):
        wheel = carried.get(name)
        if wheel is None:
            faults.append(f"{name} {package.version} is not there")
        elif package.version and wheel.version != _canonical(package.version):
            faults.append(f"{name} is {wheel.version}, the lock has {package.version}")
        # Of what the lock has for other targets alone the wheel was built: there is no digest to hold it against.
        elif chooser.wheel(package) is not None and not _is_of(wheel.path, package):
            faults.append(f"{wheel.path.name} is none of the lock's files")
    if faults:
        raise KitError(
            f"wheels differ from the lock for {target.spelled()} in {len(faults)}: {'; '.join(faults[:8])}",
            where=where,
            hint="tools that fetch for another Python may choose by the running one's markers: take wheels out of "
            "[training], and the kit is built from the lock",
        )


def _refuse_unavailable(packages: Iterable[LockedPackage], chooser: Chooser) -> None:
    faults: list[WheelUnavailable] = []
    for package in packages:
        try:
            if chooser.wheel(package) is None:
                chooser.source(package)
        except WheelUnavailable as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise WheelUnavailable(
            f"{len(faults)} packages have no wheel for the target: {', '.join(str(one.where) for one in faults[:12])}",
            where=f"first: {faults[0].message}",
            hint=faults[0].hint,
        )


def _build(
    lock: Lock, package: LockedPackage, chooser: Chooser, fetcher: Fetcher, python: Path, *, is_offline: bool
) -> Gathered:
    sdist = chooser.source(package)
    if sdist is None:
        source = (lock.folder / package.source_place).resolve()
        if not source.is_dir():
            raise WheelUnavailable("folder that the lock names is not there", where=str(source))
        key, told = sha256_tree(source), "folder"
    else:
        source = fetcher.get(sdist)
        key, told = sha256_file(source), "sdist"
    path = build_wheel(package, source, key, fetcher.cache, chooser, python=python, is_offline=is_offline)
    return Gathered(path, f"built here from the {told}", f"{told} sha256:{key}")


def _is_of(path: Path, package: LockedPackage) -> bool:
    """Return whether the bytes are one of the lock's wheels; where it names no digest, or only a source, any are."""
    digests = {one.sha256 for one in package.wheels}
    return not digests or None in digests or sha256_file(path) in digests


def _canonical(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version
