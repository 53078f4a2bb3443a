"""Objects as files that are read at any place: what Parquet and an index want."""

from __future__ import annotations

import io
import os
from typing import Final

from packtrain.errors import SourceUnreadable
from packtrain.object_storage.connection import ObjectConnection
from packtrain.units import MIB

_READ_BYTES: Final = 8 * MIB


class ObjectFile(io.RawIOBase):
    """One object, read by ranges, as it was when it was opened.

    Raises:
        SourceChanged: another program wrote the object anew.
        FileNotFoundError: there is no such object.
        StoreUnreachable: the server does not answer.
    """

    def __init__(self, connection: ObjectConnection, key: str) -> None:
        found = connection.head(key)
        if found is None:
            raise FileNotFoundError(f"no such object: {key}")
        self._connection = connection
        self._key = key
        self._place = 0
        self.size_bytes = int(found["ContentLength"])
        self._etag = str(found.get("ETag", ""))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size_bytes}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill a buffer; return how many bytes there were."""
        wanted = min(len(buffer), _READ_BYTES, max(0, self.size_bytes - self._place))
        payload = self._connection.read(self._key, self._place, wanted, self._etag)
        if len(payload) < wanted:
            raise SourceUnreadable("object became shorter while it was read", where=self._key)
        buffer[: len(payload)] = payload
        self._place += len(payload)
        return len(payload)


def open_object(connection: ObjectConnection, key: str, buffer_bytes: int = MIB) -> io.BufferedReader:
    """Return an object as a file with a buffer."""
    return io.BufferedReader(ObjectFile(connection, key), buffer_bytes)
