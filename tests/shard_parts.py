"""Ready shards for tests of adoption: tar files by hand, by the tar program, by webdataset; voyages that adopt them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from packtrain.crypto.sshsig import generate_key_pair
from packtrain.record.folder import VoyageFolder
from source_parts import jpeg, png


def tar_of(members: Sequence[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar of these members as Python's own writer makes it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, payload in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(payload), 1_700_000_000
            archive.addfile(info, io.BytesIO(payload))
    return target.getvalue()


def samples(num: int, seed: int = 0, *, prefix: str = "") -> list[tuple[str, bytes]]:
    """Return the members of so many samples: picture, caption and label each; every third picture is a JPEG."""
    members: list[tuple[str, bytes]] = []
    for number in range(num):
        draw = seed * 1000 + number
        is_jpeg = number % 3 == 0
        picture = jpeg(64, 48, draw) if is_jpeg else png(20, 16, draw)
        key = f"{prefix}{number:06d}"
        members.append((f"{key}.{'jpg' if is_jpeg else 'png'}", picture))
        members.append((f"{key}.txt", f"caption {draw}".encode()))
        members.append((f"{key}.cls", str(number % 10).encode()))
    return members


def write_shards(root: Path) -> Path:
    """Write two shards to train on and one to validate with, and a licence; return the folder."""
    for name, payload in {
        "train/000000.tar": tar_of(samples(5, 1)),
        "train/000001.tar": tar_of(samples(4, 2)),
        "val/000000.tar": tar_of(samples(3, 3)),
        "LICENSE": b"CC0\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return root


def adopting_folder(root: Path, sources: Path, form: str, recipe: str = "", more: str = "") -> VoyageFolder:
    """Make a voyage folder that adopts `sources` by this [prepare] section."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "voyage.toml").write_text(
        f'[voyage]\nname = "test voyage"\n\n[sources]\npaths = ["{sources}"]\nform = "{form}"\n\n'
        f"[prepare]\n{recipe}\n{more}\n"
    )
    if not (root / "keys" / "signer").exists():
        generate_key_pair(root / "keys" / "signer", "a test")
    return VoyageFolder(root)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet table."""
    return pq.read_table(path).to_pylist()


def stamp(root: Path) -> Mapping[str, tuple[int, int, int, bytes]]:
    """Return of every file below a folder inode, number of names, time of change, and content."""
    found: dict[str, tuple[int, int, int, bytes]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(root))] = (
                status.st_ino,
                status.st_nlink,
                status.st_mtime_ns,
                path.read_bytes(),
            )
    return found
