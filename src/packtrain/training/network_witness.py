"""Names the line of a program that reached for the network, even when the program swallowed the error.

An audit hook of the interpreter: every connection and name look-up of Python code passes it before it is tried. This
file is copied into the environment under test with a `.pth` that starts it, so that every process of that interpreter
is watched; it uses the standard library alone. Code that is not Python (a C++ client) is not seen: it is stopped by the
box all the same, but nobody can name its line.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MODULE: Final = "packtrain_network_witness"
MAX_LOG_BYTES: Final = 1 << 20
MAX_LINES_PER_PROCESS: Final = 200
_LOCAL_NAMES: Final = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_SKIPPED: Final = tuple(
    {os.path.join(path, "") for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))}  # noqa: PTH118
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reach for the network.

    Attributes:
        event: the audit event, "socket.connect" for instance.
        address: what was to be reached, "example.org:443".
        file, line: the innermost line that is neither the standard library's nor an installed package's, if any.
        via: the innermost line outside the standard library where that is another one: the library that did it.
    """

    event: str
    address: str
    file: str
    line: int
    via: str

    def spelled(self, program_folder: Path | None = None) -> str:
        """Return "train.py:12 reached for example.org:443", with the file relative to the program's folder."""
        path = Path(self.file)
        if program_folder is not None and path.is_relative_to(program_folder):
            path = path.relative_to(program_folder)
        by = f" by {self.via}" if self.via else ""
        return f"{path}:{self.line} reached for {self.address}{by}"


def install(site_packages: Path, log: Path) -> None:
    """Make every start of the interpreter with this site-packages folder write its attempts to `log`."""
    (site_packages / f"{MODULE}.py").write_bytes(Path(__file__).read_bytes())
    (site_packages / f"{MODULE}.pth").write_text(f"import {MODULE}; {MODULE}.watch({str(log)!r})\n", encoding="utf-8")


def read_witness(log: Path) -> tuple[Attempt, ...]:
    """Return the attempts of a log, each line of code and address once, in order. A torn line is left out."""
    try:
        with log.open("rb") as stream:
            payload = stream.read(MAX_LOG_BYTES)
    except FileNotFoundError:
        return ()
    attempts: dict[Attempt, None] = {}
    for raw in payload.splitlines():
        try:
            body = json.loads(raw)
            attempt = Attempt(
                event=str(body["event"])[:64],
                address=str(body["address"])[:256],
                file=str(body["file"])[:1024],
                line=int(body["line"]),
                via=str(body["via"])[:1024],
            )
        except (ValueError, KeyError, TypeError):
            continue
        attempts[attempt] = None
    return tuple(attempts)


def watch(log: str) -> None:
    """Write every reach for an address that is not this machine's to `log`, from now to the end of the process.

    An audit hook cannot be taken away again.
    """
    num_lines = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal num_lines
        if not event.startswith("socket.") or num_lines >= MAX_LINES_PER_PROCESS:
            return
        address = _address(event, arguments)
        if address is None:
            return
        num_lines += 1
        file, line, via = _culprit()
        record = {"event": event, "address": address, "file": file, "line": line, "via": via}
        try:
            # One write of one line: lines of several processes do not mix.
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, json.dumps(record).encode("utf-8", "replace") + b"\n")
            finally:
                os.close(descriptor)
        except OSError:
            # An exception here would reach the program, which must behave as it does without a witness.
            return

    sys.addaudithook(hook)


def _address(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1] if len(arguments) > 1 else None
        # A text or bytes is the path of a socket that is a file; sendmsg on a connected socket has no address.
        if not isinstance(address, tuple) or len(address) < 2:
            return None
        host, port = _text(address[0]), address[1]
        return None if _is_local(host) else f"{host}:{port}"
    if event == "socket.getaddrinfo":
        host, port = _text(arguments[0]), _text(arguments[1])
        # A numeric address is looked up nowhere: the connection that follows tells.
        return None if _is_local(host) or _is_numeric(host) else f"{host}:{port}" if port else host
    if event in ("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        first = arguments[0]
        host = _text(first[0] if isinstance(first, tuple) and first else first)
        return None if _is_local(host) else host
    return None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)


def _is_local(host: str) -> bool:
    if host.lower().rstrip(".") in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # A machine that asks for its own name wants its own address.
        return host == socket.gethostname()
    return address.is_loopback or address.is_unspecified


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _culprit() -> tuple[str, int, str]:
    """Return file and line of the program, and the library's line where a library did it for the program."""
    library = program = ""
    line = 0
    # 0 is this function, 1 the hook, 2 what called into the socket.
    # inspect.stack would read source files, which a hook must not.
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen") or (file.startswith(_SKIPPED) and "site-packages" not in file):
            frame = frame.f_back
            continue
        if "site-packages" in file or "dist-packages" in file:
            library = library or f"{file}:{frame.f_lineno}"
        else:
            program, line = file, frame.f_lineno
            break
        frame = frame.f_back
    if not program and library:
        file, _, number = library.rpartition(":")
        return file, int(number), ""
    return program or "<unknown>", line, library
