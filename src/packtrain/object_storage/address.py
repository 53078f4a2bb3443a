"""Where objects lie, and how the names of files become keys of objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from packtrain.errors import HostileArchive, VoyageFileError
from packtrain.units import quoted

MOST_KEY_BYTES: Final = 1024
"""S3 takes no longer key."""
_MOST_NAME_BYTES: Final = 4096
_NO_PARTS: Final = frozenset((b"", b".", b".."))
# A program that takes its data folder as a pathlib.Path has lost one of the two slashes.
_URL: Final = re.compile(r"s3:/{1,2}(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?\Z", re.DOTALL)
# Control characters do not come through XML, and some servers take a backslash for a slash.
_UNSAFE: Final = re.compile(rb"[\x00-\x1f\x7f\\]|%(?=[0-9A-Fa-f]{2})")
_WRITTEN: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_LONE: Final = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """A prefix of a bucket, and the server that has it.

    Attributes:
        bucket: its name.
        prefix: what all keys begin with, without a slash at either end; "" for the whole bucket.
        endpoint: URL of the server; "" where AWS's own settings say it (AWS_ENDPOINT_URL_S3, the profile, the region).
        region: "" where AWS's own settings say it.
        allows_http: whether requests may go over plain HTTP.
    """

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""
    allows_http: bool = False

    @property
    def url(self) -> str:
        """Return the place as people write it."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    def key(self, name: bytes) -> str:
        """Return the key of the file `name`.

        Bytes that no key can hold, or that servers read differently, are written as % and two digits; so is a % that
        would look like that. Two names never get one key.

        Raises:
            HostileArchive: the name would leave the prefix, or its key is longer than 1024 bytes.
        """
        if len(name) > _MOST_NAME_BYTES or b"\0" in name or not _NO_PARTS.isdisjoint(name.split(b"/")):
            raise HostileArchive("name would leave the store", where=self.url, found=quoted(name[:256]))
        safe = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], name).decode("utf-8", "surrogateescape")
        key = self.below(_LONE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", safe))
        if len(key.encode("utf-8")) > MOST_KEY_BYTES:
            raise HostileArchive(
                "name is too long for object storage",
                where=self.url,
                expected=f"at most {MOST_KEY_BYTES} bytes with the prefix of the store",
                found=quoted(name[:256]),
                hint="load into a folder, or name a shorter prefix in [site] store",
            )
        return key

    def below(self, text: str) -> str:
        """Return a key below the prefix."""
        return f"{self.prefix}/{text}" if self.prefix else text

    def name(self, key: str) -> bytes:
        """Return the name of the file whose key this is."""
        below = key[len(self.prefix) + 1 :] if self.prefix else key
        parts = _WRITTEN.split(below)
        # Every second part is the two digits of a byte.
        return b"".join(
            bytes((int(part, 16),)) if number % 2 else part.encode("utf-8", "surrogateescape")
            for number, part in enumerate(parts)
        )


def is_object_url(text: str) -> bool:
    """Return whether a text names object storage, and not a folder."""
    return text.startswith("s3:/")


def parse_url(text: str, where: str, *, endpoint: str = "", region: str = "", allows_http: bool = False) -> ObjectPlace:
    """Return the place that s3://BUCKET/PREFIX names.

    Args:
        where: what the text is a part of, for messages.

    Raises:
        VoyageFileError: no bucket, a prefix that no key can begin with, or an endpoint that is no URL, or one of plain
            HTTP that was not allowed.
    """
    found = _URL.match(text)
    prefix = (found["prefix"] or "").strip("/") if found else ""
    parts = prefix.split("/") if prefix else []
    is_plain = prefix.isprintable() and "\\" not in prefix and "?" not in prefix and "%" not in prefix
    if found is None or not is_plain or any(part in ("", ".", "..") for part in parts):
        raise VoyageFileError(
            "no place in object storage",
            where=where,
            expected="s3://BUCKET or s3://BUCKET/PREFIX",
            found=_quoted_without_secret(text),
            hint="the server's address goes into [site] s3_endpoint, the access key into the environment",
        )
    place = ObjectPlace(found["bucket"], prefix, endpoint, region, allows_http)
    if endpoint:
        require_endpoint(place, endpoint)
    return place


def require_endpoint(place: ObjectPlace, endpoint: str) -> None:
    """Refuse an endpoint that is no URL of a server, or one of plain HTTP that was not allowed.

    Raises:
        VoyageFileError: it is.
    """
    try:
        parts = urlsplit(endpoint)
        is_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_server, parts = False, urlsplit("")
    if not is_server or parts.query or parts.fragment:
        raise VoyageFileError(
            "no endpoint of object storage",
            where=place.url,
            expected="https://HOST or https://HOST:PORT",
            found=_quoted_without_secret(endpoint),
            hint="access keys are never part of it: they come from the environment or the profile",
        )
    if parts.scheme == "http" and not place.allows_http:
        raise VoyageFileError(
            "object storage would be reached over plain HTTP: the data is readable on the way",
            where=place.url,
            expected="an endpoint that begins with https://",
            found=endpoint,
            hint='if the network between is yours alone, set "s3_plain_http = true" in [site]',
        )


def _quoted_without_secret(url: str) -> str:
    """Return what may be told of a URL: before its host it may carry a password, behind a "?" one too."""
    return quoted(url.rpartition("@")[2].partition("?")[0][:256].encode("utf-8", "surrogateescape"))


def quoted_name(name: bytes) -> str:
    """Return a name as a header can carry it."""
    return quote(name, safe="/")
