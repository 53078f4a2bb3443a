"""Erasing a whole device behind its first mebibyte: by zeros that packtrain writes, or by a command of the kernel's."""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from packtrain import __version__, durable
from packtrain.devices.sanitise_plan import program
from packtrain.devices.sanitise_target import HEAD_BYTES, forget_cached, is_direct
from packtrain.documents.codec import Instant
from packtrain.documents.sanitisation import Method, SanitisingStep
from packtrain.errors import MissingDependency, SanitisingFailed
from packtrain.units import GIB, MIB, format_bytes

_CHUNK_BYTES: Final = 8 * MIB
_PIECE_BYTES: Final = 64 * 1024
"""What is tried alone where a chunk cannot be written: one bad place must not leave eight mebibytes as they were."""
_MOST_FAULTS: Final = 1000
SAVE_BYTES: Final = GIB
"""How much is overwritten between two savings of the place; what a cut costs."""
_OPTIONS: Final[dict[Method, tuple[str, ...]]] = {
    "zeroout": ("--zeroout",),
    "discard": (),
    "secure-discard": ("--secure",),
}
Told = Callable[[int, int], None]
Save = Callable[[int], None]
"""Is told up to which byte all before it is overwritten and flushed."""
Now = Callable[[], Instant]


def overwrite(
    descriptor: int, size_bytes: int, start: int, told: Told, save: Save, now: Now, save_bytes: int = SAVE_BYTES
) -> SanitisingStep:
    """Overwrite an open device with zeros from `start` to its end, in one pass, past the page cache.

    Args:
        descriptor: of the whole device.
        size_bytes: its size.
        start: a multiple of a mebibyte; what lies before was overwritten by a run that was cut off, or is the head.
        told: takes progress.
        save: is called now and then, after a flush; a run that is cut off goes on from the last.
        now: the clock.
        save_bytes: how often.
    """
    started = now()
    at, saved, num_faults, left_bytes = start, start, 0, 0
    first_fault = ""
    with mmap.mmap(-1, _CHUNK_BYTES) as zeros, memoryview(zeros) as view:
        while at < size_bytes and num_faults < _MOST_FAULTS:
            length = min(_CHUNK_BYTES, size_bytes - at)
            try:
                _write(descriptor, view, at, length)
            except OSError:
                for piece in range(at, at + length, _PIECE_BYTES):
                    try:
                        _write(descriptor, view, piece, min(_PIECE_BYTES, at + length - piece))
                    except OSError as error:
                        num_faults += 1
                        left_bytes += min(_PIECE_BYTES, at + length - piece)
                        first_fault = first_fault or f"{error.strerror} at byte {piece}"
            at += length
            told(at, size_bytes)
            if at - saved >= save_bytes:
                os.fsync(descriptor)
                # A place that could not be written is tried again by a run that goes on, never passed over.
                if not num_faults:
                    save(at)
                saved = at
                durable.step(f"overwritten to {at}")
    failed = ""
    try:
        forget_cached(descriptor)
    except OSError as error:
        failed = f"flush failed: {error.strerror}"
    if num_faults:
        failed = f"{left_bytes} bytes or more could not be written: {first_fault}"
    how = "past the cache" if is_direct(descriptor) else "through the cache, flushed"
    from_cut = f" (the run before was cut off: from byte {start} on in this one)" if start > HEAD_BYTES else ""
    detail = failed or f"one pass of zeros over bytes {HEAD_BYTES} to {size_bytes}, {how}{from_cut}"
    return own_step(detail, started, now(), succeeded=not failed and at >= size_bytes)


def own_step(detail: str, started: Instant, finished: Instant, *, succeeded: bool = True) -> SanitisingStep:
    """Return the step of something that packtrain did by itself, without a command."""
    return SanitisingStep(
        argv=(),
        tool=f"packtrain {__version__}",
        exit_status=None,
        detail=detail,
        succeeded=succeeded,
        started=started,
        finished=finished,
    )


def run_blkdiscard(device: Path, method: Method, size_bytes: int, told: Told, now: Now) -> SanitisingStep:
    """Run blkdiscard over a device behind its first mebibyte; the device must not be held by this process.

    Raises:
        MissingDependency: it is not installed.
    """
    found = program("blkdiscard")
    if found is None:
        raise MissingDependency("blkdiscard is not installed", hint="Debian package: util-linux")
    argv = (found, *_OPTIONS[method], "--offset", str(HEAD_BYTES), str(device))
    started, clock = now(), time.monotonic()
    # Without --force it opens the device for itself alone, so that nothing mounted is ever reached.
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while True:
        try:
            output, _ = process.communicate(timeout=1.0)
            break
        except subprocess.TimeoutExpired:
            told(0, size_bytes)
        except BaseException:
            process.kill()
            process.wait()
            raise
    said = output[-2000:].decode("utf-8", "replace").strip()
    durable.step(f"ran {Path(found).name}")
    good = process.returncode == 0
    detail = f"bytes {HEAD_BYTES} to {size_bytes} ({format_bytes(size_bytes)}) in {time.monotonic() - clock:.1f} s"
    return SanitisingStep(
        argv=argv,
        tool=_version(found),
        exit_status=process.returncode,
        detail=detail if good else f"exit status {process.returncode}: {said}"[:4096],
        succeeded=good,
        started=started,
        finished=now(),
    )


def refuse_unable(device: Path, name: str, method: Method, sys_root: Path = Path("/sys")) -> None:
    """Refuse a method that the kernel says this device does not take, before anything is written to it.

    Raises:
        SanitisingFailed: it does not.
    """
    if method not in ("discard", "secure-discard"):
        return
    try:
        most = int((sys_root / "block" / name / "queue" / "discard_max_bytes").read_text())
    except (OSError, ValueError):
        most = 0
    if most == 0:
        raise SanitisingFailed(
            "the device takes no discard",
            where=str(device),
            found="discard_max_bytes is 0",
            hint="nothing was written to it; --method overwrite works on every device",
        )


def _write(descriptor: int, zeros: memoryview, offset: int, length: int) -> None:
    done = 0
    while done < length:
        with zeros[done:length] as rest:
            done += os.pwritev(descriptor, [rest], offset + done)


def _version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=10.0)
    except (OSError, subprocess.TimeoutExpired):
        return f"{path}, version not told"
    return done.stdout[:200].decode("utf-8", "replace").strip() or f"{path}, version not told"
