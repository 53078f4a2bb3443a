"""How this process ends where a library has left behind what an ordinary end would crash in, or wait for."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

_LEFT_BEHIND: Final[list[str]] = []


def leave_behind(what: str) -> None:
    """Note that threads of a library cannot be ended: neither they nor the library's own end may be waited for."""
    _LEFT_BEHIND.append(what)


def end_if_left_behind(exit_code: object) -> None:
    """End this process at once, with what was printed written out, if anything was left behind; else return.

    Args:
        exit_code: what a `SystemExit` holds: a number, None for 0; any else is 1.
    """
    if not _LEFT_BEHIND:
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code if isinstance(exit_code, int) else int(exit_code is not None))
