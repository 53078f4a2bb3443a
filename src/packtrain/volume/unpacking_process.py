"""What a process that unpacks volumes of small files does: it decrypts, holds against the catalog, and stages files.

It is started by `unpackers` and ends when that closes its end. It has no drive, no journal and no store: it writes to
the staging folder alone, and that counts only when the caller found the volume's SHA-256 to be the right one.
"""

from __future__ import annotations

import mmap
import sys
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from packtrain.crypto import age
from packtrain.errors import PacktrainError
from packtrain.units import MIB
from packtrain.volume.catalog import Catalog
from packtrain.volume.extract import StagedPiece, extract_volume
from packtrain.volume.fault import fault_of
from packtrain.volume.metadata import Metadata, Refused
from packtrain.volume.side_process import NUM_SLOTS
from packtrain.volume.staging import Staging, store_faults
from packtrain.volume.turns import Turn
from packtrain.volume.untar import TarReader

SLOT_BYTES: Final = MIB


class Setup(NamedTuple):
    """Comes first: what is the same for all volumes. The identity travels here, as anybody can read arguments."""

    identity: str
    staging: Staging
    keep_owner: bool
    verify_files: bool


class Piece(NamedTuple):
    """Says that the next bytes of the volume lie at the beginning of a slot; fewer than it holds: the last."""

    slot: int
    bytes: int


NO_PIECE: Final = Piece(0, 0)


class Task(NamedTuple):
    """Asks for one volume, whose folder was made; `where` names it in messages.

    Its first piece comes along: most volumes of small files have no other, and each message wakes somebody.
    """

    group: int
    stripe: int
    column: int
    where: str
    piece: Piece


class Taken(NamedTuple):
    """Says that the oldest piece was taken: its slot is free."""


class Unpacked(NamedTuple):
    """Says that the volume was unpacked to its end: what was staged of it, as in `Staged`, and what was refused.

    Members are the fields of `StagedMember`: on the way a class would be named for each of them, one a file.
    """

    members: list[tuple[bytes, bool, int, int, bool]] | None
    pieces: tuple[StagedPiece, ...]
    refused: Refused


class _Unpacking:
    """Unpacks volumes as they are asked for, until nobody asks any more."""

    def __init__(self, connection: Connection, slots: memoryview) -> None:
        setup = connection.recv()
        assert isinstance(setup, Setup)
        self._setup = setup
        self._connection = connection
        self._slots = slots
        self._staging = setup.staging
        self._catalog: tuple[int, Catalog] | None = None
        self._piece = slots[:0]
        self._ended = False

    def run(self) -> None:
        while True:
            request = self._connection.recv()
            # After a fault the rest of a volume may still come: nobody asked for it.
            if isinstance(request, Task):
                try:
                    with store_faults(self._staging.root):
                        answer = self._unpack(request)
                except PacktrainError as error:
                    answer = fault_of(error)
                self._connection.send(answer)

    def _unpack(self, task: Task) -> Unpacked:
        self._open(task.piece)
        metadata = Metadata(keep_owner=self._setup.keep_owner)
        plain = age.DecryptReader(self._read, [self._setup.identity], strict_single_x25519=True, where=task.where)
        turn = Turn()
        with turn:
            staged = extract_volume(
                TarReader(plain.readinto, task.where),
                self._catalog_of(task.group),
                self._staging,
                metadata,
                task.group,
                task.stripe,
                task.column,
                task.where,
                turn=turn,
                verify_files=self._setup.verify_files,
            )
        members = None
        if staged.members is not None:
            members = [(m.path, m.is_folder, m.bytes, m.file, m.is_cut) for m in staged.members]
        return Unpacked(members, staged.pieces, metadata.notes())

    def _read(self, buffer: memoryview) -> int:
        if not self._piece and not self._ended:
            self._connection.send(Taken())
            piece = self._connection.recv()
            assert isinstance(piece, Piece), "one volume at a time"
            self._open(piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _open(self, piece: Piece) -> None:
        self._ended = piece.bytes < SLOT_BYTES
        self._piece = self._slots[piece.slot * SLOT_BYTES : piece.slot * SLOT_BYTES + piece.bytes]

    def _catalog_of(self, group: int) -> Catalog:
        if self._catalog is None or self._catalog[0] != group:
            if self._catalog is not None:
                self._catalog[1].close()
            self._catalog = group, Catalog.open(self._staging.catalog(group))
        return self._catalog[1]


def main() -> None:
    """Serve: descriptors of the connection and of the slots."""
    connection, slots = sys.argv[1:]
    with (
        Connection(int(connection)) as opened,
        memoryview(mmap.mmap(int(slots), NUM_SLOTS * SLOT_BYTES)) as view,
    ):
        try:
            _Unpacking(opened, view).run()
        except (EOFError, ConnectionError):
            return  # nobody asks any more
