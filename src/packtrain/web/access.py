"""Who may ask: by the name that the page was called under, and by a token wherever others could reach it."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from typing import Final

from packtrain.web.answer import HTML, Answer, refusal
from packtrain.web.request import Request

MIN_TOKEN_CHARACTERS: Final = 20
_MIN_DIFFERENT: Final = 8
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
_NEEDED: Final = "This page needs the token that packtrain serve printed: open the whole address that stands there."
# A page and no redirect: a link in a chat is a visit from another site, and a cookie with SameSite=Strict would not go
# along with what such a visit is redirected to.
_ENTERED: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<link rel="icon" href="data:,">'
    '<title>packtrain</title></head><body><main><h1>packtrain</h1><p><a href="/">To the voyage</a></p></main></body>'
    "</html>\n"
)


def new_token() -> str:
    """Return a token nobody guesses: 192 bits."""
    return secrets.token_urlsafe(24)


def fault_of_token(token: str) -> str:
    """Return why a token that a person chose is none, in words; "" for one that will do."""
    if not _TOKEN.fullmatch(token):
        return "it may hold letters, digits and . _ ~ - only, as it stands in an address"
    if len(token) < MIN_TOKEN_CHARACTERS or len(set(token)) < _MIN_DIFFERENT:
        return f"it is guessed too easily: {MIN_TOKEN_CHARACTERS} characters at least, {_MIN_DIFFERENT} different ones"
    return ""


class Access:
    """Says of each request whether it is answered.

    Args:
        addresses: that the server listens at.
        port: where it listens; browsers send a cookie to every port of a host, so its name tells them apart.
        token: who asks must know it; None where none is asked for.
        names: further names of this machine under which the page may be called.
    """

    def __init__(self, addresses: Iterable[str], port: int, token: str | None, names: Iterable[str] = ()) -> None:
        self._addresses = {ipaddress.ip_address(address) for address in addresses}
        self._names = {"localhost", *(name.lower() for name in names)}
        self._token = token
        self._cookie = f"packtrain-{port}"
        # Not the token itself: what a browser keeps is worth nothing after this run of the server.
        self._session = secrets.token_urlsafe(24)
        self._once: str | None = None

    def refuse(self, request: Request) -> Answer | None:
        """Return the answer to one who may not ask, or who shows the token for the first time; None: go on."""
        if not self._is_own_name(request.headers["host"]):
            # A page of elsewhere whose name was made to point here (DNS rebinding) sends its own name.
            return refusal(421, "This page is not served under that name: call it by the address that was printed.")
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_visit(request):
            return refusal(403, "Pages of elsewhere may not read this one.")
        if self._token is None:
            return None
        if request.path == "/" and request.query:
            # A token holds nothing that an address would spell in another way.
            shown = [pair.removeprefix("token=") for pair in request.query.split("&") if pair.startswith("token=")]
            if len(shown) == 1 and (_same(shown[0], self._token) or self._takes_once(shown[0])):
                cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
                return Answer(_ENTERED.encode(), HTML, more=(("Set-Cookie", cookie),))
            return refusal(403, f"That is not the token. {_NEEDED}")
        # A program shows the token in a header; no browser sends that on behalf of a page of elsewhere.
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(shown, self._token):
            return None
        return None if self._has_cookie(request.headers.get("cookie", "")) else refusal(403, _NEEDED)

    def once(self) -> str:
        """Return a token that opens the page one time: for a command line, which others on this machine see."""
        self._once = new_token()
        return self._once

    def _takes_once(self, shown: str) -> bool:
        if self._once is None or not _same(shown, self._once):
            return False
        self._once = None
        return True

    def _has_cookie(self, header: str) -> bool:
        pairs = (pair.strip().partition("=") for pair in header.split(";"))
        return any(name == self._cookie and _same(value, self._session) for name, _, value in pairs)

    def _is_own_name(self, host: str) -> bool:
        # Any port: `ssh -L` brings the page to another one.
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:[0-9]{1,5})?", host)
        if found is None:
            return False
        name = found[1].lower()
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name in self._names
        # A number cannot be made to point elsewhere; where the server listens at all addresses, each may be its own.
        return address.is_loopback or address in self._addresses or any(own.is_unspecified for own in self._addresses)


def _is_visit(request: Request) -> bool:
    return request.headers.get("sec-fetch-mode") == "navigate" and request.headers.get("sec-fetch-dest") == "document"


def _same(shown: str, kept: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), kept.encode("ascii"))
