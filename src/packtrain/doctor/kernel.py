"""What the kernel grants this user: namespaces, block devices, open files, shared memory."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.doctor.finding import Finding, State, Subject
from packtrain.units import GIB, counted, format_bytes

_SYSCTLS: Final = (
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    ("user/max_net_namespaces", "0", "sudo sysctl -w user.max_net_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""Below /proc/sys: what each says where it stands in the way (Debian and RHEL, both, old Debian, Ubuntu)."""
_FILES_BEFORE_DRIVES: Final = 64
_FILES_A_DRIVE: Final = 4
_MOST_DRIVES: Final = 60
_FEWEST_BEFORE_DRIVES: Final = 32
_FEWEST_A_DRIVE: Final = 2.5
"""Measured: packing onto 60 drives stops where 152 files may be open, goes on at 200, and took up to 185 at 320."""
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - looked at, never written to
_LOADER_BYTES: Final = GIB
_FORMATTING: Final = ("drives format", "drives sanitise", "drives --smart")


def look_at_namespaces(subject: Subject) -> Iterator[Finding]:
    """Yield whether a box without a network can be made, by making one; else what forbids it."""
    from packtrain.training.box import Box

    reason = Box.probe()
    verbs = ("rehearse",)
    if reason is None:
        yield Finding("namespaces", "ok", Box.description(), verbs)
        return
    forbidding = [(name, remedy) for name, value, remedy in _SYSCTLS if _sysctl(name) == value]
    found = reason + "".join(f"; {name.replace('/', '.')} = {_sysctl(name)}" for name, _ in forbidding)
    remedy = "; ".join(remedy for _, remedy in forbidding)
    if "not installed" in reason:
        remedy = "apt-get install util-linux"
    elif not remedy:
        remedy = "outside of a container, or in one started with --security-opt seccomp=unconfined; or run it as root"
    why = "without a box with no network the clauses of a rehearsal are *not shown*, and its sheet is not signed"
    needed = subject.voyage is None or subject.voyage.training is not None
    yield Finding("namespaces", "fault" if needed else "warn", found, verbs, why, remedy)


def look_at_devices(subject: Subject) -> Iterator[Finding]:
    """Yield whether this user may read drives as devices, and whether files can play drives."""
    from packtrain.devices.block import read_drives

    drives = read_drives()
    refused = [str(drive.device) for drive in drives if not os.access(drive.device, os.R_OK | os.W_OK)]
    why = "drives are formatted, erased and asked for their health as devices; packing onto mounted ones is not"
    if not drives:
        found = "the kernel shows no drive here (a container, perhaps)"
        yield Finding("block devices", "not needed", found, _FORMATTING, why, "run it where the drives are plugged in")
    elif refused:
        found = f"no right to {', '.join(refused[:4])}" + (" and others" if len(refused) > 4 else "")
        remedy = "run those verbs by sudo"
        yield Finding("block devices", "warn", found, _FORMATTING, why, remedy)
    else:
        yield Finding("block devices", "ok", f"{counted(len(drives), 'drive')}, readable and writable", _FORMATTING)
    may = os.access("/dev/loop-control", os.R_OK | os.W_OK)
    found = "loop devices can be made" if may else "no right to /dev/loop-control, or it is not there"
    why = "" if may else "a file cannot be mounted as a drive to try the verbs on; folders can play drives instead"
    remedy = "" if may else "sudo modprobe loop, and sudo for what makes them"
    yield Finding("loop devices", "ok" if may else "not needed", found, ("drives format",), why, remedy)


def look_at_open_files(subject: Subject) -> Iterator[Finding]:
    """Yield whether as many files may be open as the drives of this voyage take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    at_once = _drives_at_once(subject)
    num_drives = at_once or _MOST_DRIVES
    wanted = _FILES_BEFORE_DRIVES + _FILES_A_DRIVE * num_drives
    found = f"{_limit(soft)} (at most {_limit(hard)}); {counted(num_drives, 'drive')} at once take up to {wanted}"
    verbs = ("pack", "check", "load")
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        yield Finding("open files", "ok", found, verbs)
        return
    fewest = _FEWEST_BEFORE_DRIVES + _FEWEST_A_DRIVE * num_drives
    state: State = "fault" if at_once is not None and soft < fewest else "warn"
    remedy = f"ulimit -n {wanted}"
    if hard != resource.RLIM_INFINITY and hard < wanted:
        remedy = f"sudo prlimit --nofile={wanted} --pid $$; for good: /etc/security/limits.conf"
    yield Finding("open files", state, found, verbs, "every drive is held open by several files", remedy)


def look_at_shared_memory(subject: Subject) -> Iterator[Finding]:
    """Yield whether /dev/shm has room for batches on their way to the trainer."""
    verbs = ("rehearse", "train")
    why = "batches go from reading processes to the trainer through it; a container often has 64 MB"
    remedy = "sudo mount -o remount,size=8g /dev/shm; a container: docker run --shm-size=8g"
    try:
        space = os.statvfs(_SHARED_MEMORY)
    except OSError as error:
        yield Finding(_SHARED_MEMORY, "warn", f"not there: {error.strerror}", verbs, why, remedy)
        return
    free = space.f_bavail * space.f_frsize
    found = f"{format_bytes(free)} free of {format_bytes(space.f_blocks * space.f_frsize)}"
    is_small = free < _LOADER_BYTES
    if subject.voyage is not None and subject.voyage.training is None:
        yield Finding(_SHARED_MEMORY, "not needed" if is_small else "ok", found, verbs, why if is_small else "")
    elif is_small:
        yield Finding(_SHARED_MEMORY, "warn", found, verbs, why, remedy)
    else:
        yield Finding(_SHARED_MEMORY, "ok", found, verbs)


def _drives_at_once(subject: Subject) -> int | None:
    """Return how many drives are mounted at once; None where voyage.toml names none."""
    drives = subject.voyage.drives if subject.voyage is not None else None
    if drives is None or not (drives.case or drives.bays):
        return None
    at_paths = len(drives.bays) + sum(len(case.drives) for case in drives.case)
    bays = [number for number in (drives.pack_bays, drives.load_bays) if number is not None]
    return max(1, min(at_paths, max(bays)) if bays else at_paths)


def _limit(number: int) -> str:
    return "no limit" if number == resource.RLIM_INFINITY else str(number)


def _sysctl(name: str) -> str | None:
    with contextlib.suppress(OSError):
        return (Path("/proc/sys") / name).read_text().strip()
    return None
