"""A link over which a server on this machine is reached, and which is cut in the middle of what it carries."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_RECEIVE_BYTES = 1 << 16
_SECONDS_A_TRY = 0.02
_WAIT_SECONDS = 20


@dataclass
class CutLink:
    """A TCP relay on loopback that counts what goes to the server, and cuts all its connections once.

    Attributes:
        port: where it listens.
        cut_after_bytes: to the server, since the last `mend`; None carries everything.
        carried_bytes: to the server, since the last `mend`.
        bytes_a_second: how fast each connection carries, either way; None as fast as it can.
    """

    port: int = 0
    cut_after_bytes: int | None = None
    carried_bytes: int = 0
    is_cut: bool = False
    bytes_a_second: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list[socket.socket])

    def mend(self, cut_after_bytes: int | None = None) -> None:
        """Carry again, and count from nothing."""
        with self._lock:
            self.cut_after_bytes, self.carried_bytes, self.is_cut = cut_after_bytes, 0, False

    def take(self, num_bytes: int) -> int:
        """Return how many of these bytes still go to the server."""
        with self._lock:
            left = num_bytes if self.cut_after_bytes is None else self.cut_after_bytes - self.carried_bytes
            going = max(0, min(num_bytes, left))
            self.carried_bytes += going
            self.is_cut = self.is_cut or going < num_bytes
            return going

    def hold(self, *ends: socket.socket) -> None:
        """Remember ends of a connection, to close them when the link is cut."""
        with self._lock:
            self._open += ends

    def close_all(self) -> None:
        """Cut every connection, without a word of farewell."""
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cut_link(server_port: int) -> Iterator[CutLink]:
    """Yield a link to a server of this machine."""
    link = CutLink()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link.port = listener.getsockname()[1]
        accepting = threading.Thread(target=_accept, args=(listener, server_port, link), daemon=True)
        accepting.start()
        try:
            yield link
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            link.close_all()
            accepting.join(_WAIT_SECONDS)


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int, is_alive: Callable[[], bool]) -> None:
    """Return once somebody listens on a port of loopback."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert is_alive(), "the server ended"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(_SECONDS_A_TRY)
        else:
            return


def _accept(listener: socket.socket, server_port: int, link: CutLink) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        if link.is_cut:
            client.close()
            continue
        server = socket.create_connection(("127.0.0.1", server_port))
        link.hold(client, server)
        threading.Thread(target=_carry, args=(client, server, link, True), daemon=True).start()
        threading.Thread(target=_carry, args=(server, client, link, False), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, link: CutLink, to_server: bool) -> None:
    try:
        while chunk := source.recv(_RECEIVE_BYTES):
            if link.bytes_a_second is not None:
                time.sleep(len(chunk) / link.bytes_a_second)
            going = link.take(len(chunk)) if to_server else len(chunk)
            target.sendall(chunk[:going])
            if going < len(chunk):
                link.close_all()
                return
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
    except OSError:
        return
