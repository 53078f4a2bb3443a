"""A real browser, Debian's Chromium, driven by Playwright: what it loads, what it says, and whether axe finds fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from chromium_parts import CHROMIUM

LOOKS: Final = (("light", 1280), ("dark", 1280), ("light", 390))
"""Colours and width in pixels: a screen by day and by night, and a telephone."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; it may reach nothing but this machine, and asks nobody for updates."""
    assert CHROMIUM is not None
    switches = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
    switches += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, and all that went wrong in it."""

    page: Page
    told: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])

    def assert_clean(self) -> None:
        """No message in the console, no error, no failed request, and none that leaves this machine."""
        assert (self.told, self.failed) == ([], [])
        away = [url for url in self.asked if urlsplit(url).scheme not in ("data", "file", "blob")]
        assert {urlsplit(url).hostname for url in away} <= {"127.0.0.1"}


@contextmanager
def watched(browser: Browser, scheme: str = "light", width: int = 1280, *, script: bool = True) -> Iterator[Watched]:
    """Open an empty page in a fresh profile."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    one = Watched(page)
    page.on("console", lambda message: one.told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: one.told.append(f"error: {error}"))
    page.on("request", lambda request: one.asked.append(request.url))
    page.on("requestfailed", lambda request: one.failed.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda answer: one.failed.append(answer.url) if answer.status >= 400 else None)
    try:
        yield one
    finally:
        context.close()


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core holds against a page by some of its rules, or by all: rule, and where."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found: dict[str, Any] = Axe().run(page, options=options).response
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        for node in violation["nodes"][:3]
    ]


def scrolls_sideways(page: Page) -> bool:
    """Return whether the page as a whole is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


_FOCUSED: Final = """() => {
  // Where Tab leads is asked of the browser by pressing it; this says what stands there and whether that can be seen.
  const here = document.activeElement, style = getComputedStyle(here), box = here.getBoundingClientRect();
  return {
    tag: here.tagName, text: (here.textContent || here.getAttribute("aria-label") || "").trim().slice(0, 60),
    place: [...document.querySelectorAll("*")].indexOf(here),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    shown: box.width > 0 && box.height > 0 && box.left >= 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


def stops_by_tab(page: Page, most: int = 200) -> list[dict[str, Any]]:
    """Press Tab from the top of a page until it leaves; return where it stopped."""
    stops: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUSED)
        if stop["tag"] == "BODY":
            break
        stops.append(stop)
    return stops
