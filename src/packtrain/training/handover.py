"""How a batch comes from a process that reads: through memory that both have, without a pipe.

A pipe carries 64 KB at a time: a batch of 32 pictures is 25 changes between two processes, and is copied four times.
Here the reading process puts bytes where the other sees them, and a note of some hundred bytes goes through the pipe.
"""

from __future__ import annotations

import mmap
import os
import select
from multiprocessing import reduction
from typing import Any, Final

SLOT_BYTES: Final = 64 << 20
"""A larger batch goes through the pipe: what a process reads ahead is bounded, whatever the samples are."""


class SharedSlots:
    """Slots of shared memory for batches, so many for each reading process.

    The memory has no name in any folder, needs no /dev/shm (which containers keep small) and goes with the last process
    that has it. Pages that no batch reached are not taken from the machine.

    Args:
        num_slots: of one process: as many batches as it may be ahead.
        slot_bytes: of one batch.
    """

    def __init__(self, num_processes: int, num_slots: int, slot_bytes: int) -> None:
        self._slot_bytes = slot_bytes
        self._num_slots = num_slots
        self._memory = _SharedMemory(self._slot_bytes * num_slots * num_processes)
        # Counts the free slots of a process; they are used in turn, so that a number is all there is to know.
        self._free = [_Tokens(num_slots) for _ in range(num_processes)]
        self._filling = [-1] * num_processes
        self._filled = [0] * num_processes

    def take(self, process: int, timeout_seconds: float) -> bool:
        """Wait for a free slot, in the process that fills it; return whether there is one."""
        if not self._free[process].take(timeout_seconds):
            return False
        self._filling[process] += 1
        return True

    def filling(self, process: int) -> memoryview:
        """Return the memory of the slot that was taken last, in the process that fills it."""
        return self._view(process, self._filling[process])

    def filled(self, process: int) -> memoryview:
        """Return the memory of the oldest slot that was filled, in the process that gets it."""
        return self._view(process, self._filled[process])

    def give_back(self, process: int) -> None:
        """Let the oldest slot that was filled be filled again."""
        self._filled[process] += 1
        self._free[process].put()

    def _view(self, process: int, turn: int) -> memoryview:
        first = (process * self._num_slots + turn % self._num_slots) * self._slot_bytes
        return self._memory.view[first : first + self._slot_bytes]


class _SharedMemory:
    """Memory that a child process has too, whether it was forked or started afresh."""

    def __init__(self, size_bytes: int, descriptor: int | None = None) -> None:
        self._size_bytes = size_bytes
        if descriptor is None:
            descriptor = os.memfd_create("packtrain-batches")
            os.ftruncate(descriptor, size_bytes)
        self._descriptor = descriptor
        self.view = memoryview(mmap.mmap(descriptor, size_bytes))

    def __reduce__(self) -> tuple[Any, ...]:
        return _attached, (self._size_bytes, reduction.DupFd(self._descriptor))

    def __del__(self) -> None:
        os.close(self._descriptor)


class _Tokens:
    """A number of tokens that one process takes and another puts back: a counter of the kernel's, in no folder.

    The semaphores of multiprocessing are files below /dev/shm.
    """

    def __init__(self, count: int, descriptor: int | None = None) -> None:
        flags = os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC
        self._descriptor = os.eventfd(count, flags) if descriptor is None else descriptor

    def take(self, timeout_seconds: float) -> bool:
        """Take a token; return whether there was one in time. One process alone takes."""
        poll = select.poll()  # not select(): it knows no descriptor beyond 1,023
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(timeout_seconds * 1000):
            return False
        os.eventfd_read(self._descriptor)
        return True

    def put(self) -> None:
        """Put a token back."""
        os.eventfd_write(self._descriptor, 1)

    def __reduce__(self) -> tuple[Any, ...]:
        return _counting, (reduction.DupFd(self._descriptor),)

    def __del__(self) -> None:
        os.close(self._descriptor)


def _counting(descriptor: Any) -> _Tokens:
    return _Tokens(0, descriptor.detach())


def _attached(size_bytes: int, descriptor: Any) -> _SharedMemory:
    return _SharedMemory(size_bytes, descriptor.detach())
