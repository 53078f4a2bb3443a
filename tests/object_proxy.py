"""A proxy before a server of object storage, which answers some requests itself, or keeps an answer back."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a rule sees it."""

    method: str
    key: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @property
    def operation(self) -> str:
        """Return what is asked for, in the words of S3."""
        if "uploads" in self.query:
            return "begin" if self.method == "POST" else "uploads"
        if "uploadId" in self.query:
            return {"PUT": "part", "POST": "complete", "DELETE": "abort"}.get(self.method, self.method)
        if "list-type" in self.query:
            return "list"
        return {"GET": "get", "HEAD": "head", "PUT": "put"}.get(self.method, self.method)


@dataclass(frozen=True, slots=True)
class Instead:
    """What the proxy answers.

    Attributes:
        status: of HTTP; 0 closes the connection without a word.
        code: of S3, in the body.
        forwards: the server gets the request all the same.
    """

    status: int
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    forwards: bool = False


Rule = Callable[[Asked], Instead | None]


@dataclass
class ObjectProxy:
    """Attributes: port; rule: None carries everything; seen: what was asked for, as operations."""

    port: int = 0
    rule: Rule | None = None
    seen: list[str] = field(default_factory=list[str])


def first(operation: str, times: int, instead: Instead) -> Rule:
    """Return a rule for the first so many requests of this kind ("" for any)."""
    lock, left = threading.Lock(), [times]

    def rule(asked: Asked) -> Instead | None:
        if operation and asked.operation != operation:
            return None
        with lock:
            left[0] -= 1
            return instead if left[0] >= 0 else None

    return rule


@contextmanager
def object_proxy(server_port: int, rule: Rule | None = None) -> Iterator[ObjectProxy]:
    """Yield a proxy to a server of this machine."""
    proxy = ObjectProxy(rule=rule)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            place = urlsplit(self.path)
            asked = Asked(self.command, place.path, parse_qs(place.query, keep_blank_values=True), dict(self.headers))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.seen.append(asked.operation)
            instead = proxy.rule(asked) if proxy.rule is not None else None
            if instead is None:
                self.send(*self.forwarded(body))
                return
            if instead.forwards:
                self.forwarded(body)
            if not instead.status:
                self.close_connection = True
                self.connection.close()
                return
            said = f"<Error><Code>{instead.code}</Code><Message>as the test wants it</Message></Error>".encode()
            self.send(instead.status, {"Content-Type": "application/xml", **instead.headers}, said)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def forwarded(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server_port, timeout=60)
            try:
                # The Host header is signed, and stays.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "expect":
                        connection.putheader(name, value)
                connection.endheaders(body)
                found = connection.getresponse()
                return found.status, dict(found.getheaders()), found.read()
            finally:
                connection.close()

        def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            kept = {name: value for name, value in headers.items() if name.lower() != "transfer-encoding"}
            if self.command != "HEAD":
                kept = {name: value for name, value in kept.items() if name.lower() != "content-length"}
                kept["Content-Length"] = str(len(body))
            elif not any(name.lower() == "content-length" for name in kept):
                kept["Content-Length"] = "0"
            for name, value in kept.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join(20)
