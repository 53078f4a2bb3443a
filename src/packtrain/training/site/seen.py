"""Findings of one host, put together as they are seen; and those that another host tells, of which none is believed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from packtrain.documents.inspection import Figure, Finding

MOST_TEXT: Final = 4000
_MOST_NAME: Final = 128
_MOST_HOST: Final = 255
_MOST_FIGURES: Final = 4096
_MOST_FINDINGS: Final = 1000
"""Of one host. Its own look makes some thirty."""


class Seen:
    """Collects what is found of one host, or of several together.

    Args:
        hosts: whom it is of.
    """

    def __init__(self, *hosts: str) -> None:
        self._hosts = tuple(plain(host, _MOST_HOST) or "unnamed" for host in hosts) or ("unnamed",)
        self.findings: list[Finding] = []

    def told(self, what: str, found: str, figures: Sequence[Figure] = (), *, asked: str = "") -> None:
        """Note what was found, of which nothing is bad."""
        self._add(Finding(hosts=self._hosts, what=what, asked=asked, found=found, verdict="good", figures=(*figures,)))

    def bad(
        self,
        what: str,
        found: str,
        remedy: str,
        figures: Sequence[Figure] = (),
        *,
        asked: str = "",
        is_promised: bool = False,
    ) -> None:
        """Note what makes the site unfit, and what mends it."""
        self._add(
            Finding(
                hosts=self._hosts,
                what=what,
                asked=asked,
                found=found,
                verdict="bad",
                figures=(*figures,),
                remedy=remedy,
                is_promised=is_promised,
            )
        )

    def not_shown(self, what: str, why: str, *, asked: str = "", is_promised: bool = False) -> None:
        """Note what nothing was seen of, and why."""
        self._add(
            Finding(hosts=self._hosts, what=what, asked=asked, found=why, verdict="not shown", is_promised=is_promised)
        )

    def judged(
        self,
        what: str,
        found: str,
        remedy: str,
        figures: Sequence[Figure] = (),
        *,
        is_good: bool,
        asked: str = "",
        is_promised: bool = False,
    ) -> None:
        """Note a finding that is good or bad."""
        if is_good:
            self._add(
                Finding(
                    hosts=self._hosts,
                    what=what,
                    asked=asked,
                    found=found,
                    verdict="good",
                    figures=(*figures,),
                    is_promised=is_promised,
                )
            )
        else:
            self.bad(what, found, remedy, figures, asked=asked, is_promised=is_promised)

    def take(self, told: Iterable[object]) -> int:
        """Note what another host says it found of itself, as far as it is a finding; return how many are none."""
        num_wrong = 0
        for one in told:
            if not isinstance(one, Finding):
                num_wrong += 1
                continue
            try:
                self._add(msgspec.structs.replace(one, hosts=self._hosts))
            except (AttributeError, TypeError, ValueError):
                num_wrong += 1
        return num_wrong

    def _add(self, finding: Finding) -> None:
        # What drivers and other hosts say of themselves has no bound, and need not be of the type that it says it is.
        figures = [
            {"name": plain(one.name, _MOST_NAME) or "unnamed", "value": one.value, "unit": plain(one.unit, 32)}
            for one in islice(finding.figures, _MOST_FIGURES)
            if math.isfinite(one.value)
        ]
        self.findings.append(
            msgspec.convert(
                {
                    "hosts": finding.hosts,
                    "what": plain(finding.what, _MOST_NAME) or "unnamed",
                    "asked": plain(finding.asked, MOST_TEXT),
                    "found": plain(finding.found, MOST_TEXT),
                    "verdict": finding.verdict,
                    "figures": figures,
                    "remedy": plain(finding.remedy, MOST_TEXT),
                    "is_promised": finding.is_promised,
                },
                Finding,
            )
        )


def said_by(host: str, told: Iterable[object]) -> Iterator[Finding]:
    """Yield what a host tells of itself, under the name by which the cluster knows it: its own may be another's, too.

    Args:
        host: that name.
        told: what came from there, whatever it is.
    """
    seen, rest = Seen(host), iter(told)
    num_wrong = seen.take(islice(rest, _MOST_FINDINGS))
    num_more = sum(1 for _ in rest)
    if num_wrong or num_more or not seen.findings:
        seen.bad(
            "host",
            f"it told {len(seen.findings)} findings, {num_wrong} things that are none, and {num_more} more than a look "
            "makes",
            "trust this host with nothing before it is known why: what runs there is not this packtrain",
            asked="what a look at a host tells",
        )
    yield from seen.findings


def figure(name: str, value: float, unit: str = "") -> Figure:
    """Return a figure, rounded to six digits that count. One that is no number is left out of the finding."""
    return Figure(name=name, value=float(f"{value:.6g}"), unit=unit)


def plain(text: str, most: int) -> str:
    """Return so many characters of a text at most, on one line, with what a terminal would obey spelled out."""
    cut = text[:most]
    if cut.isprintable():
        return cut
    shown = "".join(sign if sign.isprintable() else " " if sign in "\n\t" else f"\\u{ord(sign):04x}" for sign in cut)
    return shown[:most]
