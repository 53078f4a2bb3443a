"""Shards in object storage: samples by ranges, some of them on their way before they are read."""

from __future__ import annotations

import io
import os
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from packtrain.digest import sha256_bytes
from packtrain.errors import IntegrityError
from packtrain.object_storage.address import is_object_url, parse_url
from packtrain.object_storage.connection import CONNECTIONS, ObjectConnection
from packtrain.object_storage.reading import open_object
from packtrain.training.loaded_index import LOAD_AGAIN, require_loaded
from packtrain.training.shards import row_groups
from packtrain.units import GIB, MIB

_MOST_INDEX_BYTES: Final = 16 * GIB
_MOST_AHEAD_BYTES: Final = 64 * MIB
LARGEST_ANNOUNCED_BYTES: Final = 16 * MIB
_STALE_SECONDS: Final = 60.0
_MOST_OPEN_TABLES: Final = 16
_MOST_SHARDS_KNOWN: Final = 4096


class _Fetching(NamedTuple):
    """Bytes that are on their way, and when that began (monotonic)."""

    at: float
    payload: Future[bytes]


class Objects:
    """Files of a data set in object storage, by name.

    Args:
        connection: where the data set lies.
    """

    def __init__(self, connection: ObjectConnection) -> None:
        self.connection = connection

    def open(self, name: str) -> io.BufferedReader:
        """Return a file, to be read at any place.

        Raises:
            FileNotFoundError: there is none.
            StoreUnreachable: the server does not answer.
        """
        return open_object(self.connection, self.key(name))

    def read_index(self, name: str) -> tuple[bytes, str]:
        """Return the index and its SHA-256: of these bytes, for a bucket may have others the next time it is asked.

        Raises:
            FileNotFoundError: there is none.
            StoreUnreachable: the server does not answer.
            IntegrityError: it is longer than 16 GiB, or not the one that `train` says was loaded.
        """
        with self.open(name) as stream:
            size_bytes = stream.seek(0, os.SEEK_END)
            if size_bytes > _MOST_INDEX_BYTES:
                raise IntegrityError(
                    "index is too long",
                    where=self.connection.place.url,
                    expected=f"at most {_MOST_INDEX_BYTES} bytes",
                    found=f"{size_bytes} bytes",
                    hint=LOAD_AGAIN,
                )
            stream.seek(0)
            payload = stream.read(size_bytes)
        sha256 = sha256_bytes(payload)
        require_loaded(sha256, self.connection.place.url)
        return payload, sha256

    def key(self, name: str) -> str:
        """Return the key of a file."""
        return self.connection.place.key(name.encode("utf-8", "surrogateescape"))


def objects_of(root: str) -> Objects | None:
    """Return the objects that s3://BUCKET/PREFIX names; None for a folder."""
    if not is_object_url(root):
        return None
    # Plain HTTP was allowed by whoever named such an endpoint: `train` hands on none that voyage.toml does not allow.
    return Objects(ObjectConnection(parse_url(root, "data", allows_http=True)))


class ObjectShards:
    """As `OpenShards`, of objects. What is announced is fetched at once by threads, up to 64 MiB of it.

    Raises, in every method:
        IntegrityError: a shard is missing, or does not hold what is asked for.
        StoreUnreachable: the server does not answer.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._start_over()

    def _start_over(self) -> None:
        self._process = os.getpid()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._tables: OrderedDict[str, tuple[pq.ParquetFile, dict[tuple[int, int], int]]] = OrderedDict()
        self._fetchers: ThreadPoolExecutor | None = None
        self._ahead: OrderedDict[tuple[str, int, int], _Fetching] = OrderedDict()
        self._ahead_bytes = 0

    def read(self, shard: str, offset: int, length: int) -> bytes:
        """Return bytes of a shard."""
        self._after_fork()
        fetched = self._ahead.pop((shard, offset, length), None)
        if fetched is None:
            return self._fetch(shard, offset, length)
        self._ahead_bytes -= length
        return fetched.payload.result()

    def read_into(self, shard: str, offset: int, target: memoryview) -> None:
        """Fill `target` with bytes of a shard."""
        target[:] = self.read(shard, offset, len(target))

    def announce(self, shard: str, offset: int, length: int) -> None:
        """Begin to fetch these bytes, if there is room for them."""
        self._after_fork()
        place = (shard, offset, length)
        # Of larger samples only the beginning is announced; that would be fetched twice.
        if place in self._ahead or length >= LARGEST_ANNOUNCED_BYTES:
            return
        now = time.monotonic()
        # What nobody came for was announced by a reader that stopped.
        while self._ahead and now - next(iter(self._ahead.values())).at > _STALE_SECONDS:
            (_, _, given_up), _ = self._ahead.popitem(last=False)
            self._ahead_bytes -= given_up
        if self._ahead_bytes + length > _MOST_AHEAD_BYTES:
            return
        if self._fetchers is None:
            self._fetchers = ThreadPoolExecutor(CONNECTIONS)
        self._ahead_bytes += length
        self._ahead[place] = _Fetching(now, self._fetchers.submit(self._fetch, shard, offset, length))

    def rows(self, shard: str, first_row: int, num_rows: int) -> bytes:
        """Return a row group as CSV with a header line."""
        self._after_fork()
        try:
            reader, group_of = self._parquet(shard)
            group = group_of.get((first_row, num_rows))
            if group is None:
                raise IntegrityError("index names rows that are no row group of the shard", where=shard)
            buffer = io.BytesIO()
            pa_csv.write_csv(reader.read_row_group(group, use_threads=False), buffer)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"table shard cannot be read: {error}", where=shard) from error
        return buffer.getvalue()

    def _fetch(self, shard: str, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise IntegrityError("index holds a negative offset or length", where=shard)
        # Before reading: a length from the index is believed only as far as the object reaches.
        if offset + length > self._size_bytes(shard):
            raise IntegrityError("shard is shorter than the index says", where=shard)
        try:
            payload = self._objects.connection.read(self._key(shard), offset, length)
        except FileNotFoundError as error:
            raise _missing(shard) from error
        if len(payload) != length:
            raise IntegrityError("shard became shorter while it was read", where=shard)
        return payload

    def _size_bytes(self, shard: str) -> int:
        found = self._sizes.get(shard)
        if found is None:
            known = self._objects.connection.head(self._key(shard))
            if known is None:
                raise _missing(shard)
            if len(self._sizes) >= _MOST_SHARDS_KNOWN:
                self._sizes.clear()
            found = self._sizes[shard] = int(known["ContentLength"])
        return found

    def _parquet(self, shard: str) -> tuple[pq.ParquetFile, dict[tuple[int, int], int]]:
        found = self._tables.pop(shard, None)
        if found is None:
            stream = open_object(self._objects.connection, self._key(shard))
            reader = pq.ParquetFile(stream, page_checksum_verification=True)
            found = reader, row_groups(reader)
            if len(self._tables) >= _MOST_OPEN_TABLES:
                self._tables.popitem(last=False)[1][0].close()
        self._tables[shard] = found
        return found

    def _key(self, shard: str) -> str:
        if not PurePosixPath(shard).parts or shard.startswith("/") or ".." in shard.split("/") or "\0" in shard:
            raise IntegrityError("index names a shard outside the data set", where=shard[:200])
        return self._objects.key(shard)

    def _after_fork(self) -> None:
        # Threads do not come through a fork, nor does what they were fetching.
        if self._process != os.getpid():
            self._start_over()


def _missing(shard: str) -> IntegrityError:
    return IntegrityError("shard cannot be opened: no such object", where=shard)
