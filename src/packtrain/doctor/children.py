"""Programs that answer a question within some seconds, or are given up: nothing waits for a child that hangs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_MOST_BYTES: Final = 1 << 20
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
        self._told = told
        self._why = ""
        try:
            self._process = subprocess.Popen(
                [*argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment) if environment is not None else None,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._process, self._why = None, (error.strerror or str(error)).lower()

    def answer(self, seconds: float) -> Answer:
        """Return what it says until `seconds` after it was started."""
        if self._process is None:
            return Answer(None, "", self._why)
        try:
            left = max(self._started + seconds - time.monotonic(), 0.05)
            text, complaint = self._process.communicate(self._told, timeout=left)
        except subprocess.TimeoutExpired as late:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            said: bytes | str = late.stdout or ""
            text = said if isinstance(said, str) else said.decode("utf-8", "replace")
            return Answer(None, text[:_MOST_BYTES], f"no answer within {seconds:g} s")
        return Answer(self._process.returncode, text[:_MOST_BYTES], complaint[:_MOST_BYTES])


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
