"""Becomes a training worker that cannot outlive packtrain: asks the kernel for death with the parent, then execs.

Run by path with nothing but the standard library, so that it starts in some 20 ms. The other place for this call,
between fork and exec in packtrain itself, is not safe where packtrain has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; survives exec


def main() -> None:
    """Exec `argv[2:]` with SIGKILL as the signal of the parent's death; `argv[1]` is the parent's process id."""
    parent = int(sys.argv[1])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before the call: nobody would tell us
    try:
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is meant
    except OSError as error:
        sys.stderr.write(f"cannot start {sys.argv[2]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
