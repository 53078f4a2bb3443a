"""The list of files that a load could not restore: written name by name, of which only the first are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from packtrain import durable
from packtrain.volume.extract import listed
from packtrain.volume.loaded import NAMED


class UnreadableNames:
    """Names on their way into a file.

    Args:
        path: the file; a line a name, as `extract.listed` makes it.

    Attributes:
        count: of all names.
        first: those that a message shows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: list[str] = []
        self._stream: BinaryIO | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Take names while the context is open; the file stands, durably, when it is left without an error.

        Raises:
            DriveFull: no space is left for it.
        """
        with durable.atomic_writer(self.path) as stream:
            self._stream = stream
            yield
        self._stream = None

    def add(self, name: bytes) -> None:
        """Write one name."""
        assert self._stream is not None
        line = listed(name)
        self._stream.write(f"{line}\n".encode())
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(line)
