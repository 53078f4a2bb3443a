"""What a process that seals volumes of small files does: it fills, encrypts and hashes them, and hands on ciphertext.

It is started by `sealers` and ends when that closes its end. It writes nothing itself: no drive, no journal.
"""

from __future__ import annotations

import mmap
import sys
from array import array
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from packtrain.crypto.age import EncryptWriter
from packtrain.digest import BLOCK_BYTES
from packtrain.errors import PacktrainError
from packtrain.units import KIB, MIB
from packtrain.volume.block_list import BlockHasher
from packtrain.volume.fault import fault_of
from packtrain.volume.journal import Journal
from packtrain.volume.sealing import Filler, Found
from packtrain.volume.side_process import NUM_SLOTS
from packtrain.volume.turns import Turn

SLOT_BYTES: Final = MIB + 4 * KIB
"""A piece of ciphertext is a mebibyte and the tags of its chunks."""


class Task(NamedTuple):
    """Asks for one volume."""

    group: int
    stripe: int
    column: int


class Taken(NamedTuple):
    """Says that the oldest piece was taken: its slot is free."""


class Piece(NamedTuple):
    """Says that the next bytes of the volume lie at the beginning of a slot."""

    slot: int
    bytes: int


class FilesFound(NamedTuple):
    """Says what was found of some files."""

    rows: list[Found]


class Sealed(NamedTuple):
    """Says that the volume is whole."""

    bytes: int
    sha256: str
    blocks: array[int]


class _Sealing:
    """Seals volumes as they are asked for, until nobody asks any more."""

    def __init__(self, connection: Connection, slots: memoryview, journal: Journal, recipient: str) -> None:
        self._connection = connection
        self._slots = slots
        self._journal = journal
        self._recipient = recipient
        self._plain = memoryview(mmap.mmap(-1, BLOCK_BYTES))
        self._turn = Turn()
        self._num_sent = self._num_taken = 0

    def run(self) -> None:
        while True:
            request = self._connection.recv()
            if isinstance(request, Taken):
                self._num_taken += 1
                continue
            assert isinstance(request, Task)
            try:
                answer = self._seal(request)
            except PacktrainError as error:
                answer = fault_of(error)
            self._connection.send(answer)

    def _seal(self, task: Task) -> Sealed:
        hasher = BlockHasher()

        def sink(piece: memoryview | bytes) -> None:
            hasher.update(piece)
            self._hand_on(piece)

        with EncryptWriter(sink, self._recipient) as sealed:
            filler = Filler(self._turn, self._plain, sealed.write, self._record, self._journal.xattrs)
            filler.fill(self._journal.members_in(*task))
        sha256, blocks = hasher.finish()
        return Sealed(hasher.total_bytes, sha256, blocks)

    def _hand_on(self, piece: memoryview | bytes) -> None:
        while self._num_sent - self._num_taken == NUM_SLOTS:
            taken = self._connection.recv()
            assert isinstance(taken, Taken), "one volume at a time"
            self._num_taken += 1
        slot = self._num_sent % NUM_SLOTS
        self._slots[slot * SLOT_BYTES : slot * SLOT_BYTES + len(piece)] = piece
        self._num_sent += 1
        self._connection.send(Piece(slot, len(piece)))

    def _record(self, found: list[Found]) -> None:
        self._connection.send(FilesFound(found))


def main() -> None:
    """Serve: descriptors of the connection and of the slots, the journal's folder, the recipient."""
    connection, slots, folder, recipient = sys.argv[1:]
    with (
        Connection(int(connection)) as opened,
        Journal(Path(folder)) as journal,
        memoryview(mmap.mmap(int(slots), NUM_SLOTS * SLOT_BYTES)) as view,
    ):
        try:
            _Sealing(opened, view, journal, recipient).run()
        except (EOFError, ConnectionError):
            return  # nobody asks any more
