"""Processes that unpack volumes of small files, one a core: that is work for the interpreter, which threads share.

The caller reads the drive, hashes what it read and hands it over; drives, proof, journal and publishing stay with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from packtrain.volume.extract import Staged, StagedMember
from packtrain.volume.metadata import Metadata
from packtrain.volume.side_process import NUM_SLOTS, SideProcess, SideProcesses
from packtrain.volume.unpacking_process import SLOT_BYTES, Piece, Setup, Taken, Task, Unpacked

# Each takes some 35 MB, of 300 for all of loading.
_MOST: Final = 4


class Unpackers(SideProcesses["Unpacker"]):
    """Some processes, started when the first volumes are asked for; any number of threads may ask.

    Args:
        setup: what is the same for all volumes.
        metadata: is told what the processes could not set.
        held: descriptors that hold the staging folder: it is held as long as somebody may write there, even when this
            process is killed.
    """

    def __init__(self, setup: Setup, metadata: Metadata, held: tuple[int, ...]) -> None:
        super().__init__(lambda: Unpacker(setup, metadata, held), _MOST)


class Unpacker(SideProcess):
    """One process, started with its first volume; see `Unpackers`."""

    def __init__(self, setup: Setup, metadata: Metadata, held: tuple[int, ...]) -> None:
        super().__init__("packtrain.volume.unpacking_process", (), "unpacks volumes", SLOT_BYTES, kept=held)
        self._setup = setup
        self._metadata = metadata

    def unpack(self, task: Task, read: Callable[[memoryview], int]) -> Staged:
        """Stage the files of one volume; return what was staged.

        Args:
            task: which; its piece is filled here.
            read: fills a buffer with the next ciphertext; returns the count of bytes, 0 at the end.

        Raises:
            AgeFormatError, HostileArchive, IntegrityError: about the bytes; see `extract_volume`. Not all were read.
            DriveFull, DriveFailed: the store cannot take the files.
            WorkerCrashed: the process died, or cannot be started.

            And what `read` raises; then the process is to be ended.
        """
        if self._started():
            self._send(self._setup)
        piece = self._fill(0, read)
        self._send(task._replace(piece=piece))
        number = num_taken = 0
        while piece.bytes == SLOT_BYTES:
            number += 1
            if number - num_taken == NUM_SLOTS:
                taken = self._receive()
                assert isinstance(taken, Taken), "a volume is read to its end"
                num_taken += 1
            piece = self._fill(number % NUM_SLOTS, read)
            self._send(piece)
        while isinstance(answer := self._receive(), Taken):
            pass
        assert isinstance(answer, Unpacked)
        self._metadata.add(answer.refused)
        members = None if answer.members is None else list(itertools.starmap(StagedMember, answer.members))
        return Staged(members, answer.pieces)

    def _fill(self, slot: int, read: Callable[[memoryview], int]) -> Piece:
        filled = 0
        with self._slot(slot, SLOT_BYTES) as view:
            while filled < SLOT_BYTES and (count := read(view[filled:])):
                filled += count
        return Piece(slot, filled)
