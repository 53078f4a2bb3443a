"""The checkpoint that the end of a run left in the voyage folder, and what proves that it is still that one.

CHECKPOINTS/.brought-home.json   which checkpoint was brought there last, and the digests of its files
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.training.checkpoint_copies.cuts import CHUNK_BYTES, MAX_CUT_BYTES, Cut, CutFile, from_json, to_json
from packtrain.training.checkpoint_copies.program_folder import held_file

NOTE_NAME: Final = ".brought-home.json"


class HomeCopy:
    """The copy in one folder; any or none of what the note names may lie there.

    Args:
        folder: where checkpoints were brought to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, cut: Cut) -> None:
        """Note down what was brought."""
        durable.write_bytes(self._folder / NOTE_NAME, to_json(cut))

    def noted(self) -> Cut | None:
        """Return what was brought last, None where nobody knows."""
        payload = durable.plain_bytes(self._folder / NOTE_NAME, MAX_CUT_BYTES)
        try:
            return from_json(payload) if payload is not None else None
        except ValueError:
            return None

    def is_whole(self, cut: Cut) -> bool:
        """Return whether all files of a cut lie here, with the bytes that were brought; they are read for it."""
        return all(self._is_proven(self._path(cut, file), file) for file in cut.files)

    def read_chunk(self, cut: Cut, file: CutFile, offset: int, most_bytes: int) -> bytes:
        """Return bytes of a file of a cut."""
        with durable.plain_file(self._path(cut, file)) as stream:
            stream.seek(offset)
            return stream.read(min(most_bytes, CHUNK_BYTES))

    def _path(self, cut: Cut, file: CutFile) -> Path:
        return self._folder / cut.entry / file.path if file.path else self._folder / cut.entry

    def _is_proven(self, path: Path, file: CutFile) -> bool:
        held = held_file(path, file.path)
        try:
            return held is not None and held.size_bytes == file.size_bytes and sha256_file(path) == file.sha256
        except OSError:
            return False
