"""Requests to one bucket: the client, its patience, and its errors in our words."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import importlib
import importlib.util
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from packtrain.errors import DriveFull, HostileArchive, MissingDependency, SourceChanged, StoreUnreachable
from packtrain.object_storage.address import ObjectPlace, require_endpoint

T = TypeVar("T")
CONNECTIONS: Final = 8
"""Requests at a time from one process."""
_CONNECT_SECONDS: Final = 10
# How long a server may say nothing. A slow one that goes on sending or taking bytes is waited for without an end.
_SILENT_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 60.0
"""For so long a request that found no server, or a busy one, is tried again: long enough to start a server anew."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_GONE: Final = frozenset(("404", "NoSuchKey", "NotFound"))
_REFUSED: Final = frozenset((
    "401", "403", "AccessDenied", "AllAccessDisabled", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken",
    "SignatureDoesNotMatch",
))  # fmt: skip
_ELSEWHERE: Final = frozenset((
    "301", "307", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect",
    "TemporaryRedirect",
))  # fmt: skip
_BARE: Final = frozenset(("301", "307", "400", "401", "403"))
_CLOCK: Final = frozenset(("RequestExpired", "RequestTimeTooSkewed"))
# A server refuses what was signed with a clock that is 15 minutes off; where it says no reason, we look ourselves.
_MOST_SKEW_SECONDS: Final = 600
_FULL: Final = frozenset(("507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "ServiceQuotaExceeded"))
_BUSY: Final = frozenset((
    "429", "500", "502", "503", "504", "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown",
    "TooManyRequests",
))  # fmt: skip
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:[0-9]{1,19}|\*)")
_AGAIN: Final = "run the same command again: it goes on where it stopped"
_KEYS: Final = (
    "the access key comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the profile in AWS_PROFILE; "
    "it must be allowed to read, write, list and delete below the prefix"
)
_NO_S3: Final = "ask for the objects past proxies and caches, or from a server that answers as S3 does"
_CERTIFICATE: Final = (
    "name the file of the authority that signed it (PEM) in AWS_CA_BUNDLE, or as ca_bundle in the profile of AWS"
)


class ObjectConnection:
    """One bucket of one server. Safe over threads, and over a fork: each process has a client of its own.

    Args:
        place: bucket, prefix and server.
        patience_seconds: for so long a request is tried again that found no server, or one that does not keep up.
    """

    def __init__(self, place: ObjectPlace, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.place = place
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._client: Any = None
        self._process = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave the client behind: another process has its own."""
        return {"place": self.place, "_patience_seconds": self._patience_seconds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with no client."""
        self.__init__(state["place"], patience_seconds=state["_patience_seconds"])

    def call(self, operation: str, /, **arguments: Any) -> Any:
        """Return the answer of one request to the bucket, tried again where that can help.

        Args:
            operation: name of the client's method, such as "put_object".

        Raises:
            StoreUnreachable: no server answers, it refuses the key, or the bucket is not there.
            DriveFull: the server has no room.
            FileNotFoundError: the object is not there.
        """
        with self._told():
            return self._patiently(lambda: self._asked(operation, arguments))

    def head(self, key: str) -> Mapping[str, Any] | None:
        """Return what is known of an object, its length and ETag at least; None where there is none.

        Raises:
            StoreUnreachable: see `call`; or the answer lacks one of them.
        """
        try:
            answer = self.call("head_object", Key=key, ChecksumMode="ENABLED")
        except FileNotFoundError:
            return None
        for name in ("ContentLength", "ETag"):
            self.said(answer, name)
        return answer

    def said(self, answer: Mapping[str, Any], name: str) -> Any:
        """Return what an answer must say under this name.

        Raises:
            StoreUnreachable: it does not.
        """
        found = answer.get(name)
        if found is None or found == "":
            raise StoreUnreachable(
                "object storage leaves out what its answer must say",
                where=self.place.url,
                expected=name,
                found=f"only {', '.join(sorted(answer.keys() - {'ResponseMetadata'}))}"[:256],
                hint=_NO_S3,
            )
        return found

    def read(self, key: str, offset: int, length: int, etag: str = "") -> bytes:
        """Return these bytes of an object, fewer only where it ends before; a read that is cut is tried again.

        Args:
            key: of the object.
            offset, length: in bytes.
            etag: what its ETag must still be, if anything.

        Raises:
            FileNotFoundError: the object is not there.
            SourceChanged: it has another ETag by now.
            StoreUnreachable: see `call`; or the answer was cut again and again.
        """
        if length <= 0:
            return b""
        with self._told():
            try:
                return self._patiently(lambda: self._range(key, offset, length, etag))
            except _BeyondEnd:
                return b""

    def _asked(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return getattr(self._client_here(), operation)(Bucket=self.place.bucket, **arguments)
        except _library("botocore.exceptions", self.place).ClientError as error:
            if _code(error) in _BUSY:
                raise
            raise self._refused(self._explained(error)) from None

    def _explained(self, error: Any) -> Any:
        """Return an error that says why, in the place of the bare number that an answer to HEAD has."""
        if error.operation_name != "HeadObject" or _code(error) not in _BARE:
            return error
        try:
            self._client_here().list_objects_v2(Bucket=self.place.bucket, Prefix=self.place.below(""), MaxKeys=1)
        except _library("botocore.exceptions", self.place).ClientError as why:
            return why
        except _library("botocore.exceptions", self.place).BotoCoreError:
            return error
        return error

    def _range(self, key: str, offset: int, length: int, etag: str) -> bytes:
        asked = {"Key": key, "Range": f"bytes={offset}-{offset + length - 1}"}
        answer = self._asked("get_object", {**asked, "IfMatch": etag} if etag else asked)
        # Not every server heeds If-Match.
        if etag and str(answer.get("ETag", etag)) != etag:
            answer["Body"].close()
            raise _changed(key, self.place)
        with contextlib.closing(answer["Body"]) as body:
            self._require_range(key, offset, length, answer.get("ContentRange"))
            # Not more than was asked for, whatever a server sends.
            return bytes(body.read(length))

    def _require_range(self, key: str, offset: int, length: int, content_range: str | None) -> None:
        """Refuse other bytes than were asked for: servers and proxies may answer a range with the whole object."""
        if content_range is None and offset == 0:
            return
        said = _CONTENT_RANGE.fullmatch(content_range or "")
        if said is None or int(said[1]) != offset or not offset <= int(said[2]) < offset + length:
            raise StoreUnreachable(
                "object storage answers with another range of bytes",
                where=f"{self.place.url}, {key}",
                expected=f"bytes {offset}-{offset + length - 1}",
                found=(content_range or "the whole object")[:64],
                hint=_NO_S3,
            )

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, asking again where nobody answered, an answer was cut, or the server is busy.

        The library has a patience of its own, which is turned off: it counts tries, and a server that refuses
        connections while it is started anew is through with six of them in a second.
        """
        exceptions = _library("botocore.exceptions", self.place)
        unanswered = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
        given_up_at, pause = 0.0, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return ask()
            except (*unanswered, exceptions.ClientError) as error:
                if _is_distrusted(error):
                    raise
                now = time.monotonic()
                given_up_at = given_up_at or now + self._patience_seconds
                if now + pause > given_up_at:
                    raise
                # Not all threads at once.
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the library raises into our words."""
        exceptions = _library("botocore.exceptions", self.place)
        try:
            yield
        except exceptions.ClientError as error:
            raise self._refused(error) from None
        except (
            exceptions.NoCredentialsError,
            exceptions.PartialCredentialsError,
            exceptions.ProfileNotFound,
            exceptions.CredentialRetrievalError,
            exceptions.TokenRetrievalError,
        ) as error:
            raise StoreUnreachable(
                f"no access key for object storage: {error}", where=self.place.url, hint=_KEYS
            ) from None
        except exceptions.NoRegionError:
            raise StoreUnreachable(
                "no region of object storage is named",
                where=self.place.url,
                hint='name it in [site] s3_region ("us-east-1" for most servers that are not AWS), or in AWS_REGION',
            ) from None
        except (exceptions.BotoCoreError, OSError) as error:
            if isinstance(error, _NoObject | _BeyondEnd):
                raise
            if _is_distrusted(error):
                raise StoreUnreachable(
                    f"the certificate of object storage is not trusted: {error}"[:400],
                    where=self.place.url,
                    hint=_CERTIFICATE,
                ) from None
            raise StoreUnreachable(
                f"object storage does not answer: {error}",
                where=self.place.url,
                hint=f"see that the server runs and is reached from here, then {_AGAIN}",
            ) from error

    def _refused(self, error: Any) -> Exception:
        code = _code(error)
        said = str(error.response.get("Error", {}).get("Message", ""))[:256]
        where = self.place.url
        if code in _GONE:
            return _NoObject(errno.ENOENT, "no such object")
        if code in ("416", "InvalidRange"):
            return _BeyondEnd()
        if code == "NoSuchBucket" or code == "InvalidBucketName":
            return StoreUnreachable(
                "bucket is not there",
                where=where,
                expected=f"a bucket {self.place.bucket}",
                found=f"{code}: {said}",
                hint="make the bucket with the tools of the site, or mend [site] store; packtrain makes none",
            )
        if code in ("412", "PreconditionFailed"):
            return _changed("", self.place)
        if code in _CLOCK or (code in _REFUSED and _skew_seconds(error) > _MOST_SKEW_SECONDS):
            return StoreUnreachable(
                "this machine's clock is not that of object storage",
                where=where,
                expected="less than 15 minutes between them",
                found=f"{round(_skew_seconds(error))} seconds; {code}: {said}",
                hint='set the clock ("timedatectl" says whether it follows a time server), then run the command again',
            )
        if code in _ELSEWHERE:
            region = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
            return StoreUnreachable(
                "bucket is in another region, or behind another endpoint",
                where=where,
                expected=f"region {region[:64]}" if region else "",
                found=f"{code}: {said}",
                hint="name its region in [site] s3_region, and its server in s3_endpoint",
            )
        if code in _REFUSED:
            return StoreUnreachable(
                "object storage refuses the access key", where=where, found=f"{code}: {said}", hint=_KEYS
            )
        if code in _FULL:
            return DriveFull(
                "no space left in object storage",
                where=where,
                found=f"{code}: {said}",
                hint=f"make room, then {_AGAIN}",
            )
        if code == "KeyTooLongError":
            return HostileArchive("name is too long for object storage", where=where, hint="load into a folder")
        if code in ("BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"):
            return BytesChangedOnTheWay(f"{code}: {said}")
        what = "object storage does not keep up" if code in _BUSY else "object storage refuses a request"
        return StoreUnreachable(
            what,
            where=where,
            found=f"{error.operation_name}: {code}: {said}",
            hint=f"see what the server's log says, then {_AGAIN}",
        )

    def _client_here(self) -> Any:
        with self._lock:
            if self._client is None or self._process != os.getpid():
                self._client, self._process = _open(self.place), os.getpid()
            return self._client


class BytesChangedOnTheWay(Exception):
    """The server got other bytes than were sent: sending them again helps, once or twice."""


class _NoObject(FileNotFoundError):
    """The server says that there is no such object. Another file that is missing here is no answer of its."""


class _BeyondEnd(OSError):
    """A range that begins where the object has ended."""


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))[:64]


def _skew_seconds(error: Any) -> float:
    """Return how far the clock of the server, as its answer says, is from ours; 0 where it says nothing."""
    said = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return abs(email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _is_distrusted(error: Exception) -> bool:
    """Return whether a server was not spoken to because of its certificate: asking again does not help."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "certificate verify failed" in str(error)


def _changed(key: str, place: ObjectPlace) -> SourceChanged:
    return SourceChanged(
        "object was changed while it was read",
        where=f"{place.url}, {key}" if key else place.url,
        hint="see who writes below the prefix of the store, then run the same command again",
    )


def _open(place: ObjectPlace) -> Any:
    # At DEBUG it logs headers, and a session's token is one of them.
    for name in ("botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.INFO)
    session = _library("botocore.session", place).get_session()
    authorities = session.get_config_variable("ca_bundle")
    if authorities and not Path(authorities).exists():
        raise StoreUnreachable(
            "the file of certificate authorities is not there", where=str(authorities), hint=_CERTIFICATE
        )
    config = _library("botocore.config", place).Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_SILENT_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=2 * CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},
        # We send SHA-256 ourselves and look at what the server answers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # A server of one's own has rarely a name for each bucket; AWS takes both.
        s3={"addressing_style": "path"} if place.endpoint else {},
        user_agent_extra="packtrain",
    )
    client = session.create_client(
        "s3", endpoint_url=place.endpoint or None, region_name=place.region or None, config=config
    )
    require_endpoint(place, client.meta.endpoint_url)
    return client


def _library(name: str, place: ObjectPlace) -> Any:
    if importlib.util.find_spec("botocore") is None:
        raise MissingDependency(
            "the store is object storage, and the library for it is not installed",
            where=place.url,
            expected="botocore",
            hint='pip install "packtrain[s3]"',
        )
    return importlib.import_module(name)
