"""Holds what is installed against the kit's requirements, name by name and version by version.

Run by install.sh with the new environment's interpreter: `python -I check_installed.py KIT HOW`. An installer that took
another version than the one asked for, or left one out, would show in the training or not at all. Standard library
only: it travels in the kit.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
# What a fresh environment has of its own.
_OWN = frozenset({"pip", "setuptools", "wheel"})


def canonical(name: str) -> str:
    """Return a project's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return what differs, in words: missing, of another version, or not asked for."""
    told = [
        f"{name}: expected {version}, found {found.get(name, 'nothing')}"
        for name, version in sorted(wanted.items())
        if found.get(name) != version
    ]
    return told + [
        f"{name}: not asked for, found {version}"
        for name, version in sorted(found.items())
        if name not in wanted and name not in _OWN
    ]


def main(arguments: list[str]) -> int:
    """Compare, say in one line what was installed or what differs; return the exit status."""
    kit, how = Path(arguments[0]), arguments[1]
    lines = (kit / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [pin for line in lines if (pin := _PIN.match(line))]
    wanted = {canonical(pin[1]): pin[2] for pin in pins}
    site_packages = sysconfig.get_path("purelib")
    found = {canonical(one.name): one.version for one in metadata.distributions(path=[site_packages])}
    if told := differences(wanted, found):
        sys.stderr.write(
            f"packtrain: error: {len(told)} installed packages differ from requirements.txt: {'; '.join(told[:8])}\n"
        )
        return 1
    overlay = Path(sys.prefix) / "provided"
    linked = sum(1 for _ in overlay.glob("*.dist-info")) if overlay.is_dir() else 0
    from_site = f", {linked} linked from the site" if linked else ""
    version = "{}.{}.{}".format(*sys.version_info[:3])
    sys.stdout.write(
        f"packtrain: {len(wanted)} packages of the kit installed by {how}{from_site}; Python {version}, {sys.prefix}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
