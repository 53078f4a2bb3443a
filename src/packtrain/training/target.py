"""The target of a kit: the Python and the platform that its wheels are chosen for, and what markers say there.

The target is named, never taken from whatever interpreter happens to run: a marker that is evaluated for home's Python
chooses home's version of a package, fetches it for the site's Python without a word, and fails where nothing can be
mended.
"""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packtrain.errors import MissingDependency, VoyageFileError

if TYPE_CHECKING:
    from packaging.tags import Tag

_PYTHON: Final = re.compile(r"3\.([0-9]{1,2})")
_NAMED: Final = (
    # As uv spells it, and as wheels do.
    re.compile(r"(?P<machine>x86_64|aarch64|ppc64le|s390x|riscv64)-manylinux_2_(?P<minor>[0-9]{1,2})"),
    re.compile(r"manylinux_2_(?P<minor>[0-9]{1,2})_(?P<machine>x86_64|aarch64|ppc64le|s390x|riscv64)"),
)
# PEP 600 knows no manylinux below these: the first glibc that each machine's wheels were defined for.
_OLDEST_GLIBC_MINOR: Final = {"x86_64": 5}
_OLDEST_OTHER_MINOR: Final = 17
# What the older names of three of those platforms mean.
_LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_GLIBC: Final = re.compile(r"manylinux_2_([0-9]+)_")
# The first and the last patch release that anyone will meet.
_PATCHES: Final = ("0", "99")


@dataclass(frozen=True, slots=True)
class Target:
    """The interpreter and machine a kit is for.

    Attributes:
        python: for example "3.11".
        platform: a wheel's platform tag: "linux_x86_64" is this machine as it is, "manylinux_2_28_x86_64" is any Linux
            of that machine with glibc 2.28 or newer.
    """

    python: str
    platform: str

    @classmethod
    def here(cls) -> Target:
        """Return the running interpreter's target."""
        return cls("{}.{}".format(*sys.version_info[:2]), sysconfig.get_platform().replace("-", "_"))

    @classmethod
    def named(cls, python: str | None, platform_name: str | None) -> Target:
        """Return the target that voyage.toml names; what it leaves out is that of the running interpreter.

        Raises:
            VoyageFileError: one of the two is not well formed.
        """
        here = cls.here()
        if python is not None and _PYTHON.fullmatch(python) is None:
            raise VoyageFileError("training.python is not well formed", expected='"3.12"', found=python[:40])
        if platform_name is None or platform_name == here.platform:
            return cls(python or here.python, here.platform)
        for pattern in _NAMED:
            if found := pattern.fullmatch(platform_name):
                return cls(python or here.python, f"manylinux_2_{int(found['minor'])}_{found['machine']}")
        raise VoyageFileError(
            "training.platform is not one that a kit can be built for",
            expected='"x86_64-manylinux_2_28" (machine and the oldest glibc), or nothing for this machine',
            found=platform_name[:80],
        )

    @property
    def is_named(self) -> bool:
        """Return whether the platform is a named one, and not "this machine as it is"."""
        return self.platform.startswith("manylinux_")

    @property
    def machine(self) -> str:
        """Return the machine as `platform.machine()` calls it there."""
        return _split(self.platform)[1] if self.is_named else platform.machine()

    @property
    def system_platform(self) -> str:
        """Return what the interpreter there calls its platform: "linux_x86_64"."""
        return f"linux_{self.machine}" if self.is_named else self.platform

    def spelled(self) -> str:
        """Return the target in words."""
        return f"Python {self.python} on {self.platform}"

    def tags(self) -> tuple[Tag, ...]:
        """Return the tags of wheels that fit, best first.

        Raises:
            MissingDependency: the extra `kit` is not installed.
        """
        try:
            from packaging import tags
        except ImportError as error:
            raise no_packaging() from error
        if self == Target.here():
            return tuple(tags.sys_tags())
        version = (3, int(self.python.partition(".")[2]))
        platforms = list(_manylinux(self.platform)) if self.is_named else list(tags.platform_tags())
        short = f"cp3{version[1]}"
        return (
            *tags.cpython_tags(version, abis=[short], platforms=platforms),
            *tags.compatible_tags(version, interpreter=short, platforms=platforms),
        )

    def environments(self) -> tuple[dict[str, str], ...]:
        """Return the marker variables of the target: one set where all are known, else one for either end.

        The patch release of a Python that does not run here is not known.
        """
        here = Target.here()
        if self == here:
            from packaging.markers import default_environment

            return ({name: str(value) for name, value in default_environment().items()},)
        is_here = self.system_platform == here.system_platform
        common = {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform.system() if is_here else "Linux",
            "platform_version": "",
            "python_version": self.python,
            "sys_platform": sys.platform if is_here else "linux",
        }
        patches = (
            (platform.python_version(),)
            if self.python == here.python
            else (tuple(f"{self.python}.{patch}" for patch in _PATCHES))
        )
        return tuple(common | {"python_full_version": full, "implementation_version": full} for full in patches)

    def environments_of_any_patch(self) -> tuple[dict[str, str], ...]:
        """Return the marker variables with the first and the last patch release besides.

        A kit is installed by any patch release of its Python: home's own is no word on the site's.
        """
        known = self.environments()
        ends = (f"{self.python}.{patch}" for patch in _PATCHES)
        return (
            *known,
            *(known[0] | {"python_full_version": full, "implementation_version": full} for full in ends),
        )


def glibc_needed(tags: Iterable[Sequence[str]]) -> str:
    """Return the glibc that wheels need, "2.28", or "" where none says.

    Args:
        tags: for each wheel the platform tags it has; the least of them is enough for that wheel.
    """
    most = 0
    for platforms in tags:
        least = [int(found[1]) for found in map(_GLIBC.match, platforms) if found]
        least += [minor for minor, legacy in _LEGACY.items() if any(p.startswith(f"{legacy}_") for p in platforms)]
        most = max(most, min(least, default=0))
    return f"2.{most}" if most else ""


def glibc_here() -> str:
    """Return this machine's glibc, "2.36", or "" where it has none."""
    name, version = platform.libc_ver()
    return version if name == "glibc" else ""


def no_packaging() -> MissingDependency:
    """Return the error that says what to install."""
    return MissingDependency(
        "building a kit needs the extra `kit`", where="packaging", hint='install it with pip install "packtrain[kit]"'
    )


def _split(platform_tag: str) -> tuple[int, str]:
    found = _NAMED[1].fullmatch(platform_tag)
    assert found is not None, platform_tag
    return int(found["minor"]), found["machine"]


def _manylinux(platform_tag: str) -> Iterator[str]:
    """Yield the platform tags that a machine of this tag takes, newest glibc first."""
    newest, machine = _split(platform_tag)
    for minor in range(newest, _OLDEST_GLIBC_MINOR.get(machine, _OLDEST_OTHER_MINOR) - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _LEGACY and (machine == "x86_64" or minor == 17):
            yield f"{_LEGACY[minor]}_{machine}"
