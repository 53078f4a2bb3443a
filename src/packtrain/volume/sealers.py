"""Processes that seal volumes of small files, one a core: that is work for the interpreter, which threads share.

Their ciphertext comes through shared memory; what goes to a drive, and into the journal, is written by the caller.
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
from pathlib import Path
from typing import Final

from packtrain import errors
from packtrain.errors import PacktrainError, WorkerCrashed
from packtrain.volume.sealing import Found
from packtrain.volume.sealing_process import (
    NUM_SLOTS,
    SLOT_BYTES,
    Fault,
    FilesFound,
    Piece,
    Sealed,
    Taken,
    Task,
)

# Each takes some 35 MB, of 300 for all of packing; a group of many drives has more of them in buffers.
_MOST: Final = 4
_MOST_BESIDE_MANY_DRIVES: Final = 2
_MANY_DRIVES: Final = 32
_CODE: Final = "from packtrain.volume.sealing_process import main; main()"


class Sealers:
    """Some processes, started when the first volumes are asked for. Use it as a context, from any number of threads.

    Args:
        folder: of the journal.
        recipient: what volumes are sealed for.
        num_drives: of the group.
    """

    def __init__(self, folder: Path, recipient: str, num_drives: int) -> None:
        most = _MOST if num_drives < _MANY_DRIVES else _MOST_BESIDE_MANY_DRIVES
        self._all = [Sealer(folder, recipient) for _ in range(min(most, len(os.sched_getaffinity(0))))]
        self._idle: queue.SimpleQueue[Sealer] = queue.SimpleQueue()
        for sealer in self._all:
            self._idle.put(sealer)

    def close(self) -> None:
        """End all processes; nobody may wait for one."""
        for sealer in self._all:
            sealer.end()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Sealer]:
        """Yield a process that nobody else has, as soon as one is free; an error in the context ends it."""
        sealer = self._idle.get()
        try:
            yield sealer
        except BaseException:
            # It is somewhere within a volume that nobody wants any more.
            sealer.end()
            raise
        finally:
            self._idle.put(sealer)


class Sealer:
    """One process, started with its first volume; see `Sealers`."""

    def __init__(self, folder: Path, recipient: str) -> None:
        self._folder = folder
        self._recipient = recipient
        self._running: tuple[subprocess.Popen[bytes], Connection, mmap.mmap] | None = None

    def seal(self, task: Task, put: Callable[[memoryview], object], record: Callable[[list[Found]], object]) -> Sealed:
        """Seal one volume.

        Args:
            task: which.
            put: takes the ciphertext; the memory is used again afterwards.
            record: takes what was found of the files, some thousand at a time.

        Raises:
            SourceUnreadable: a source cannot be read.
            WorkerCrashed: the process died, or cannot be started.

            And what `put` and `record` raise, and the journal.
        """
        if self._running is None:
            try:
                self._running = self._start()
            except OSError as error:
                raise WorkerCrashed(
                    "a process that seals volumes cannot be started",
                    found=error.strerror,
                    hint="look at the limits of memory, processes and open files (`ulimit -a`); then run the same "
                    "command again: it goes on where it stopped",
                ) from error
        process, connection, slots = self._running
        _send(process, connection, task)
        while True:
            answer = _receive(process, connection)
            if isinstance(answer, Piece):
                with memoryview(slots) as view:
                    put(view[answer.slot * SLOT_BYTES : answer.slot * SLOT_BYTES + answer.bytes])
                _send(process, connection, Taken())
            elif isinstance(answer, FilesFound):
                record(answer.rows)
            elif isinstance(answer, Fault):
                raise _error(answer)
            else:
                assert isinstance(answer, Sealed)
                return answer

    def end(self) -> None:
        """End the process; the next volume starts another."""
        if self._running is not None:
            process, connection, _ = self._running
            self._running = None
            connection.close()
            process.kill()  # it writes nothing: there is nothing to be left in order
            process.wait()

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection, mmap.mmap]:
        ours, theirs = Pipe()
        memory = os.memfd_create("packtrain-sealed", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, NUM_SLOTS * SLOT_BYTES)
            slots = mmap.mmap(memory, NUM_SLOTS * SLOT_BYTES)
            descriptors = (theirs.fileno(), memory)
            process = subprocess.Popen(
                # -P: what lies in the current folder is not to be imported.
                [sys.executable, "-P", "-c", _CODE, *map(str, descriptors), str(self._folder), self._recipient],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
                # Ctrl-C is for the one who started it, and ends it.
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(memory)
        return process, ours, slots


def _send(process: subprocess.Popen[bytes], connection: Connection, message: Task | Taken) -> None:
    try:
        connection.send(message)
    except OSError as error:
        raise _crashed(process) from error


def _receive(process: subprocess.Popen[bytes], connection: Connection) -> object:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        raise _crashed(process) from error


def _crashed(process: subprocess.Popen[bytes]) -> WorkerCrashed:
    return WorkerCrashed(
        "a process that seals volumes ended without a word",
        found=f"exit status {process.wait()}",
        hint="usually the machine was out of memory; run the same command again: it goes on where it stopped",
    )


def _error(fault: Fault) -> PacktrainError:
    kind: type[PacktrainError] = getattr(errors, fault.name)
    return kind(fault.what, where=fault.where, expected=fault.expected, found=fault.found, hint=fault.hint)
