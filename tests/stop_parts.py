"""A command in a terminal of its own that gets a real signal at a place where it surely works; what it said of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from dataclasses import dataclass

# In the child: at the n-th durable step, or the n-th piece read of a volume, the signal comes; from then on what reads
# is slow, so that threads which are not told to end would go on.
_LAUNCHER = """
import os, signal, sys, threading, time
kind, number, signum = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
signal.signal(signal.SIGINT, signal.default_int_handler)
seen, lock = [0], threading.Lock()
def one(*_):
    with lock:
        seen[0] += 1
        is_it = seen[0] == number
    if is_it:
        os.kill(os.getpid(), signum)
    if is_it and kind == "hang":
        time.sleep(1)
        os.kill(os.getpid(), signum)
    if seen[0] >= number:
        time.sleep({"step": 0, "read": 0.05, "hang": 60}[kind])
from packtrain import durable
from packtrain.devices import directory
if kind == "step":
    durable.observe_steps(one)
else:
    inner = directory._Reader.read_into
    def read_into(self, buffer, offset):
        if self._name.startswith("data/"):
            one()
        return inner(self, buffer, offset)
    directory._Reader.read_into = read_into
sys.argv = ["packtrain", *sys.argv[4:]]
from packtrain.cli.main import main
main()
"""
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Stopped:
    """How a command ended: its exit code, and all that was on its terminal, without the codes that draw."""

    exit_code: int
    screen: str

    def last_line(self) -> str:
        """Return the last line that says something."""
        return [line for line in re.split(r"[\r\n]+", self.screen) if line.strip()][-1]


def stopped_at(kind: str, number: int, signum: signal.Signals, *arguments: object, columns: int = 400) -> Stopped:
    """Run `packtrain ARGUMENTS` in a terminal of its own until its n-th "step" or "read", where the signal comes.

    At a "hang" a drive does not answer any more, and the signal comes twice.
    """
    command = [sys.executable, "-c", _LAUNCHER, kind, str(number), str(int(signum)), *map(str, arguments)]
    child, screen = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
        os.execv(command[0], command)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown = bytearray()
    with contextlib.suppress(OSError):
        while piece := os.read(screen, 1 << 16):
            shown += piece
    exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(screen)
    return Stopped(exit_code, _CODES.sub("", shown.decode("utf-8", "replace")))
