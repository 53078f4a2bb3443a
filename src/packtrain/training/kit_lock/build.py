"""Packages that come as source only, built to wheels at home: at the site nothing can be compiled, and nothing fetched.

Building runs code of the package, here and with this user's rights, and fetches what it names as its build system.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.errors import WheelUnavailable
from packtrain.training.kit_lock.choose import Chooser
from packtrain.training.kit_lock.read import LockedPackage

# The first second that a zip file can name.
_EPOCH: Final = "315532800"
_LOG_CHARACTERS: Final = 600


def build_wheel(
    package: LockedPackage, source: Path, key: str, cache: Path, chooser: Chooser, *, python: Path, is_offline: bool
) -> Path:
    """Return the wheel of a package, built from its source or found in the cache.

    Args:
        package: for its name and messages.
        source: a source distribution, or the folder of a project.
        key: digest of the source: what the cache knows it by.
        cache: where it is kept.
        chooser: knows whether what was built fits the target.
        python: the interpreter to build with.
        is_offline: what the build needs may not be fetched either.

    Raises:
        WheelUnavailable: it cannot be built, or what came out does not fit the target.
    """
    place = cache / "built" / f"{key[:16]}-{chooser.target.python}-{chooser.target.platform}"
    if (found := _only_wheel(place)) is not None and chooser.rank(found.name) is not None:
        return found
    building = place.with_name(place.name + durable.TEMPORARY_SUFFIX)
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    scratch = building / "source"
    if source.is_dir():
        # Some build systems write into the folder that they build: the program must stay as it is.
        shutil.copytree(source, scratch, symlinks=True, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        source = scratch
    done = subprocess.run(
        _command(source, building, python, is_offline=is_offline),
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    shutil.rmtree(scratch, ignore_errors=True)
    where = f"{package.name} {package.version}".strip()
    built = _only_wheel(building)
    if done.returncode != 0 or built is None:
        said = done.stdout.decode("utf-8", "replace").strip()
        raise WheelUnavailable(
            "wheel cannot be built from source",
            where=where,
            found=" ".join(said[-_LOG_CHARACTERS:].split()) or f"exit {done.returncode}",
            hint="build it by hand and lock the wheel (uv add PATH/TO/WHEEL), or lock a version that has wheels",
        )
    if chooser.rank(built.name) is None:
        raise WheelUnavailable(
            "wheel that was built here does not fit the target",
            where=where,
            expected=chooser.target.spelled(),
            found=built.name,
            hint="it holds compiled code: build it on the target's platform with the target's Python, then lock the "
            "wheel (uv add PATH/TO/WHEEL)",
        )
    shutil.rmtree(place, ignore_errors=True)
    building.replace(place)
    durable.sync_folder(place.parent)
    return place / built.name


def _only_wheel(folder: Path) -> Path | None:
    found = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    return found[0] if len(found) == 1 else None


def _command(source: Path, destination: Path, python: Path, *, is_offline: bool) -> list[str]:
    if importlib.util.find_spec("uv") is not None:
        from uv import find_uv_bin

        offline = ["--offline"] if is_offline else []
        return [
            *(find_uv_bin(), "build", "--wheel", *offline),
            *("--python", str(python), "--out-dir", str(destination), str(source)),
        ]
    offline = ["--no-index"] if is_offline else []
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--disable-pip-version-check", *offline]
    return [*pip, "--wheel-dir", str(destination), str(source)]
