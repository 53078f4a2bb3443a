"""One worker of an attempt: how its process is started, what it says, how it is ended, and daemons it left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.errors import TrainingFailed
from packtrain.ports import TrainingJob

_WORKER_START: Final = Path(__file__).with_name("worker_start.py")
_CONTRACT: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
DONE_VARIABLE: Final = "PACKTRAIN_DONE"
_MAX_LINE_BYTES: Final = 64 * 1024
_LOG_TAIL_BYTES: Final = 4096
_PIPE_PIECES: Final = 64  # 4 MiB: more than any pipe holds by default
# After a lost worker the others usually fail by themselves at once: their connection to it is gone.
_KILL_WAIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """The place of a worker among all of an attempt, and how it finds the others.

    Attributes:
        rank, local_rank: its number among all, and among those of its host.
        world_size: how many there are.
        master_address, master_port: where rank 0 opens its store.
        interface: the network interface that gloo and NCCL are pointed at.
    """

    rank: int
    local_rank: int
    world_size: int
    master_address: str
    master_port: int
    interface: str


class Worker:
    """A process that was started, its log, and the part of its output that is no whole line yet.

    Attributes:
        rank: its number.
        pid: its process id, which is that of its session and process group too.
        stdout: what it writes, without blocking.
        is_closed: whether it has closed its output.
        exit_code: minus the signal for one that was killed; None before `look` has seen its end.

    Raises:
        TrainingFailed: it cannot be started.
    """

    def __init__(self, job: TrainingJob, place: Rendezvous, done_mark: Path, log: Path) -> None:
        self.rank = place.rank
        self.is_closed = False
        self.exit_code: int | None = None
        self._rest = b""
        self._log_path = log
        self._log = log.open("ab", buffering=0)
        try:
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-S", str(_WORKER_START), str(os.getpid()), str(job.python), *job.command),
                cwd=job.program_folder,
                env=_environment(job, place, done_mark),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise TrainingFailed(
                f"worker cannot be started: {error.strerror}", where=str(job.program_folder)
            ) from error
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.stdout = self._process.stdout
        os.set_blocking(self.stdout.fileno(), False)

    def look(self) -> int | None:
        """Return the exit code (minus the signal) if the process has ended. It is not reaped: its id stays its own."""
        if self.exit_code is None:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                self.exit_code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        return self.exit_code

    # --- what it says ---

    def read(self) -> list[bytes] | None:
        """Return the lines that end in what is in the pipe now; None where nothing is in it.

        A line of more than 64 KiB comes in parts. With the end of the output comes what is left, a torn line.
        """
        try:
            piece = os.read(self.stdout.fileno(), _MAX_LINE_BYTES)
        except BlockingIOError:
            return None
        if not piece:
            self.is_closed = True
            return self._take_rest()
        *whole, self._rest = (self._rest + piece).split(b"\n")
        lines = [line + b"\n" for line in whole]
        return lines + self._take_rest() if len(self._rest) > _MAX_LINE_BYTES else lines

    def read_left(self) -> list[bytes]:
        """Return the lines of all that is in the pipe still, and the torn one behind them."""
        lines: list[bytes] = []
        # Counted: a process that escaped and writes without end is no reason to read without end.
        for _ in range(_PIPE_PIECES):
            found = None if self.is_closed else self.read()
            if found is None:
                break
            lines += found
        return lines + self._take_rest()

    def _take_rest(self) -> list[bytes]:
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def log(self, line: bytes) -> None:
        """Write a line that says nothing to the engine into the log, where its standard error goes by itself."""
        self._log.write(line)

    def cut_log(self, most_bytes: int) -> None:
        """Begin a log that is longer anew; what it held, and no more, stays beside it as `….log.1`.

        The worker appends to it itself: what it writes between copy and cut is lost.
        """
        if os.fstat(self._log.fileno()).st_size > most_bytes:
            with contextlib.suppress(OSError):  # on a full disk it is the cut that helps
                shutil.copyfile(self._log_path, self._log_path.with_name(f"{self._log_path.name}.1"))
            os.ftruncate(self._log.fileno(), 0)

    # --- its end ---

    def ask_to_stop(self) -> None:
        """Send SIGTERM if it lives."""
        if self.look() is None:
            # Not Popen.send_signal: it reaps a worker that has just ended, and nobody could look at it any more.
            os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill it and what it started, but for daemons; to be called before it is reaped."""
        # While the leader is a zombie its group id cannot belong to anybody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for its end, ten seconds at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_SECONDS)

    def close(self) -> None:
        """Close its output and its log."""
        self.stdout.close()
        self._log.close()


def last_words(log: Path) -> str:
    """Return the last line of a worker's log that says something."""
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LOG_TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing in its log")
    return "no log"


def kill_daemons(done_mark: Path) -> None:
    """Kill every process that was started under this attempt's mark: daemons of workers, which left their groups.

    One that also wiped its environment, or that of another user, is not found.
    """
    variable = f"{DONE_VARIABLE}={done_mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                process = os.pidfd_open(int(entry.name))  # by descriptor: the number could pass to another process
                try:
                    if variable in (entry / "environ").read_bytes().split(b"\0"):
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                finally:
                    os.close(process)


def _environment(job: TrainingJob, place: Rendezvous, done_mark: Path) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _CONTRACT and name not in job.withheld and not name.startswith("TORCHELASTIC_")
    }
    if job.num_workers > 1:
        # As torchrun does: w workers with a thread for every core each would stand in each other's way.
        inherited.setdefault("OMP_NUM_THREADS", "1")
    # gloo looks its address up by the machine's name, which in a box without a network leads nowhere, and with Debian's
    # /etc/hosts to 127.0.1.1.
    inherited.setdefault("GLOO_SOCKET_IFNAME", place.interface)
    if place.interface != "lo":
        # On one machine NCCL needs no network, and "lo" would keep it from what it finds by itself.
        inherited.setdefault("NCCL_SOCKET_IFNAME", place.interface)
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        **job.environment,
        "RANK": str(place.rank),
        "LOCAL_RANK": str(place.local_rank),
        "WORLD_SIZE": str(place.world_size),
        "LOCAL_WORLD_SIZE": str(job.num_workers),
        "MASTER_ADDR": place.master_address,
        "MASTER_PORT": str(place.master_port),
        DONE_VARIABLE: str(done_mark),
    }
