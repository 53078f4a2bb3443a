"""The head of a request, in the narrow form that this server takes: everything else is refused by a status.

Only what RFC 9112 calls origin form is read, no body ever, one request a connection: there is nothing to smuggle in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_HEAD_BYTES: Final = 16 * 1024
_MOST_HEADERS: Final = 100
# Printable ASCII without a blank: no control character, nothing above 126. Length is bounded by the head's.
_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]")
_METHOD_ONLY: Final = re.compile(rb"([A-Z]{1,16}) [!-~]+ HTTP/1\.[01]")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\t -~]*)")
_MAX_TARGET_BYTES: Final = 2048


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is well formed.

    Attributes:
        method: "GET" or "HEAD".
        path: as it was sent, never decoded: it is looked up in a table and nowhere else.
        query: what followed the first question mark, as it was sent.
        headers: by lower-case name; of those that came twice, none is here.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is none: the status of the answer."""

    status: int


def read_head(head: bytes) -> Request | Refused:
    """Return the request of a head (all up to the empty line), or the status that refuses it."""
    first, *rest = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        other = _METHOD_ONLY.fullmatch(first)
        return Refused(405 if other is not None and other[1] not in (b"GET", b"HEAD") else 400)
    method, target = line[1].decode("ascii"), line[2].decode("ascii")
    if method not in ("GET", "HEAD"):
        return Refused(405)
    if len(target) > _MAX_TARGET_BYTES:
        return Refused(414)
    if len(rest) > _MOST_HEADERS:
        return Refused(431)
    headers: dict[str, str] = {}
    twice: set[str] = set()
    for raw in rest:
        found = _HEADER.fullmatch(raw)
        if found is None:
            return Refused(400)
        name = found[1].decode("ascii").lower()
        twice |= {name} & headers.keys()
        headers[name] = found[2].decode("ascii").rstrip(" \t")
    if "host" not in headers or twice & {"host", "cookie", "content-length"}:
        return Refused(400)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return Refused(413)
    path, _, query = target.partition("?")
    return Request(method, path, query, {name: value for name, value in headers.items() if name not in twice})
