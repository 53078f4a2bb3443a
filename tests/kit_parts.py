"""Wheels and programs made by hand, so that kits are tested without fetching anything."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import packtrain

STEADY_TIME = (2020, 1, 1, 0, 0, 0)


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    licence: Sequence[str] = (),
) -> Path:
    """Write an installable pure-Python wheel and return its path."""
    stem = f"{name.replace('-', '_')}-{version}"
    members = dict(files if files is not None else {f"{name.replace('-', '_')}.py": b"VALUE = 42\n"})
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += licence
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    members[f"{stem}.dist-info/METADATA"] = ("\n".join(metadata) + "\n").encode()
    members[f"{stem}.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    )
    members[f"{stem}.dist-info/RECORD"] = "".join(
        f"{member},,\n" for member in (*members, f"{stem}.dist-info/RECORD")
    ).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, payload in members.items():
            archive.writestr(zipfile.ZipInfo(member, STEADY_TIME), payload)
    return path


def make_packtrain_wheel(folder: Path) -> Path:
    """Write a wheel of packtrain as it stands in the source tree; it states no requirements."""
    root = Path(packtrain.__file__).parent
    files = {
        f"packtrain/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return make_wheel(folder, "packtrain", packtrain.__version__, files=files)
