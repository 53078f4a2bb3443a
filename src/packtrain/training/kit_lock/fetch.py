"""Files of a lock, fetched once: cache first, then folders that the user names, then the address in the lock.

Length and digest are held against the lock while the bytes come in. What is there of a file when the line breaks is
kept, and the next try asks for the rest; what does not match is thrown away.
"""

from __future__ import annotations

import base64
import errno
import http.client
import os
import shutil
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.errors import WheelUnavailable
from packtrain.training.kit_lock.read import MAX_FILE_BYTES, LockedFile
from packtrain.units import MIB

TRIES: Final = 3
TIMEOUT_SECONDS: Final = 60.0
PART_SUFFIX: Final = ".partial"

_NO_SUCH_PART: Final = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows to http and https alone, and from https to https alone."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request for where an answer points to; the errors of the base class besides."""
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            raise urllib.error.HTTPError(req.full_url, 403, "redirect to another kind of address", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Fetcher:
    """Brings files of a lock into a folder.

    Args:
        cache: where they stay; a second run finds them there.
        folder: where relative paths of the lock begin.
        wheelhouses: folders to look in before anything is fetched.
        is_offline: take nothing from an address with a host.
        on_bytes: called with each number of bytes that came over a network.
    """

    def __init__(
        self,
        cache: Path,
        folder: Path,
        *,
        wheelhouses: Sequence[Path] = (),
        is_offline: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.cache = cache
        self.num_fetched = 0
        """Files that were not in the cache."""
        self._folder = folder
        self._wheelhouses = tuple(wheelhouses)
        self._is_offline = is_offline
        self._on_bytes = on_bytes

    def get(self, file: LockedFile) -> Path:
        """Return where the file lies in the cache, its bytes held against the lock.

        Raises:
            WheelUnavailable: it cannot be had, or its bytes are not those of the lock.
            DriveFull: no space is left.
        """
        # Two files of one name and other bytes (a folder's, then an index's) do not meet.
        place = self.cache / (file.sha256 or "unhashed")[:16] / file.name
        if file.sha256 is not None and place.is_file() and _mismatch(place, file) is None:
            return place
        self.num_fetched += 1
        for wheelhouse in self._wheelhouses:
            found = wheelhouse / file.name
            if found.is_file() and (file.sha256 is None or _mismatch(found, file) is None):
                return self._copy(found, place, file)
        parts = urlsplit(file.address)
        if parts.scheme in ("http", "https"):
            return self._download(file, place)
        if parts.scheme == "file":
            return self._copy(Path(unquote(parts.path)), place, file)
        if parts.scheme:
            raise WheelUnavailable("address is of a kind that is not fetched", where=file.name, found=parts.scheme[:20])
        return self._copy(self._folder / file.address, place, file)

    def _copy(self, source: Path, place: Path, file: LockedFile) -> Path:
        try:
            if not stat.S_ISREG(source.stat().st_mode):
                # A device or a pipe may have no end.
                raise WheelUnavailable("file of the lock is no regular file", where=str(source))
            with source.open("rb") as stream, durable.atomic_writer(place) as target:
                shutil.copyfileobj(stream, target, MIB)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise WheelUnavailable(
                "file of the lock is not where the lock says", where=str(source), found=error.strerror
            ) from error
        self._hold(place, file, str(source))
        return place

    def _download(self, file: LockedFile, place: Path) -> Path:
        if self._is_offline:
            raise WheelUnavailable(
                "file is in no folder here, and nothing may be fetched",
                where=file.name,
                hint="name a folder that has it with --wheelhouse, or leave out --offline",
            )
        part = place.with_name(place.name + PART_SUFFIX)
        part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(TRIES):
            try:
                self._continue(file, part)
                break
            except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code == _NO_SUCH_PART:
                    # What is here is all of it, or of another file: without a length in the lock nobody knows.
                    part.unlink(missing_ok=True)
                if attempt == TRIES - 1 or _is_final(error):
                    raise WheelUnavailable(
                        "file cannot be fetched",
                        where=file.name,
                        expected=f"an answer of {urlsplit(file.address).hostname}",
                        found=_told(error),
                        hint="the same command goes on where it stopped; --wheelhouse names a folder that has it",
                    ) from error
                time.sleep(2.0**attempt)
        self._hold(part, file, str(urlsplit(file.address).hostname))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(place)
        durable.sync_folder(place.parent)
        return place

    def _continue(self, file: LockedFile, part: Path) -> None:
        """Fetch what is missing of the file."""
        limit = file.bytes if file.bytes is not None else MAX_FILE_BYTES
        have = part.stat().st_size if part.exists() else 0
        if have and (have > limit or file.sha256 is None):
            # Without a digest nothing would tell that both halves are of one file.
            part.unlink()
            have = 0
        if file.bytes is not None and have == file.bytes:
            return
        request = _request(file.address)
        if have:
            request.add_header("Range", f"bytes={have}-")
        with urllib.request.build_opener(_WebOnly).open(request, timeout=TIMEOUT_SECONDS) as answer:
            goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT and have
            if goes_on and not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
                raise http.client.HTTPException("the server sent another part than was asked for")
            with part.open("ab" if goes_on else "wb") as target:
                total = self._pour(answer, target, have if goes_on else 0, limit, file)
            if answer.length and file.bytes is None:
                raise http.client.HTTPException(f"the line broke {answer.length} bytes before the end")
        if file.bytes is not None and total < file.bytes:
            raise http.client.HTTPException(f"the line broke after {total} of {file.bytes} bytes")

    def _pour(self, answer: BinaryIO, target: BinaryIO, total: int, limit: int, file: LockedFile) -> int:
        while piece := answer.read(MIB):
            total += len(piece)
            if total > limit:
                Path(target.name).unlink(missing_ok=True)
                raise WheelUnavailable(
                    "file is longer than the lock says", where=file.name, expected=f"{limit} bytes", found="more"
                )
            target.write(piece)
            if self._on_bytes is not None:
                self._on_bytes(len(piece))
        return total

    def _hold(self, path: Path, file: LockedFile, source: str) -> None:
        if (told := _mismatch(path, file)) is not None:
            path.unlink()
            raise WheelUnavailable(
                "file is not the one of the lock",
                where=f"{file.name} from {source}",
                expected=told[0],
                found=told[1],
                # A plain "uv lock" keeps the digest that it has, also of a file beside it.
                hint="if it was built anew here, or the publisher replaced it and you know why: "
                f'"uv lock --upgrade-package {file.name.partition("-")[0]}"',
            )


def _mismatch(path: Path, file: LockedFile) -> tuple[str, str] | None:
    """Return what was expected and what was found, or None where length and digest are the lock's."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"{file.bytes} bytes", f"{size}"
    if file.sha256 is not None and (found := sha256_file(path)) != file.sha256:
        return f"sha256 {file.sha256[:16]}…", f"{found[:16]}…"
    return None


def _request(address: str) -> urllib.request.Request:
    """Return the request for an address; what it says of user and password goes to that host alone."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host, fragment="")))  # noqa: S310
    request.add_header("User-Agent", "packtrain")
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        # Not followed to where the host redirects.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(secret).decode('ascii')}")
    return request


def _is_final(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
        return True
    return isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code not in (408, 416, 429)


def _told(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)[:200]
    return str(error)[:200]
