import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable

import pytest

from packtrain.errors import PageNotServed
from packtrain.web import server
from packtrain.web.answer import Answer
from packtrain.web.request import Request
from serve_parts import answer_of

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"x" * 3_000_000


async def _answer(request: Request) -> Answer:
    if request.path == "/large":
        return Answer(LARGE)
    if request.path == "/late":
        await asyncio.sleep(0.3)
    if request.path == "/fault":
        raise ValueError(request.path)
    return Answer(request.path.encode())


async def _ask(port: int, payload: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(payload)
        await writer.drain()
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await reader.read(-1)
    writer.close()
    return answer


def _with_server(
    talk: Callable[[int], Awaitable[None]], *, head_seconds: float = 5.0, most_connections: int = 64
) -> None:
    """Run a server, talk to it, and end it as Ctrl-C would."""

    async def both() -> None:
        opened = server.listen(["127.0.0.1"], 0)
        port = opened[0].getsockname()[1]
        ready = asyncio.Event()
        serving = asyncio.create_task(
            server.serve(opened, _answer, ready.set, head_seconds=head_seconds, most_connections=most_connections)
        )
        await ready.wait()
        await talk(port)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(serving, 5)

    asyncio.run(both())


def test_requests_are_answered_and_head_sends_no_body() -> None:
    async def talk(port: int) -> None:
        status, headers, body = answer_of(await _ask(port, REQUEST))
        assert (status, body, headers["content-length"], headers["connection"]) == (200, b"/", "1", "close")
        status, headers, body = answer_of(await _ask(port, REQUEST.replace(b"GET", b"HEAD")))
        assert (status, body, headers["content-length"]) == (200, b"", "1")
        assert (await _ask(port, REQUEST.replace(b" / ", b" /large "))).endswith(LARGE)
        assert answer_of(await _ask(port, REQUEST.replace(b" / ", b" /fault ")))[0] == 500

    _with_server(talk)


def test_a_second_request_on_a_connection_is_not_answered() -> None:
    async def talk(port: int) -> None:
        answer = await _ask(port, REQUEST + REQUEST.replace(b" / ", b" /second "))
        assert answer.count(b"HTTP/1.1") == 1 and b"/second" not in answer

    _with_server(talk)


def test_a_refusal_reaches_one_who_still_sends() -> None:
    async def talk(port: int) -> None:
        post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000
        status, headers, _ = answer_of(await _ask(port, post))
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000
        assert answer_of(await _ask(port, head))[0] == 431

    _with_server(talk)


def test_who_sends_byte_by_byte_is_not_waited_for() -> None:
    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.create_task(_drip(writer))
        assert (await asyncio.wait_for(reader.read(-1), 5)).startswith(b"HTTP/1.1 408 ")
        sending.cancel()
        writer.close()

    _with_server(talk, head_seconds=0.3)


async def _drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"G")
            await writer.drain()
            await asyncio.sleep(0.02)


def test_clients_that_say_nothing_give_way_the_oldest_first() -> None:
    async def talk(port: int) -> None:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        for _, writer in slow:
            writer.write(b"GET / HT")
        await asyncio.sleep(0.05)
        assert answer_of(await _ask(port, REQUEST))[0] == 200
        oldest, *others = slow
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(oldest[0].read(), 5) == b""
        for reader, writer in others:
            writer.write(REQUEST.removeprefix(b"GET / HT"))
            assert answer_of(await asyncio.wait_for(reader.read(), 5))[0] == 200
            writer.close()
        oldest[1].close()

    _with_server(talk, head_seconds=60, most_connections=4)


def test_the_end_waits_for_nobody() -> None:
    async def talk(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST.replace(b" / ", b" /late "))
        await writer.drain()

    _with_server(talk)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PageNotServed, match=f"127.0.0.1:{port}: .* in use"):
            server.listen(["127.0.0.1"], port)
    with pytest.raises(PageNotServed, match="cannot assign"):
        server.listen(["192.0.2.1"], 0)


def test_two_addresses_share_a_port() -> None:
    try:
        opened = server.listen(["127.0.0.1", "::1"], 0)
    except PageNotServed:
        pytest.skip("no IPv6 here")
    ports = {one.getsockname()[1] for one in opened}
    for one in opened:
        one.close()
    assert len(ports) == 1
