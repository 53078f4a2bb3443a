"""Locks made by the real uv over an index of tiny wheels in a folder: nothing is fetched."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pytest

from packtrain.training.target import Target

# The fork lies between home's Python and another one, on whichever of the two sides home is.
HOME_MINOR = sys.version_info[1]
OTHER = "3.12" if HOME_MINOR < 12 else "3.11"
OTHER_TARGET = Target(OTHER, f"manylinux_2_28_{sysconfig.get_platform().rpartition('-')[2]}")
OLD, NEW = "2.4", "2.5"
HOME_VERSION, OTHER_VERSION = (OLD, NEW) if HOME_MINOR < 12 else (NEW, OLD)
FORK = (f"tiny-num>={NEW}; python_version >= '3.12'", f"tiny-num<{NEW}; python_version < '3.12'")

# A lock as uv writes it.
GOOD = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "prog"
version = "0.1"
source = { virtual = "." }
dependencies = [
    { name = "tiny", marker = "python_full_version >= '3.11'" },
    { name = "far", marker = "sys_platform == 'win32'" },
]

[[package]]
name = "tiny"
version = "1.0"
source = { registry = "index" }
sdist = { path = "tiny/tiny-1.0.tar.gz" }
wheels = [
    { url = "https://user:word@index.example/a%20b/tiny-1.0-py3-none-any.whl", hash = "sha256:HEX", size = 9 },
]

[[package]]
name = "far"
version = "1.0"
source = { registry = "index" }
""".replace("HEX", "a" * 64)

# A build system that lies in the source itself and needs nothing: what `uv build` calls.
BACKEND = """\
import sys, zipfile
from pathlib import Path

TAG, NAME, VERSION = {marks}

def build_wheel(folder, settings=None, metadata=None):
    tag = TAG
    name = f"{NAME}-{VERSION}"
    files = {
        f"{NAME}.py": "BUILT = 'here'\\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n",
        f"{name}.dist-info/WHEEL": f"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: {tag}\\n",
    }
    record = f"{name}.dist-info/RECORD"
    files[record] = "".join(f"{one},,\\n" for one in (*files, record))
    path = Path(folder) / f"{name}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0)), text)
    return path.name
"""


def uv() -> str:
    """Return the real uv, or skip."""
    if find_spec("uv") is None:
        pytest.skip("uv is not installed (extra kit)")
    from uv import find_uv_bin

    return find_uv_bin()


def other_python() -> Path:
    """Return an interpreter of the other version, or skip."""
    places = [Path(folder) / f"python{OTHER}" for folder in os.get_exec_path()]
    places += sorted((Path.home() / ".pyenv" / "versions").glob(f"{OTHER}.*/bin/python"))
    for path in places:
        if path.is_file():
            done = subprocess.run(
                [path, "-Ic", "import sys; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.stdout.strip() == OTHER:
                return path
    pytest.skip(f"no Python {OTHER} on this machine")


def quiet_environment(scratch: Path) -> dict[str, str]:
    """Return an environment in which uv and pip know no index, no cache and no settings of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    return kept | {
        "UV_CACHE_DIR": str(scratch / "uv-cache"),
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def index_of(index: Path) -> None:
    """Write the page of each project of an index folder, with the digests of its files."""
    for project in sorted(path for path in index.iterdir() if path.is_dir()):
        files = sorted(path for path in project.iterdir() if path.suffix in (".whl", ".gz"))
        lines = [
            f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
            for path in files
        ]
        (project / "index.html").write_text("\n".join(lines) + "\n")


def lock(program: Path, dependencies: Sequence[str], *, index: Path, more: str = "", head: str = "") -> Path:
    """Write pyproject.toml of a program and have the real uv lock it against a folder; return uv.lock."""
    index_of(index)
    listed = ", ".join(f'"{one}"' for one in dependencies)
    program.mkdir(exist_ok=True)
    (program / "pyproject.toml").write_text(
        f'[project]\nname = "prog"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = [{listed}]\n{head}\n'
        f'{more}\n[[tool.uv.index]]\nurl = "{index.resolve().as_uri()}"\ndefault = true\n'
    )
    done = subprocess.run(
        [uv(), "lock", "--python", sys.executable],
        cwd=program,
        env=quiet_environment(index),
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(index / "uv-cache", ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return program / "uv.lock"


def make_sdist(folder: Path, name: str, version: str, tag: str) -> Path:
    """Write a source distribution whose wheel gets a tag, built by what lies in it."""
    stem = f"{name.replace('-', '_')}-{version}"
    # The tag is written as it stands, so that a broken one can be asked for.
    backend = BACKEND.replace("{marks}", f"'{tag}', {name.replace('-', '_')!r}, {version!r}")
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "{version}"\n'
        ),
        "backend.py": backend,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            info = tarfile.TarInfo(f"{stem}/{member}")
            info.size = len(text)
            archive.addfile(info, BytesIO(text.encode()))
    return path
