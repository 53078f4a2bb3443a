"""The table of what may be asked for: no path of a file system is ever in an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from packtrain.report.page_style import PAGE_STYLE
from packtrain.report.prometheus import MEDIA_TYPE
from packtrain.web.access import Access
from packtrain.web.answer import CSS, HTML, JSON, SCRIPT, Answer, refusal
from packtrain.web.page import PARTS
from packtrain.web.reading import Reading, View
from packtrain.web.request import Request
from packtrain.web.server import Handler

_FROM_READING: Final[Mapping[str, Callable[[View], Answer]]] = {
    "/": lambda view: Answer(view.page, HTML),
    "/watch.json": lambda view: Answer(view.watch, JSON),
    "/metrics": lambda view: Answer(view.metrics, MEDIA_TYPE),
    "/status.json": lambda view: Answer(view.status, JSON),
    **{
        f"/part/{name}": lambda view, name=name: Answer(view.parts[name].html.encode("utf-8", "replace"), HTML)
        for name in PARTS
    },
}
_FIXED: Final[Mapping[str, Callable[[], Answer]]] = {
    "/page.css": lambda: Answer(PAGE_STYLE.encode() + _own("page.css"), CSS),
    "/page.js": lambda: Answer(_own("page.js"), SCRIPT),
    "/icon.svg": lambda: Answer(_own("icon.svg"), "image/svg+xml"),
}


def site(reading: Reading, access: Access) -> Handler:
    """Return what answers requests: a look into a table, after the question whether this one may ask."""

    async def handle(request: Request) -> Answer:
        refused = access.refuse(request)
        if refused is not None:
            return refused
        if request.path in _FIXED:
            return _FIXED[request.path]()
        if request.path in _FROM_READING:
            return _FROM_READING[request.path](await reading.view())
        return refusal(404)

    return handle


@cache
def _own(name: str) -> bytes:
    """Return one of the files that lie beside this module; its name is written above and never comes from outside."""
    return Path(__file__).with_name(name).read_bytes()
