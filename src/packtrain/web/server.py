"""A server of HTTP for one page: GET and HEAD, one request a connection, bounded in time, in bytes and in number.

One thread waits on all connections (asyncio); what takes longer, reading the folders, is done beside it. See
docs/adr/0047-the-page-and-its-server.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from packtrain.errors import PageNotServed
from packtrain.web.answer import Answer, refusal
from packtrain.web.request import MAX_HEAD_BYTES, Refused, Request, read_head

MOST_CONNECTIONS: Final = 64
HEAD_SECONDS: Final = 5.0
"""A client that sends its head byte by byte has this long for all of it."""
ANSWER_SECONDS: Final = 30.0
_LINGER_SECONDS: Final = 0.5
_REFUSED_SECONDS: Final = 0.2
_BACKLOG: Final = 64

Handler = Callable[[Request], Awaitable[Answer]]
_log = logging.getLogger(__name__)


def listen(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Return a listening socket at each address, all on one port.

    Args:
        addresses: of IPv4 or IPv6, as numbers.
        port: 0 takes a free one.

    Raises:
        PageNotServed: the port is taken, may not be had, or an address is none of this machine's.
    """
    sockets: list[socket.socket] = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        sockets.append(opened)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            opened.bind((address, port))
            opened.listen(_BACKLOG)
        except OSError as error:
            for one in sockets:
                one.close()
            raise PageNotServed(
                f"the page cannot be served here: {(error.strerror or str(error)).lower()}",
                where=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
                hint="another --port (0 takes a free one), or another --listen; perhaps a packtrain serve runs already",
            ) from error
        port = opened.getsockname()[1]
    return sockets


async def serve(
    sockets: Sequence[socket.socket],
    handle: Handler,
    ready: Callable[[], None],
    *,
    head_seconds: float = HEAD_SECONDS,
    most_connections: int = MOST_CONNECTIONS,
) -> None:
    """Answer requests until SIGINT or SIGTERM comes.

    Args:
        sockets: of `listen`.
        handle: answers a well-formed request.
        ready: called once requests are answered.
        head_seconds: see `HEAD_SECONDS`.
        most_connections: more at one time are turned away.
    """
    door = _Door(handle, head_seconds, most_connections)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    servers = [await asyncio.start_server(door.meet, sock=one, limit=MAX_HEAD_BYTES) for one in sockets]
    try:
        ready()
        await ended.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a reading may still go on: a second one ends that as well
        for server in servers:
            server.close()
        await door.close()


class _Door:
    """Takes connections in, so many at a time."""

    def __init__(self, handle: Handler, head_seconds: float, most: int) -> None:
        self._handle = handle
        self._head_seconds = head_seconds
        self._most = most
        self._open: set[asyncio.Task[None]] = set()
        # Those of them that have not sent their head yet, the oldest first.
        self._asking: dict[asyncio.Task[None], None] = {}

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer it, close the connection."""
        task = asyncio.current_task()
        if task is None or (len(self._open) >= self._most and not self._asking):
            writer.transport.abort()
            return
        if len(self._open) >= self._most:
            # Whoever comes and says nothing gives way to whoever comes after: nobody keeps all places by waiting.
            oldest = next(iter(self._asking))
            del self._asking[oldest]
            oldest.cancel()
        self._open.add(task)
        try:
            # Cancelled it is by `close` and by who needs its place, and ends here in peace.
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                await self._answer(reader, writer)
        finally:
            self._open.discard(task)
            # What is not sent by now is not waited for.
            writer.transport.abort()

    async def close(self) -> None:
        """Close every connection, whatever it waits for."""
        tasks = tuple(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._asking[task] = None
        try:
            request = await self._read(reader)
        finally:
            self._asking.pop(task, None)
        if request is None:
            return
        answer = refusal(request.status) if isinstance(request, Refused) else await self._answer_of(request)
        if answer.status in (403, 421):
            await asyncio.sleep(_REFUSED_SECONDS)  # guessing takes its time
        has_body = isinstance(request, Refused) or request.method == "GET"
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.transport.set_write_buffer_limits(0)  # drained is: all of it is with the system
            writer.write(answer.head() + (answer.body if has_body else b""))
            await writer.drain()
            writer.write_eof()
        # Closed with bytes of the client unread, the system would call the answer back.
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(MAX_HEAD_BYTES):
                pass

    async def _answer_of(self, request: Request) -> Answer:
        try:
            return await self._handle(request)
        except Exception as error:  # noqa: BLE001 - a fault of one request ends neither the server nor in silence
            _log.warning("%s %s: %s", request.method, request.path, type(error).__name__)
            _log.debug("", exc_info=error)
            return refusal(500)

    async def _read(self, reader: asyncio.StreamReader) -> Request | Refused | None:
        """Return the request; None of one who sent nothing or went away."""
        try:
            async with asyncio.timeout(self._head_seconds):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return Refused(431)
        except asyncio.IncompleteReadError:
            return None
        except TimeoutError:
            return Refused(408)
        request = read_head(head)
        if isinstance(request, Request):
            _log.debug("%s %s", request.method, request.path)  # without its query, which may hold the token
        return request
