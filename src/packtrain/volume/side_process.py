"""Processes that do for this one what the interpreter does for each small file, a few of them, each lent to one thread.

Bytes go through shared memory, all else through a connection. What such a process is, and what it may touch, says the
module that it runs; how it is started, asked and ended is the same for all.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe
from typing import Final, Generic, TypeVar

from packtrain.errors import WorkerCrashed
from packtrain.volume.fault import Fault, error_of

NUM_SLOTS: Final = 2
"""One is filled while the other is taken from."""


class SideProcess:
    """One process, started when it is first needed, and again after its end.

    Args:
        module: what it runs: `main` of this module, with the descriptors of connection and memory as arguments.
        arguments: what follows them; any user of the machine can read these.
        does: what it does, for messages ("seals volumes").
        slot_bytes: of each of the two slots of the shared memory.
        kept: descriptors that it has open too, under the same numbers, and has no use for but to hold them.
    """

    def __init__(
        self, module: str, arguments: tuple[str, ...], does: str, slot_bytes: int, kept: tuple[int, ...] = ()
    ) -> None:
        self._module = module
        self._arguments = arguments
        self._does = does
        self._slot_bytes = slot_bytes
        self._kept = kept
        self._running: tuple[subprocess.Popen[bytes], Connection, mmap.mmap] | None = None

    def end(self) -> None:
        """End the process, whatever it is at; the next request starts another."""
        if self._running is not None:
            process, connection, _ = self._running
            self._running = None
            connection.close()
            process.kill()  # what it leaves unfinished is nobody's yet
            process.wait()

    def _started(self) -> bool:
        """Start the process if it does not run; return whether it was started now.

        Raises:
            WorkerCrashed: it cannot be started.
        """
        if self._running is not None:
            return False
        try:
            self._running = self._start()
        except OSError as error:
            raise WorkerCrashed(
                f"a process that {self._does} cannot be started",
                found=error.strerror,
                hint="look at the limits of memory, processes and open files (`ulimit -a`); then run the same "
                "command again: it goes on where it stopped",
            ) from error
        return True

    def _slot(self, slot: int, count: int) -> memoryview:
        """Return the first bytes of a slot; release it, or use it as a context."""
        assert self._running is not None
        return memoryview(self._running[2])[slot * self._slot_bytes : slot * self._slot_bytes + count]

    def _send(self, message: object) -> None:
        """Send a message.

        Raises:
            WorkerCrashed: the process died.
        """
        assert self._running is not None
        process, connection, _ = self._running
        try:
            connection.send(message)
        except OSError as error:
            raise self._crashed(process) from error

    def _receive(self) -> object:
        """Return the next message.

        Raises:
            WorkerCrashed: the process died.

            And what the process says went wrong.
        """
        assert self._running is not None
        process, connection, _ = self._running
        try:
            message = connection.recv()
        except (EOFError, OSError) as error:
            raise self._crashed(process) from error
        if isinstance(message, Fault):
            raise error_of(message)
        return message

    def _crashed(self, process: subprocess.Popen[bytes]) -> WorkerCrashed:
        return WorkerCrashed(
            f"a process that {self._does} ended without a word",
            found=f"exit status {process.wait()}",
            hint="usually the machine was out of memory; run the same command again: it goes on where it stopped",
        )

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection, mmap.mmap]:
        ours, theirs = Pipe()
        memory = os.memfd_create("packtrain-slots", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, NUM_SLOTS * self._slot_bytes)
            slots = mmap.mmap(memory, NUM_SLOTS * self._slot_bytes)
            descriptors = (theirs.fileno(), memory)
            code = f"from {self._module} import main; main()"
            process = subprocess.Popen(
                # -P: what lies in the current folder is not to be imported.
                [sys.executable, "-P", "-c", code, *map(str, descriptors), *self._arguments],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                pass_fds=(*descriptors, *self._kept),
                # Ctrl-C is for the one who started it, and ends it.
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(memory)
        return process, ours, slots


OneOfThem = TypeVar("OneOfThem", bound=SideProcess)


class SideProcesses(Generic[OneOfThem]):
    """Some processes, none of them started yet, for any number of threads.

    Args:
        make: returns one.
        most: how many; there are no more than cores.
    """

    def __init__(self, make: Callable[[], OneOfThem], most: int) -> None:
        self._all = [make() for _ in range(min(most, len(os.sched_getaffinity(0))))]
        self._idle: queue.SimpleQueue[OneOfThem] = queue.SimpleQueue()
        for process in self._all:
            self._idle.put(process)

    def close(self) -> None:
        """End all processes; nobody may wait for one."""
        for process in self._all:
            process.end()

    @contextlib.contextmanager
    def lent(self) -> Iterator[OneOfThem]:
        """Yield a process that nobody else has, as soon as one is free; an error in the context ends it."""
        process = self._idle.get()
        try:
            yield process
        except BaseException:
            # It is somewhere within a volume that nobody wants any more.
            process.end()
            raise
        finally:
            self._idle.put(process)
