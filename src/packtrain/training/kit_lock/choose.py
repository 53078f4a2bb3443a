"""Which file of a locked package a target installs: the wheel whose tags it likes best, else what can be built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from packtrain.errors import WheelUnavailable
from packtrain.training.kit_lock.read import LockedFile, LockedPackage
from packtrain.training.target import Target

if TYPE_CHECKING:
    from packaging.tags import Tag


class Chooser:
    """Knows the order in which a target prefers tags."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._ranks: Mapping[Tag, int] = {tag: rank for rank, tag in enumerate(target.tags())}

    def wheel(self, package: LockedPackage) -> LockedFile | None:
        """Return the wheel that fits best, or None where none does."""
        ranked = [
            (-rank, _build_tag(one.name), one.name, one)
            for one in package.wheels
            if (rank := self.rank(one.name)) is not None
        ]
        return max(ranked)[3] if ranked else None

    def rank(self, file_name: str) -> int | None:
        """Return how much the target likes a wheel (0: best), or None where it does not fit or is no wheel."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            tags = parse_wheel_filename(file_name)[3]
        except InvalidWheelFilename:
            return None
        return min((self._ranks[tag] for tag in tags if tag in self._ranks), default=None)

    def source(self, package: LockedPackage) -> LockedFile | None:
        """Return what a wheel can be built from: a source distribution, or None where the source is a folder.

        Raises:
            WheelUnavailable: there is no wheel for the target and no source either.
        """
        if package.source_kind in ("directory", "editable"):
            return None
        if package.sdist is not None:
            return package.sdist
        if package.source_kind == "git":
            raise WheelUnavailable(
                "package comes from git, which a kit does not fetch",
                where=f"{package.name} {package.version}",
                hint="build its wheel and lock that: uv add PATH/TO/WHEEL",
            )
        raise WheelUnavailable(
            "lock has no wheel of the package that fits the target, and no source to build one from",
            where=f"{package.name} {package.version}",
            expected=self.target.spelled(),
            found=_some(one.name for one in package.wheels) or "no wheel at all",
            hint="name another platform or Python in voyage.toml, or lock a version that has such a wheel",
        )


def _build_tag(file_name: str) -> tuple[int, str] | tuple[()]:
    """Return what tells two builds of one version apart: of two that fit as well, installers take the later one."""
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(file_name)[2]


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
