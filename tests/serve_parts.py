"""`packtrain serve` as a user runs it: a process of its own on a free port, asked over bare sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SRC = Path(__file__).parents[1] / "src"


@dataclass(frozen=True)
class Serving:
    """A server that answers."""

    document: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return self.document["port"]

    @property
    def url(self) -> str:
        """Where the page is, with the token if there is one."""
        return self.document["urls"][0]

    def ask(self, request: bytes, *, timeout: float = 10) -> bytes:
        """Send bytes as they are; return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def get(self, path: str, *headers: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a GET that is sent as it is written here."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", *headers, "", ""]
        return answer_of(self.ask("\r\n".join(lines).encode("latin-1")))

    def read(self, path: str) -> Any:
        """Return a JSON document that is served."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)


def answer_of(payload: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body of an answer."""
    head, _, body = payload.partition(b"\r\n\r\n")
    first, *rest = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split(" ")[1]), headers, body


def packtrain_process(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start `packtrain ARGS` as another process."""
    return subprocess.Popen(
        [sys.executable, "-m", "packtrain", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SRC), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(*folders: Path, options: Sequence[object] = (), **environment: str) -> Iterator[Serving]:
    """Serve folders on a free port; at the end of the context Ctrl-C ends the server, and it ends well."""
    process = packtrain_process("serve", *folders, "--port", 0, "--json", *options, **environment)
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            lines.append(line)
        yield Serving(json.loads("".join(lines)), process)
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=20)
        assert (process.returncode, rest) == (0, ""), told
        assert "Traceback" not in told, told
    finally:
        process.kill()
        process.communicate()
