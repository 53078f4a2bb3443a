"""The stop watch: wall time, CPU seconds and memory of one command and all that it starts; facts about the machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import resource
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
# Fifty times a second took a third of a core from what is measured.
_SAMPLE_SECONDS: Final = 0.1
# The process table is read whole this often only; in between, the processes that are known are asked.
_SAMPLES_A_SEARCH: Final = 3
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class StepFailed(Exception):
    """A command ended with an error; the message has what it said last."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command that is measured.

    Attributes:
        label: for messages.
        environment: added to this process's own.
    """

    label: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one or more steps took.

    Attributes:
        cpu_seconds: user and system, of the command and all its children that ended (wait4).
        peak_bytes: the largest sum of resident memory over all its processes, read from /proc ten times a second;
            shared pages count in each. At least what the kernel kept as the maximum of one process.
        output: what the last command wrote to stdout.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str

    def then(self, other: Measured) -> Measured:
        """Return both, one after the other."""
        return Measured(
            self.wall_seconds + other.wall_seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
            other.output,
        )


def run(step: Step) -> Measured:
    """Run a command to its end.

    Raises:
        StepFailed: it could not be started, or its exit status is not 0.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                step.arguments,
                cwd=step.folder,
                env={**os.environ, **step.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=messages,
            )
        except OSError as error:
            raise StepFailed(f"{step.label}: {error}") from error
        sampler = _Sampler(process.pid)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            raise
        finally:
            sampler.stop()
        output.seek(0)
        messages.seek(0)
        if process.returncode:
            said = (messages.read()[-2000:] + output.read()[-500:]).decode("utf-8", "replace")
            raise StepFailed(f"{step.label}: exit status {process.returncode}: {said.strip()}")
        return Measured(
            wall_seconds=wall_seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            # Until it becomes the command, the child counts as large as this process: that is not the command's.
            peak_bytes=max(sampler.peak_bytes, 0 if usage.ru_maxrss <= own_peak else usage.ru_maxrss * 1024),
            output=output.read().decode("utf-8", "replace"),
        )


class _Sampler(threading.Thread):
    """Adds up the resident memory of a process and all below it, until it is stopped."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._root = root
        self._stopped = threading.Event()

    def run(self) -> None:
        known: list[int] = []
        for sample in range(10**9):
            if sample % _SAMPLES_A_SEARCH == 0:
                known = _tree(self._root)
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident_bytes, known)))
            if self._stopped.wait(_SAMPLE_SECONDS):
                return

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - ten times a second
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The command may hold spaces and brackets; the parent is the second field after it.
                parent = int(Path(f"/proc/{name}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def _resident_bytes(process: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    return 0


def hash_rate(num_threads: int, total_bytes: int) -> float:
    """Return the bytes that hashlib's SHA-256 takes in a CPU second, with so many threads at `total_bytes` each."""
    block = bytes(_MIB)

    def work() -> None:
        state = hashlib.sha256()
        for _ in range(total_bytes // _MIB):
            state.update(block)

    threads = [threading.Thread(target=work) for _ in range(num_threads)]
    started = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return num_threads * total_bytes / (time.process_time() - started)


def machine_facts(work: Path) -> dict[str, object]:
    """Return what the figures depend on: the day, processor, memory, kernel, libraries, where the work lies."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(fields.get("flags", "").split())
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "processor": fields.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "flags": {name: name in flags for name in ("sha_ni", "aes", "vaes", "avx2", "avx512f", "gfni")},
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES // _MIB,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl_of_hashlib": ssl.OPENSSL_VERSION,
        "file_system_of_work": _file_system(work),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def _file_system(folder: Path) -> str:
    best, found = "", "unknown"
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, mount_point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount_point) and len(mount_point) >= len(best):
            best, found = mount_point, kind
    return found
