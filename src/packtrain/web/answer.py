"""An answer and its bytes, with the headers that every answer carries: nothing of elsewhere runs, nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)
HTML: Final = "text/html; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"
SCRIPT: Final = "text/javascript; charset=utf-8"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent.

    Attributes:
        body: bytes; of a HEAD only their number is sent.
        media_type: of the body.
        status: of HTTP.
        more: further headers.
    """

    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200
    more: Sequence[tuple[str, str]] = ()

    def head(self) -> bytes:
        """Return status line and headers, up to the empty line."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        own = (("Content-Type", self.media_type), ("Content-Length", str(len(self.body))))
        lines += [f"{name}: {value}" for name, value in (*own, *_ALWAYS, *self.more)]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def refusal(status: int, words: str = "") -> Answer:
    """Return an answer in plain words; of what was asked it repeats nothing."""
    more = (("Allow", "GET, HEAD"),) if status == 405 else ()
    return Answer(f"{words or HTTPStatus(status).phrase}\n".encode(), status=status, more=more)
