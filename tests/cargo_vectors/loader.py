"""Whole shipments of `tests/vectors/cargo/shipment` laid out as drives, and what a reader restored described.

The README there says the same in words; nothing of packtrain is needed for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent / "vectors" / "cargo" / "shipment"


def shown(name: bytes) -> str:
    """Return bytes as printable ASCII: all others, and `%`, as `%XX`."""
    return "".join(chr(byte) if 33 <= byte < 127 and byte != 0x25 else f"%{byte:02X}" for byte in name)


def lay_out_drive(base: str, label: str, target: Path) -> Path:
    """Put one drive of a base below `target`: the layers that `drives.json` names, one over the other."""
    for layer in json.loads((ROOT / "bases" / base / "drives.json").read_text())[label]:
        shutil.copytree(ROOT / "bases" / base / layer, target, dirs_exist_ok=True)
    return target


def lay_out(case: str, target: Path) -> tuple[dict[str, Any], list[Path]]:
    """Lay out the drives of a case below `target`; return its `expect.json` and the drives' folders."""
    folder = ROOT / "cases" / case
    expect = json.loads((folder / "expect.json").read_text())
    drives: list[Path] = []
    for number, drive in enumerate(expect["drives"], 1):
        base, label = drive.split("/")
        drives.append(lay_out_drive(base, label, target / f"{number}-{label}"))
        if base != expect["base"] or drive in expect["drives"][: number - 1]:
            continue
        if (folder / label).is_dir():
            shutil.copytree(folder / label, drives[-1], dirs_exist_ok=True)
        for name in expect["remove"].get(label, ()):
            (drives[-1] / name).unlink()
        for name, leads_to in expect["links"].get(label, {}).items():
            (drives[-1] / name).unlink(missing_ok=True)
            (drives[-1] / name).symlink_to(leads_to)
    return expect, drives


def dossier(expect: dict[str, Any], name: str) -> tuple[bytes, bytes] | None:
    """Return a document that the reader has beforehand, and its signature; None if the case says that it has not."""
    path = ROOT / "bases" / expect["base"] / "dossier" / name
    return (path.read_bytes(), path.with_name(f"{name}.sig").read_bytes()) if name in expect["dossier"] else None


def described(root: Path, *, with_attributes: bool = True) -> list[dict[str, Any]]:
    """Return everything below a folder, in the order of the names' bytes, as `tree.json` has it."""
    top = os.fsencode(root)
    first: dict[int, str] = {}
    entries: list[dict[str, Any]] = []
    for name in sorted(_names(top, b"")):
        path = os.path.join(top, name)  # noqa: PTH118 - names are bytes
        status = os.lstat(path)
        entry: dict[str, Any] = {"name": shown(name), "mtime_ns": status.st_mtime_ns}
        if stat.S_ISLNK(status.st_mode):
            entries.append(entry | {"kind": "symlink", "target": shown(os.readlink(path))})  # noqa: PTH115
            continue
        entry["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
        if with_attributes:
            entry["attributes"] = _attributes(path)
        if stat.S_ISDIR(status.st_mode):
            entries.append(entry | {"kind": "directory"})
            continue
        entry |= {"kind": "file", "sha256": hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()}
        if status.st_nlink > 1:
            entry["same_file_as"] = first.setdefault(status.st_ino, shown(name))
        entries.append(entry)
    return entries


def tree(base: str, *, with_attributes: bool = True) -> list[dict[str, Any]]:
    """Return what a reader restores of a base."""
    entries = json.loads((ROOT / "bases" / base / "tree.json").read_text())
    if not with_attributes:
        for entry in entries:
            entry.pop("attributes", None)
    return entries


def _names(top: bytes, below: bytes) -> Iterable[bytes]:
    with os.scandir(os.path.join(top, below)) as found:  # noqa: PTH118
        for entry in found:
            name = below + b"/" + entry.name if below else entry.name
            yield name
            if entry.is_dir(follow_symlinks=False):
                yield from _names(top, name)


def _attributes(path: bytes) -> dict[str, str]:
    try:
        names = sorted(os.fsencode(name) for name in os.listxattr(path, follow_symlinks=False))
    except OSError:
        return {}
    return {shown(name): os.getxattr(path, name).hex() for name in names if name.startswith(b"user.")}
