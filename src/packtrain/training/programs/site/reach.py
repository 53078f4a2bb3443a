"""Run on every host at once: who reaches whom by TCP, whose clock is off by how much, whose name leads where.

Python's own library alone, under the contract of a training program: it runs before any kit is there. The host of
rank 0 listens at MASTER_ADDR:MASTER_PORT; the others tell it where they listen, get the list of all, try their peers,
and tell what came of it. A host that never comes is named, and ends nothing: all end with 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MOST_PAIRS_OF_ALL = 16
"""Up to so many hosts try every other one; more of them a ring and a tree, in which each has at most five peers."""
_MOST_LINE_BYTES = 1 << 22
_MOST_NAME = 255
_MOST_ADDRESSES = 64
_LIES = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""What comes of reading from a host that tells something else than asked."""
_TRY_SECONDS = 3.0
_AT_ONCE = 16
_PINGS = 8


def peers_of(place: int, count: int) -> list[int]:
    """Return whom a host tries: all others, or its neighbours in a ring and in a tree, each pair from both ends."""
    if count <= MOST_PAIRS_OF_ALL:
        return [other for other in range(count) if other != place]
    near = {(place + 1) % count, (place - 1) % count, 2 * place + 1, 2 * place + 2}
    near |= {(place - 1) // 2} if place else set()
    return sorted(other for other in near if other < count and other != place)


class Line:
    """A connection on which both sides say JSON, a line an object."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._rest = b""

    def say(self, **told: Any) -> None:
        """Send an object."""
        self.connection.sendall(json.dumps(told).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """Return the next object.

        Raises:
            OSError, ValueError: it did not come within the connection's time, or is none.
        """
        until = time.monotonic() + (self.connection.gettimeout() or _TRY_SECONDS)
        while b"\n" not in self._rest:
            # Of the whole line: who sends a byte now and then would hold all others for ever.
            if time.monotonic() > until:
                raise ValueError("it took too long")
            piece = self.connection.recv(1 << 16)
            if not piece or len(self._rest) > _MOST_LINE_BYTES:
                raise ValueError("the other side ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            found = json.loads(line)
        except RecursionError as error:
            raise ValueError("too deep") from error
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - hostile bytes, one class for all that is wrong with them
        return found


class Door:
    """Listens on a port of its own, and says to whoever comes which host this is."""

    def __init__(self, place: int) -> None:
        # All addresses of IPv4: the one by which others know this host need not be the first one.
        self._listener = socket.create_server(("", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._greeting = json.dumps({"place": place}).encode() + b"\n"
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(_TRY_SECONDS)
                    connection.sendall(self._greeting)


def try_peer(peer: dict[str, Any]) -> dict[str, Any]:
    """Return how long a connection to a peer took, or why there is none."""
    started = time.perf_counter()
    try:
        with socket.create_connection((peer["address"], peer["port"]), _TRY_SECONDS) as connection:
            found = Line(connection).hear()
        if found.get("place") != peer["place"]:
            return {"place": peer["place"], "why": "another host answers there"}
        return {"place": peer["place"], "seconds": time.perf_counter() - started}
    except OSError as error:
        return {"place": peer["place"], "why": (error.strerror or "no answer").lower()}
    except ValueError as error:
        return {"place": peer["place"], "why": str(error)}


def addresses_of(name: str) -> list[str]:
    """Return what a name leads to here."""
    with contextlib.suppress(OSError, UnicodeError):
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, socket.AF_INET)})
    return []


def seen_from_here(own: int, peers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what this host found of its peers: each connection, and where each of their names leads."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tried = list(pool.map(try_peer, peers))
        names = list(pool.map(addresses_of, [peer["name"] for peer in peers]))
    return {
        "place": own,
        "tried": tried,
        "names": [{"place": peer["place"], "addresses": found} for peer, found in zip(peers, names, strict=True)],
    }


def lead(count: int, hello: dict[str, Any], seconds: float, report: Path) -> None:
    """Gather all hosts, hand out the list, ask each for its clock, write what they found."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", int(os.environ["MASTER_PORT"])))
    listener.listen(1024)
    lines: dict[int, Line] = {}
    told = {0: hello}
    until = time.monotonic() + seconds
    while len(told) < count and (left := until - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            connection, address = listener.accept()
        except OSError:
            break
        connection.settimeout(max(min(left, _TRY_SECONDS), 0.1))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(connection)
        with contextlib.suppress(*_LIES):
            found = hello_of(line.hear(), address[0])
            place = found["place"]
            if 0 < place < count and place not in told:
                told[place], lines[place] = found, line
    clocks = [clock for place, line in sorted(lines.items()) if (clock := clock_of(place, line)) is not None]
    answers: list[dict[str, Any]] = []
    for place, line in lines.items():
        with contextlib.suppress(OSError):
            line.say(peers=[told[peer] for peer in peers_of(place, count) if peer in told])
    answers.append(seen_from_here(0, [told[peer] for peer in peers_of(0, count) if peer in told]))
    for place, line in lines.items():
        # Each peer may take its whole time to not answer, so many at once.
        line.connection.settimeout(seconds)
        with contextlib.suppress(*_LIES):
            answers.append(answer_of(line.hear(), place, peers_of(place, count)))
    found = {"count": count, "hosts": [told[place] for place in sorted(told)], "seen": answers, "clocks": clocks}
    part = report.with_name(report.name + ".part")
    part.write_text(json.dumps(found))
    part.replace(report)
    # Only now: with the first of them gone, the others' doors would close one by one.
    for line in lines.values():
        with contextlib.suppress(OSError):
            line.say(done=True)


def plain(text: object) -> str:
    """Return what a host told as a text of some length that every reader takes."""
    return str(text)[:_MOST_NAME].encode("utf-8", "replace").decode()


def hello_of(told: dict[str, Any], address: str) -> dict[str, Any]:
    """Return what a host says of itself, held to bounds, and the address that it came from.

    Raises:
        One of `_LIES`: it says something else.
    """
    port = int(told["port"])
    if not 0 < port < 1 << 16:
        raise ValueError("no port")
    return {
        "place": int(told["place"]),
        "name": plain(told["name"]),
        "own": [plain(one) for one in list(told["own"])[:_MOST_ADDRESSES]],
        "port": port,
        "address": address,
    }


def answer_of(told: dict[str, Any], place: int, peers: list[int]) -> dict[str, Any]:
    """Return what a host says of its peers, held to bounds, and to itself: no host speaks for another.

    Raises:
        One of `_LIES`: it says something else.
    """
    tried: dict[int, dict[str, Any]] = {}
    for one in told["tried"]:
        peer, seconds = int(one["place"]), one.get("seconds")
        if seconds is not None and not (math.isfinite(float(seconds)) and 0 <= float(seconds) < 1e9):
            raise ValueError("no time")
        if peer in peers:
            why = {"why": plain(one["why"])} if seconds is None else {"seconds": float(seconds)}
            tried[peer] = {"place": peer, **why}
    names = [
        {
            "place": int(one["place"]),
            "addresses": [plain(each) for each in one["addresses"]][:_MOST_ADDRESSES],
        }
        for one in told["names"]
        if int(one["place"]) in peers
    ]
    return {"place": place, "tried": list(tried.values()), "names": names[: len(peers)]}


def clock_of(place: int, line: Line) -> dict[str, Any] | None:
    """Return by how much a host's clock is ahead of this one, and the bound of that: half the quickest round trip."""
    best: tuple[float, float] | None = None
    with contextlib.suppress(*_LIES):
        for _ in range(_PINGS):
            sent, before = time.time(), time.perf_counter()
            line.say(time=True)
            there = float(line.hear()["time"])
            if not math.isfinite(there):
                raise ValueError("no time")
            round_trip = time.perf_counter() - before
            if best is None or round_trip < best[0]:
                best = round_trip, there - (sent + round_trip / 2)
    return None if best is None else {"place": place, "offset_seconds": best[1], "bound_seconds": best[0] / 2}


def follow(place: int, hello: dict[str, Any], seconds: float) -> str:
    """Do what the first host asks; return why that came to nothing, or ""."""
    until = time.monotonic() + seconds
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    why = "no answer"
    while time.monotonic() < until:
        try:
            connection = socket.create_connection(address, _TRY_SECONDS)
        except OSError as error:
            why = (error.strerror or "no answer").lower()
            time.sleep(0.2)
            continue
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(4 * seconds)
            line = Line(connection)
            try:
                line.say(**hello)
                while True:
                    asked = line.hear()
                    if "time" in asked:
                        line.say(time=time.time())
                    elif "peers" in asked:
                        line.say(**seen_from_here(place, asked["peers"]))
                    else:
                        return ""
            except (OSError, ValueError) as error:
                return str(error)
    return f"{address[0]}:{address[1]}: {why}"


def main() -> None:
    """Take part as the first process of this host, or as any process where each plays a host."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--each-rank", action="store_true")
    given = parser.parse_args()
    rank, local_rank, world, on_host = (
        int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    )
    if local_rank and not given.each_rank:
        return
    place, count = (rank, world) if given.each_rank else (rank // on_host, world // on_host)
    name = socket.gethostname()
    hello = {
        "place": place,
        "name": name,
        "own": addresses_of(name),
        "port": Door(place).port,
        "address": os.environ["MASTER_ADDR"],
    }
    if place == 0:
        lead(count, hello, given.seconds, given.report)
    elif why := follow(place, hello, given.seconds):
        print(f"host {place} ({name}) does not reach the first: {why}", flush=True)


if __name__ == "__main__":
    main()
