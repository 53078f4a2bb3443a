"""Processes that seal volumes of small files, one a core: that is work for the interpreter, which threads share.

Their ciphertext comes through shared memory; what goes to a drive, and into the journal, is written by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from packtrain.volume.sealing import Found
from packtrain.volume.sealing_process import SLOT_BYTES, FilesFound, Piece, Sealed, Taken, Task
from packtrain.volume.side_process import SideProcess, SideProcesses

# Each takes some 35 MB, of 300 for all of packing; a group of many drives has more of them in buffers.
_MOST: Final = 4
_MOST_BESIDE_MANY_DRIVES: Final = 2
_MANY_DRIVES: Final = 32


class Sealers(SideProcesses["Sealer"]):
    """Some processes, started when the first volumes are asked for; any number of threads may ask.

    Args:
        folder: of the journal.
        recipient: what volumes are sealed for.
        num_drives: of the group.
    """

    def __init__(self, folder: Path, recipient: str, num_drives: int) -> None:
        most = _MOST if num_drives < _MANY_DRIVES else _MOST_BESIDE_MANY_DRIVES
        super().__init__(lambda: Sealer(folder, recipient), most)


class Sealer(SideProcess):
    """One process, started with its first volume; see `Sealers`."""

    def __init__(self, folder: Path, recipient: str) -> None:
        super().__init__("packtrain.volume.sealing_process", (str(folder), recipient), "seals volumes", SLOT_BYTES)

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
        self._started()
        self._send(task)
        while True:
            answer = self._receive()
            if isinstance(answer, Piece):
                with self._slot(answer.slot, answer.bytes) as view:
                    put(view)
                self._send(Taken())
            elif isinstance(answer, FilesFound):
                record(answer.rows)
            else:
                assert isinstance(answer, Sealed)
                return answer
