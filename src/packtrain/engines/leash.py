"""Kills a host's workers when its agent has heard nothing from the driver for too long, or is gone, or hangs itself.

A process of its own, run by path with nothing but the standard library: a host that was taken for lost must not go on
writing checkpoints beside the attempt that was formed without it, whatever state its agent is in.

Orders are lines on standard input: `lease SECONDS` (from now; a new one takes the place of the last), `group PID`,
`mark VARIABLE=VALUE` (of the environment, to find daemons by), `free` (forget groups and mark, and wait). The end of
the input is the agent's end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    # The signal that a terminal or a stopping agent sends to all is not for us: who would kill the workers?
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    mark = b""
    expires: float | None = None
    rest = b""
    while True:
        waits = None if expires is None else max(0.0, expires - time.monotonic())
        ready, _, _ = select.select([0], [], [], waits)
        if not ready:
            _kill(groups, mark)
            # Again and again until `free`: a process that was being started comes too late for the first time.
            expires = time.monotonic() + 0.2
            continue
        piece = os.read(0, 65536)
        if not piece:
            _kill(groups, mark)
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            word, _, value = line.partition(b" ")
            if word == b"lease":
                expires = time.monotonic() + float(value)
            elif word == b"group":
                groups.add(int(value))
            elif word == b"mark":
                mark = value
            elif word == b"free":
                groups.clear()
                mark, expires = b"", None


def _kill(groups: set[int], mark: bytes) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for entry in Path("/proc").iterdir() if mark else ():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                process = os.pidfd_open(int(entry.name))
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                finally:
                    os.close(process)


if __name__ == "__main__":
    main()
