"""Loop devices with real file systems, for tests that run as root; all is unmounted and detached, also on failure."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from packtrain.units import MIB

MAKERS = {
    "ext4": ("mkfs.ext4", "-q", "-m", "0", "-T", "largefile4", "-N", "2048"),
    "xfs": ("mkfs.xfs", "-q"),
    "exfat": ("mkfs.exfat",),
}
# xfs makes none below 300 MB.
SIZES = {"ext4": 64 * MIB, "xfs": 320 * MIB, "exfat": 64 * MIB}


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def loop_device(image: Path, size_bytes: int, *, with_partitions: bool = False) -> Iterator[Path]:
    """Yield a loop device over a new sparse file; skip where this machine makes none."""
    with image.open("xb") as stream:
        stream.truncate(size_bytes)
    options = ["--partscan"] if with_partitions else []
    made = _run("losetup", "--find", "--show", *options, image)
    if made.returncode != 0:
        pytest.skip(f"no loop device here: {made.stderr.strip()}")
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        _run("losetup", "--detach", device)
        image.unlink(missing_ok=True)


@contextmanager
def mounted(device: Path, point: Path, kind: str = "ext4", options: str = "rw") -> Iterator[Path]:
    """Yield the mount point of a device."""
    point.mkdir(parents=True, exist_ok=True)
    done = _run("mount", "-t", kind, "-o", options, device, point)
    if done.returncode != 0:
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()}")
    try:
        yield point
    finally:
        if _run("umount", point).returncode != 0:
            _run("umount", "--lazy", point)


@contextmanager
def loop_drive(point: Path, kind: str = "ext4", size_bytes: int | None = None) -> Iterator[Path]:
    """Yield a mount point with a fresh file system of this kind; skip where there is no program to make it."""
    if shutil.which(MAKERS[kind][0]) is None:
        pytest.skip(f"no {MAKERS[kind][0]} here")
    point.parent.mkdir(parents=True, exist_ok=True)
    image = point.parent / f"{point.name}.img"
    with loop_device(image, size_bytes or SIZES[kind]) as device:
        done = _run(*MAKERS[kind], device)
        assert done.returncode == 0, done.stderr
        with mounted(device, point, kind):
            yield point


@contextmanager
def loop_drives(points: list[Path], kind: str = "ext4", size_bytes: int | None = None) -> Iterator[list[Path]]:
    """Yield several of them."""
    with ExitStack() as stack:
        yield [stack.enter_context(loop_drive(point, kind, size_bytes)) for point in points]
