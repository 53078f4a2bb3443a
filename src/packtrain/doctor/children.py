"""Programs that answer a question within some seconds, or are given up: nothing waits for a child that hangs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

_MOST_BYTES: Final = 1 << 20
"""Of each stream so much is kept; what comes after it is read and dropped, so that the program can end."""
_PIECE_BYTES: Final = 1 << 16
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said.

    Attributes:
        status: how it ended; None where it was given up or could not be started.
        text: its standard output, as far as it came.
        complaint: its standard error, or why there is no answer, in one line.
    """

    status: int | None
    text: str
    complaint: str

    @property
    def first_line(self) -> str:
        """Return the first line it said, on whichever stream."""
        lines = [line.strip() for line in f"{self.text}\n{self.complaint}".splitlines() if line.strip()]
        return lines[0][:200] if lines else ""

    def records(self) -> list[dict[str, Any]]:
        """Return the JSON objects it printed, one a line; a line that was cut is left out."""
        found: list[dict[str, Any]] = []
        for line in self.text.splitlines():
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                found += [record] if isinstance(record, dict) else []
        return found


def ask(argv: Sequence[str], seconds: float, *, told: str = "", environment: Mapping[str, str] | None = None) -> Answer:
    """Return what a program answers; after `seconds` it is killed, and not waited for: a dead mount may hold it."""
    return Asked(argv, told=told, environment=environment).answer(seconds)


class Asked:
    """A program that was started, and answers while others are asked.

    Args:
        argv: program and arguments.
        told: its standard input.
        environment: its variables (default: those of this process).
    """

    def __init__(self, argv: Sequence[str], *, told: str = "", environment: Mapping[str, str] | None = None) -> None:
        self._started = time.monotonic()
        self._untold = memoryview(told.encode())
        self._why = ""
        try:
            self._process = subprocess.Popen(
                [*argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment) if environment is not None else None,
                start_new_session=True,
            )
        except OSError as error:
            self._process, self._why = None, (error.strerror or str(error)).lower()
            return
        # At once, so that it works while others are asked.
        self._tell(self._process.stdin)

    def answer(self, seconds: float) -> Answer:
        """Return what it says until `seconds` after it was started."""
        if self._process is None:
            return Answer(None, "", self._why)
        ends = max(self._started + seconds, time.monotonic() + 0.05)
        text, complaint = self._heard(self._process, ends)
        try:
            status = self._process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            return Answer(None, text, f"no answer within {seconds:g} s")
        return Answer(status, text, complaint)

    def _tell(self, stdin: IO[bytes] | None) -> None:
        """Tell it a piece that a pipe with room takes at once; close the pipe after the last, or if nobody reads it."""
        assert stdin is not None
        try:
            self._untold = self._untold[os.write(stdin.fileno(), self._untold[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            self._untold = self._untold[:0]
        if not self._untold:
            stdin.close()

    def _heard(self, process: subprocess.Popen[bytes], ends: float) -> tuple[str, str]:
        """Tell it the rest; return what it says on both streams until it closes them, or the clock is at `ends`.

        `Popen.communicate` does the same, and keeps all that is said: gigabytes within the seconds of a program gone
        wrong.
        """
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        text, complaint = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            if not process.stdin.closed:
                selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ, text)
            selector.register(process.stderr, selectors.EVENT_READ, complaint)
            while selector.get_map() and (left := ends - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if key.fileobj is process.stdin:
                        self._tell(process.stdin)
                        if process.stdin.closed:
                            selector.unregister(process.stdin)
                    elif piece := os.read(key.fd, _PIECE_BYTES):
                        key.data.extend(piece[: _MOST_BYTES - len(key.data)])
                    else:
                        selector.unregister(key.fileobj)
        return text.decode("utf-8", "replace"), complaint.decode("utf-8", "replace")


def child(name: str, *, told: object, with_packages: bool = False) -> Asked:
    """Start one of this folder's children, which speak JSON, a line an object.

    Args:
        name: its module.
        told: what it reads, as one JSON document.
        with_packages: let it import what this process could.
    """
    options = ["-P"] if with_packages else ["-I", "-S"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    argv = [sys.executable, *options, str(_HERE / f"{name}.py")]
    return Asked(argv, told=json.dumps(told), environment=environment if with_packages else None)


def find_program(name: str) -> str | None:
    """Return where a program is, also where only root looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
