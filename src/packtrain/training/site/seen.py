"""Findings of one host, put together as they are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from packtrain.documents.inspection import Figure, Finding

MOST_TEXT: int = 4000


class Seen:
    """Collects what is found of one host, or of several together.

    Args:
        hosts: whom it is of.
    """

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts
        self.findings: list[Finding] = []

    def told(self, what: str, found: str, figures: Sequence[Figure] = (), *, asked: str = "") -> None:
        """Note what was found, of which nothing is bad."""
        self._add(
            Finding(hosts=self._hosts, what=what, asked=asked, found=found, verdict="good", figures=_kept(figures))
        )

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
                figures=_kept(figures),
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
                    figures=_kept(figures),
                    is_promised=is_promised,
                )
            )
        else:
            self.bad(what, found, remedy, figures, asked=asked, is_promised=is_promised)

    def _add(self, finding: Finding) -> None:
        # What drivers and other hosts say of themselves has no bound.
        self.findings.append(
            Finding(
                hosts=finding.hosts,
                what=finding.what[:128],
                asked=finding.asked[:MOST_TEXT],
                found=finding.found[:MOST_TEXT],
                verdict=finding.verdict,
                figures=finding.figures,
                remedy=finding.remedy[:MOST_TEXT],
                is_promised=finding.is_promised,
            )
        )


def figure(name: str, value: float, unit: str = "") -> Figure:
    """Return a figure, rounded to six digits that count; of what is no number 0."""
    return Figure(name=name[:128], value=float(f"{value:.6g}") if math.isfinite(value) else 0.0, unit=unit)


def _kept(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(figures)[:4096]
