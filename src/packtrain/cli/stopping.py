"""Ctrl-C, SIGTERM and SIGHUP: the first ends the work in order, the second at once; and what a verb keeps of it."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final

from packtrain.errors import LoginClosed

_BY_DEFAULT: Final = "what was finished is kept"
_KEPT: Final[Mapping[str, str]] = {
    "measure": "its files on the drives are removed, an earlier measurement stays, this one begins anew",
    "prepare": "finished units of work are kept, the one at work is done again",
    "rehearse": "wheels that were fetched are kept, the runs begin anew",
    "kit": "wheels that were fetched are kept",
    "pack": "finished stripes and closed drives are kept, the stripe at work is written anew",
    "check": "nothing was changed; it reads from the start again",
    "check --repair": "what was mended stays mended; it looks at the drives again",
    "load": "files of proven volumes are kept, the volumes at work are read again",
    "train": "the last complete checkpoint is kept, and training resumes from it",
    "return": "pieces and files that are whole are kept",
    "drives": "what was removed or overwritten is gone; it goes on from there",
    "screen": "no screening was signed; it begins anew",
    "lists": "the list was not added; it begins anew",
    "audit": "nothing was changed; it begins anew",
    "demo": "what it made is removed, it begins anew",
}


class StopSignals:
    """Takes SIGINT, SIGTERM and SIGHUP. `exit_code` is that of the signal that came: 130, 143, or 129 of SIGHUP."""

    def __init__(self) -> None:
        self.exit_code = 128 + signal.SIGINT
        self._num_came = 0

    def take(self) -> None:
        """Handle them from now on: the first of them raises KeyboardInterrupt in the main thread."""
        signal.signal(signal.SIGTERM, self._came)
        # One that was started with SIGINT ignored, in the background of a shell, or SIGHUP, by nohup, stays so.
        for number in (signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._came)

    def _came(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            _leave_lost_terminal()
            # A closed login sends it twice: the kernel, and then the shell. That is nobody who is out of patience.
            if self._num_came > 0:
                return
        self._num_came += 1
        self.exit_code = 128 + signum
        if self._num_came > 1:
            # No handler, no `finally`: what waits for a drive that does not answer is left to the kernel. A power cut
            # does the same, and is harmless at every step.
            os._exit(self.exit_code)
        raise LoginClosed if signum == signal.SIGHUP else KeyboardInterrupt


def _leave_lost_terminal() -> None:
    """Let nothing go to a terminal that is gone: each line would be an error, amid what must still be done."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                nothing = os.open(os.devnull, os.O_RDWR)
                os.dup2(nothing, descriptor)
                os.close(nothing)


def what_is_kept(arguments: Sequence[str]) -> str:
    """Return what the verb of a command line keeps when it is stopped, as a sentence without its end."""
    verb = next((word for word in arguments if not word.startswith("-")), "")
    if verb == "check" and "--repair" in arguments:
        verb = "check --repair"
    return _KEPT.get(verb, _BY_DEFAULT)
