"""One file to one object: whole or not at all, with its SHA-256 confirmed by the server, in bounded memory."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any, Final

from packtrain import durable
from packtrain.errors import DriveFailed, PacktrainError
from packtrain.object_storage.connection import CONNECTIONS, BytesChangedOnTheWay, ObjectConnection
from packtrain.units import MIB

SMALLEST_PART_BYTES: Final = 16 * MIB
_MOST_PARTS: Final = 10_000
_IN_FLIGHT_BYTES: Final = 256 * MIB
_TRIES: Final = 3  # of bytes that arrived as others
_NOTE_SUFFIX: Final = ".uploads"


class Uploader:
    """Sends files. What an upload in parts has left on the server when it fails is taken back, also after a kill.

    Args:
        connection: whereto.
        notes: a folder of this machine, for the uploads in parts that are under way.
        smallest_part_bytes: a file that is no larger goes in one piece.
    """

    def __init__(
        self, connection: ObjectConnection, notes: Path, *, smallest_part_bytes: int = SMALLEST_PART_BYTES
    ) -> None:
        self._connection = connection
        self._notes = notes
        self._note: IO[bytes] | None = None
        self._under_way: set[str] = set()
        self.smallest_part_bytes = smallest_part_bytes

    def send(self, path: Path, key: str, metadata: Mapping[str, str], workers: ThreadPoolExecutor) -> None:
        """Send a file; `workers` send its parts where it is large, so this must not run in one of them then.

        Raises:
            StoreUnreachable, DriveFull: see `ObjectConnection.call`.
            DriveFailed: the server does not confirm what it got.
        """
        if path.stat().st_size <= self.smallest_part_bytes:
            self.send_bytes(path.read_bytes(), key, metadata)
        else:
            self._send_parts(path, key, metadata, workers)

    def send_bytes(self, payload: bytes, key: str, metadata: Mapping[str, str]) -> None:
        """Send a small object. Raises: as `send`."""
        self._confirmed(key, payload, "put_object", Key=key, Metadata=dict(metadata))

    def take_back(self) -> int:
        """Abort the uploads in parts that killed runs of this machine have left; return how many."""
        num_aborted = 0
        for note in self._notes.glob(f"*{_NOTE_SUFFIX}"):
            # Open for writing: over NFS a file that is not gets no lock of its own.
            with contextlib.suppress(FileNotFoundError), note.open("r+b") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its run lives
                for line in stream:
                    # A line that was being written when power went names nothing: its upload stays, as the docs say.
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        known = json.loads(line)
                        num_aborted += self._abort(str(known["key"]), str(known["upload"]))
                note.unlink(missing_ok=True)
        return num_aborted

    def close(self) -> None:
        """Remove the note, unless an upload could neither be completed nor aborted: the next run looks for it."""
        if self._note is not None and not self._under_way:
            Path(self._note.name).unlink(missing_ok=True)
            self._note.close()
            self._note = None

    def _send_parts(self, path: Path, key: str, metadata: Mapping[str, str], workers: ThreadPoolExecutor) -> None:
        total_bytes = path.stat().st_size
        part_bytes = max(self.smallest_part_bytes, (total_bytes // _MOST_PARTS // MIB + 1) * MIB)
        begun = self._connection.call(
            "create_multipart_upload", Key=key, Metadata=dict(metadata), ChecksumAlgorithm="SHA256"
        )
        upload = str(self._connection.said(begun, "UploadId"))
        self._remember(key, upload)
        durable.step("upload begun")
        try:
            offsets = range(0, total_bytes, part_bytes)
            parts = self._parts(path, key, upload, offsets, part_bytes, workers)
            durable.step("parts sent")
            self._complete(key, upload, parts, total_bytes)
        except BaseException:
            # The error that ended it is the one to tell; what cannot be taken back now is when the next run begins.
            with contextlib.suppress(PacktrainError):
                self._abort(key, upload)
                self._under_way.discard(upload)
            raise
        self._under_way.discard(upload)

    def _complete(self, key: str, upload: str, parts: list[dict[str, Any]], total_bytes: int) -> None:
        """Make the parts one object, and see that it is that."""
        etag = ""
        try:
            answer = self._connection.call(
                "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
            etag = str(self._connection.said(answer, "ETag"))
        except PacktrainError as error:
            # Asked once more, for the first answer was lost: it is done, and there is no such upload any more.
            if not _is_no_upload(error):
                raise
        found = self._connection.head(key)
        if found is None or int(found["ContentLength"]) != total_bytes or found["ETag"] != (etag or _etag_of(parts)):
            raise self._unconfirmed(key, f"{total_bytes} bytes", str(found and found.get("ContentLength")))

    def _parts(
        self, path: Path, key: str, upload: str, offsets: range, part_bytes: int, workers: ThreadPoolExecutor
    ) -> list[dict[str, Any]]:
        """Send all parts, some at a time; return what completes them."""
        most = max(1, min(CONNECTIONS, _IN_FLIGHT_BYTES // part_bytes))
        parts: dict[int, dict[str, Any]] = {}
        running: dict[Future[dict[str, Any]], int] = {}
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for number, offset in enumerate(offsets, 1):
                while len(running) >= most:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    parts.update((running.pop(one), one.result()) for one in done)
                sending = workers.submit(self._send_part, descriptor, offset, part_bytes, key, upload, number)
                running[sending] = number
            parts.update((number, one.result()) for one, number in running.items())
        finally:
            for one in running:
                one.cancel()
            wait(running)
            os.close(descriptor)
        return [parts[number] for number in sorted(parts)]

    def _send_part(
        self, descriptor: int, offset: int, length: int, key: str, upload: str, number: int
    ) -> dict[str, Any]:
        payload = os.pread(descriptor, length, offset)
        answer, sha256 = self._confirmed(key, payload, "upload_part", Key=key, UploadId=upload, PartNumber=number)
        part: dict[str, Any] = {"PartNumber": number, "ETag": self._connection.said(answer, "ETag")}
        # Not to a server that does not know of it.
        return {**part, "ChecksumSHA256": sha256} if "ChecksumSHA256" in answer else part

    def _confirmed(self, key: str, payload: bytes, operation: str, **arguments: Any) -> tuple[Any, str]:
        """Send bytes with their SHA-256; return the answer, once it says that the server has these, and the SHA-256.

        A server that answers without SHA-256 must say their MD5 in its ETag.
        """
        sha256 = base64.b64encode(hashlib.sha256(payload).digest()).decode("ascii")
        said = ""
        for _ in range(_TRIES):
            try:
                answer = self._connection.call(operation, Body=payload, ChecksumSHA256=sha256, **arguments)
            except BytesChangedOnTheWay as error:
                said = str(error)
                continue
            said = str(answer.get("ChecksumSHA256", ""))
            if said == sha256:
                return answer, sha256
            if (
                not said
                and str(answer.get("ETag")).strip('"') == hashlib.md5(payload, usedforsecurity=False).hexdigest()
            ):
                return answer, sha256
        raise self._unconfirmed(key, f"SHA-256 {sha256}", said or "neither SHA-256 nor MD5")

    def _unconfirmed(self, key: str, expected: str, found: str) -> DriveFailed:
        return DriveFailed(
            "object storage does not confirm what it was sent",
            where=f"{self._connection.place.url}, {key}",
            expected=expected,
            found=found,
            hint="what lies between here and the server changes bytes, or the server is none that packtrain can trust",
        )

    def _abort(self, key: str, upload: str) -> int:
        try:
            self._connection.call("abort_multipart_upload", Key=key, UploadId=upload)
        except FileNotFoundError:
            return 0
        except PacktrainError as error:
            if _is_no_upload(error):
                return 0  # it was completed
            raise
        return 1

    def _remember(self, key: str, upload: str) -> None:
        if self._note is None:
            self._notes.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._note = (self._notes / f"{os.getpid()}-{secrets.token_hex(4)}{_NOTE_SUFFIX}").open("xb", buffering=0)
            fcntl.flock(self._note, fcntl.LOCK_EX)
        self._under_way.add(upload)
        self._note.write(json.dumps({"key": key, "upload": upload}).encode("ascii") + b"\n")


def _is_no_upload(error: PacktrainError) -> bool:
    return error.found is not None and "NoSuchUpload" in error.found


def _etag_of(parts: list[dict[str, Any]]) -> str:
    """Return the ETag that S3 gives an object of these parts: the MD5 of theirs, and how many they are."""
    try:
        joined = b"".join(bytes.fromhex(str(part["ETag"]).strip('"')) for part in parts)
    except ValueError:
        return ""  # an encrypted part has no MD5: then nobody can say
    return f'"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"'
