"""The whole of `packtrain serve`: reads the folders once, listens, says where, and answers until a signal comes."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packtrain.voyage import Voyage
from packtrain.web.access import Access, new_token
from packtrain.web.reading import Reading
from packtrain.web.server import listen, serve
from packtrain.web.site import site


@dataclass(frozen=True, slots=True)
class Served:
    """Where the page is.

    Attributes:
        urls: one an address, with the token where one is needed: it is told nowhere else.
        port: that was chosen.
        notes: what a person should know, a sentence each.
    """

    urls: tuple[str, ...]
    port: int
    notes: tuple[str, ...] = ()


def serve_page(
    voyages: Sequence[Voyage],
    addresses: Sequence[str],
    port: int,
    ready: Callable[[Served], None],
    *,
    token: str | None = None,
    asks_for_token: bool = False,
    with_pictures: bool = False,
    opens: bool = False,
) -> None:
    """Serve the page over some voyage folders until SIGINT or SIGTERM comes.

    Args:
        voyages: see `Reading`.
        addresses: where to listen, as numbers; at one that is not loopback a token is needed.
        port: 0 takes a free one.
        ready: is told where the page is, once it is answered.
        token: that people must know; one is made where it is needed and None.
        asks_for_token: also on loopback.
        with_pictures: show sample pictures of the first folder's shards.
        opens: open the page in a browser, where a display is.

    Raises:
        PageNotServed: see `listen`; and what the first reading of the folders raises.
    """
    reading = Reading(voyages, with_pictures=with_pictures)
    reading.look()
    is_open = any(not ipaddress.ip_address(address).is_loopback for address in addresses)
    if token is None and (is_open or asks_for_token):
        token = new_token()
    sockets = listen(addresses, port)
    port = sockets[0].getsockname()[1]
    names = (socket.gethostname(),) if is_open else ()
    access = Access(addresses, port, token, names)
    bare = [f"http://{_host(address)}:{port}/" for address in addresses]
    urls = tuple(f"{url}?token={token}" if token else url for url in bare)
    notes = [
        *(["what is sent over a network is not encrypted: whoever can listen there reads it"] if is_open else []),
        *(["no display is here to open a browser on"] if opens and not _has_display() else []),
    ]

    def begin() -> None:
        ready(Served(urls, port, tuple(notes)))
        if opens and _has_display():
            # What a browser is started with stands in the list of processes, for all to see.
            webbrowser.open(f"{bare[0]}?token={access.once()}" if token else bare[0])

    asyncio.run(serve(sockets, site(reading, access), begin))


def _host(address: str) -> str:
    if ipaddress.ip_address(address).is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address


def _has_display() -> bool:
    """Return whether a window can be shown: without one a browser of letters would take the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
