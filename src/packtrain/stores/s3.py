"""A store in object storage: one object for each file, below a prefix of a bucket.

It has no links, no folders and no modes. What a folder store keeps there is written as metadata of objects
(docs/how-to/load-into-s3.md): nothing of it works by itself, and a copy back to a file system can bring it again.
Several hosts may publish at once: an object appears whole, and the same file from two hosts is the same object.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from packtrain import durable
from packtrain.errors import DriveFailed, HostileArchive
from packtrain.object_storage.address import quoted_name
from packtrain.object_storage.connection import CONNECTIONS, ObjectConnection
from packtrain.ports import STAGING_NAME
from packtrain.stores.s3_upload import SMALLEST_PART_BYTES, Uploader
from packtrain.units import MIB, quoted

SYMLINK: Final = "packtrain-symlink"
"""Metadata of an empty object: it is a symbolic link, and leads there."""
LINK: Final = "packtrain-link"
"""Metadata of a copy: the key of the object whose other name it is."""
LINK_ETAG: Final = "packtrain-link-etag"
"""Metadata of a copy: the ETag that object had."""
_KEPT: Final = frozenset(("mode", "mtime"))
_MOST_FOLDERS_KNOWN: Final = 4096
_PAGE: Final = 1000
_READ_BYTES: Final = 16 * MIB
# A server copies no larger object in one request.
_MOST_COPY_BYTES: Final = 5 << 30


class S3Store:
    """Objects below a prefix. Implements `ports.Store`.

    Args:
        connection: bucket, prefix and server.
        staging: a folder of this machine for bytes that are not proven yet; it takes what is in flight, and the pieces
            of files that lie in several volumes.
        smallest_part_bytes: a larger file goes in parts of at least so much.
    """

    def __init__(
        self, connection: ObjectConnection, staging: Path, *, smallest_part_bytes: int = SMALLEST_PART_BYTES
    ) -> None:
        self._connection = connection
        self._place = connection.place
        self._staging = staging
        self.location = self._place.url
        self._uploader = Uploader(connection, staging / STAGING_NAME, smallest_part_bytes=smallest_part_bytes)
        self._lock = threading.Lock()
        # Folders above names, and that no file or link stands in their place.
        self._folders: OrderedDict[bytes, None] = OrderedDict()
        self._seen = _Listing()
        self._is_open = False

    def staging_folder(self) -> Path:
        """Return the folder of this machine for bytes that are not proven yet; it stays over runs.

        The first call looks whether the bucket can be used, and takes back what killed runs left half sent.

        Raises:
            StoreUnreachable: the bucket cannot be used.
            HostileArchive: a link stands in its place, and would lead the files elsewhere.
        """
        folder = self._staging / STAGING_NAME
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink():
            raise HostileArchive(
                "a link stands where files wait until they are proven", where=str(folder), hint="remove it"
            )
        if not self._is_open:
            self.is_empty()
            self._uploader.take_back()
            self._is_open = True
        return folder

    def publish(self, staged: Path, name: bytes) -> None:
        """Send a staged file, symbolic link or empty folder as `name`, and remove it here; an object there is replaced.

        Raises:
            HostileArchive: the name would leave the prefix, leads through a link or a file, or no key can be so long.
            StoreUnreachable, DriveFull, DriveFailed: the server does not take it.
        """
        with self._sending() as workers:
            self._publish(staged, name, workers)

    def publish_all(self, staged: Path, members: Sequence[tuple[str, bytes, bool]]) -> None:
        """Publish what lies in the folder `staged`, many at a time. Raises: as `publish`."""
        with self._sending() as workers:
            small: list[tuple[Path, bytes]] = []
            for member, name, _ in members:
                path = staged / member
                if path.lstat().st_size <= self._uploader.smallest_part_bytes:
                    small.append((path, name))
                    continue
                # Its parts go by the same workers.
                self._publish(path, name, workers)
            for one in [workers.submit(self._publish, path, name, workers) for path, name in small]:
                one.result()

    def link(self, target: bytes, name: bytes) -> bool:
        """Make `name` a copy of the stored file `target` on the server; return False where there is no such file.

        Raises: as `publish`.
        """
        if (found := self._file(target)) is None:
            return False
        key = self._key(name)
        self._require_way(name)
        root, etag = _root(self._place.key(target), found)
        durable.step("publish")
        if not self.are_linked(target, name):
            if int(found["ContentLength"]) > _MOST_COPY_BYTES:
                raise DriveFailed(
                    "object storage copies no file so large under another name",
                    where=f"{self.location}, {quoted(name[:256])}",
                    expected=f"at most {_MOST_COPY_BYTES} bytes",
                    found=f"{found['ContentLength']} bytes",
                    hint="load into a folder",
                )
            kept = {name: value for name, value in found["Metadata"].items() if name in _KEPT}
            source = {"Bucket": self._place.bucket, "Key": self._place.key(target)}
            self._connection.call(
                "copy_object",
                Key=key,
                CopySource=source,
                MetadataDirective="REPLACE",
                Metadata={**kept, LINK: quoted_name(root.encode("utf-8")), LINK_ETAG: etag},
            )
            self._seen.forget(key)
        durable.step("published")
        return True

    def are_linked(self, target: bytes, name: bytes) -> bool:
        """Return whether both are names of one stored file: one was copied from the other, or both from a third."""
        first, second = self._file(target), self._file(name)
        if first is None or second is None or first["ContentLength"] != second["ContentLength"]:
            return False
        return _root(self._place.key(target), first) == _root(self._place.key(name), second)

    def finish_folder(self, name: bytes, give: Callable[[int], None]) -> None:
        """Write an empty object for the folder `name`, with mode and time as `give` sets them. Raises: as `publish`."""
        self._require_way(name)
        self.staging_folder()
        durable.step("folder")
        with tempfile.TemporaryDirectory(prefix="folder-", dir=self._staging / STAGING_NAME) as made:
            descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                give(descriptor)
                metadata = _metadata(os.fstat(descriptor))
                os.fchmod(descriptor, stat.S_IRWXU)
            finally:
                os.close(descriptor)
        self._send_small(name, b"/", metadata)

    def size_bytes(self, name: bytes) -> int | None:
        """Return a stored file's length in bytes, or None where there is no such file.

        Names that are asked for in order are looked up a thousand at a time.
        """
        key = self._key(name)
        if (size_bytes := self._seen.size_bytes(key)) is not None:
            return size_bytes
        found = self._file(name)
        if self._seen.is_next(key):
            listed = self._connection.call(
                "list_objects_v2", Prefix=self._place.below(""), StartAfter=key, MaxKeys=_PAGE
            )
            # An empty object may be a link, and only its metadata say so.
            said = self._connection.said
            sizes = {said(one, "Key"): int(said(one, "Size")) for one in listed.get("Contents", ())}
            self._seen.hold({key: size_bytes for key, size_bytes in sizes.items() if size_bytes > 0})
        return None if found is None else int(found["ContentLength"])

    def holds(self, name: bytes) -> bool:
        """Return whether anything stands under `name`, or a link or a file in the way to it."""
        return self._head(name) is not None or self.is_folder(name) or self._in_the_way(name) is not None

    def is_folder(self, name: bytes) -> bool:
        """Return whether anything lies below `name`, the object of an empty folder included."""
        return self._lists(self._key(name) + "/")

    def is_empty(self) -> bool:
        """Return whether nothing lies below the prefix."""
        return not self._lists(self._place.below(""))

    def link_target(self, name: bytes) -> bytes | None:
        """Return where a stored symbolic link leads; None where there is none."""
        found = self._head(name)
        target = None if found is None else found["Metadata"].get(SYMLINK)
        return None if target is None else unquote_to_bytes(target)

    def sha256(self, name: bytes) -> str | None:
        """Return the SHA-256 of a stored file, read back from the server; None where there is no such file."""
        size_bytes = self.size_bytes(name)
        if size_bytes is None:
            return None
        whole = hashlib.sha256()
        for offset in range(0, size_bytes, _READ_BYTES):
            whole.update(self._read(name, offset, min(_READ_BYTES, size_bytes - offset)))
        return whole.hexdigest()

    def read_bytes(self, name: bytes, most_bytes: int) -> bytes | None:
        """Return a small stored file; None where there is no such file, or a longer one."""
        size_bytes = self.size_bytes(name)
        return None if size_bytes is None or size_bytes > most_bytes else self._read(name, 0, size_bytes)

    def flush(self) -> None:
        """Return when everything staged is on this machine's medium; what the server confirmed is its own.

        Raises:
            DriveFailed: it could not be written.
        """
        if not (self._staging / STAGING_NAME).exists():
            return
        try:
            durable.sync_file_system(self._staging / STAGING_NAME)
        except OSError as error:
            raise DriveFailed(
                f"staging cannot be written: {error.strerror or error}",
                where=str(self._staging),
                hint="make room, or name another folder in [site] store_staging",
            ) from error

    @contextlib.contextmanager
    def _sending(self) -> Iterator[ThreadPoolExecutor]:
        try:
            with ThreadPoolExecutor(CONNECTIONS) as workers:
                try:
                    yield workers
                except BaseException:
                    # The first failure counts; a server that is gone is not asked for each of the others too.
                    workers.shutdown(cancel_futures=True)
                    raise
        finally:
            self._uploader.close()

    def _publish(self, staged: Path, name: bytes, workers: ThreadPoolExecutor) -> None:
        status = staged.lstat()
        key = self._key(name)
        self._require_way(name)
        durable.step("publish")
        if stat.S_ISDIR(status.st_mode):
            self._send_small(name, b"/", _metadata(status))
            staged.rmdir()
        else:
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(os.fsencode(staged))  # noqa: PTH115 - bytes
                self._send_small(name, b"", {SYMLINK: quoted_name(target), **_metadata(status)})
            else:
                self._uploader.send(staged, key, _metadata(status), workers)
            self._seen.forget(key)
            staged.unlink()
        durable.step("published")

    def _send_small(self, name: bytes, ending: bytes, metadata: Mapping[str, str]) -> None:
        self._uploader.send_bytes(b"", self._key(name) + ending.decode("ascii"), metadata)

    def _key(self, name: bytes) -> str:
        if name.split(b"/", 1)[0] == os.fsencode(STAGING_NAME):
            raise HostileArchive("name would leave the store", where=self.location, found=quoted(name[:256]))
        return self._place.key(name)

    def _head(self, name: bytes) -> Mapping[str, Any] | None:
        return self._connection.head(self._key(name))

    def _file(self, name: bytes) -> Mapping[str, Any] | None:
        """Return what is known of an object that is a file; None where there is none, or a symbolic link."""
        found = self._head(name)
        return None if found is None or SYMLINK in found["Metadata"] else found

    def _read(self, name: bytes, offset: int, length: int) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            payload = self._connection.read(self._key(name), offset, length)
            if len(payload) == length:
                return payload
        raise DriveFailed(
            "object became shorter while it was read",
            where=f"{self.location}, {quoted(name[:256])}",
            hint="another program writes below the prefix of the store",
        )

    def _lists(self, prefix: str) -> bool:
        return bool(self._connection.call("list_objects_v2", Prefix=prefix, MaxKeys=1).get("Contents"))

    def _require_way(self, name: bytes) -> None:
        """Refuse a name that leads through a link or a file.

        Object storage would take it, and no program that reads files could ever reach it.
        """
        if self._in_the_way(name) is not None:
            raise HostileArchive("name leads through a link or a file", where=self.location, found=quoted(name[:256]))

    def _in_the_way(self, name: bytes) -> bytes | None:
        """Return the file or link that stands above a name, if any."""
        for above in _above(name):
            with self._lock:
                if above in self._folders:
                    self._folders.move_to_end(above)
                    continue
            if self._head(above) is not None:
                return above
            with self._lock:
                self._folders[above] = None
                while len(self._folders) > _MOST_FOLDERS_KNOWN:
                    self._folders.popitem(last=False)
        return None


class _Listing:
    """Lengths of objects that a listing told, until something is known to have changed. Safe over threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._last = ""

    def size_bytes(self, key: str) -> int | None:
        with self._lock:
            return self._sizes.get(key)

    def is_next(self, key: str) -> bool:
        """Return whether a key comes after the one that was asked for last, in the same folder."""
        with self._lock:
            last, self._last = self._last, key
        return key > last and key.rpartition("/")[0] == last.rpartition("/")[0]

    def hold(self, sizes: dict[str, int]) -> None:
        with self._lock:
            self._sizes = sizes

    def forget(self, key: str) -> None:
        with self._lock:
            self._sizes.pop(key, None)


def _above(name: bytes) -> Iterator[bytes]:
    parts = name.split(b"/")
    return (b"/".join(parts[:depth]) for depth in range(1, len(parts)))


def _root(key: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key and the ETag of the object that this one is a name of: its own, or what it was copied from."""
    metadata = found["Metadata"]
    root = unquote_to_bytes(metadata[LINK]).decode("utf-8", "replace") if LINK in metadata else key
    return root, metadata.get(LINK_ETAG) or str(found["ETag"]).strip('"')


def _metadata(status: os.stat_result) -> dict[str, str]:
    """Return mode and time as rclone writes and reads them: octal, and seconds with nine digits behind the point."""
    seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    return {"mode": f"{status.st_mode:o}", "mtime": f"{seconds}.{nanoseconds:09d}"}
