"""The numbers of "why carry?" are what its formulas give."""

from __future__ import annotations

import re

import pytest

from docs_parts import DOCS

PAGE = (DOCS / "explanation" / "why-carry.md").read_text(encoding="utf-8")
_SECONDS = {"days": 86_400, "h": 3_600, "min": 60, "s": 1}
_RATES = {"Mbit/s": 1e6, "Gbit/s": 1e9}
_BYTES = 1e12
_DRIVES_BYTES_A_SECOND = 8 * 180e6 / 3 * 6 / 8
_DELAY_SECONDS = 5 * 86_400


def _number(told: str, units: dict[str, float] | dict[str, int]) -> float:
    number, unit = told.split()
    return float(number) * units[unit]


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading, the heading first."""
    table = PAGE[PAGE.index(f"| {heading} ") :].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines() if "---" not in row]


def test_the_table_of_the_network_is_bytes_over_rate() -> None:
    head, *rows = _rows("bytes")
    assert len(rows) == 4
    for row in rows:
        total_bytes = _number(row[0], {"TB": _BYTES})
        for rate, told in zip(head[1:], row[1:], strict=True):
            seconds = 8 * total_bytes / _number(rate, _RATES)
            assert _number(told, _SECONDS) == pytest.approx(seconds, rel=0.03), (row[0], rate)


def test_the_table_of_the_drives_is_where_both_ways_take_equally_long() -> None:
    _, *rows = _rows("link, all of it free")
    assert (
        f"{_DRIVES_BYTES_A_SECOND / 1e9:.2f} GB a second: about {8 * _DRIVES_BYTES_A_SECOND / 1e9:.1f} Gbit/s" in PAGE
    )
    for rate, told in rows:
        a_byte = 8 / _number(rate, _RATES) - 1 / _DRIVES_BYTES_A_SECOND
        if told.startswith("never"):
            assert a_byte < 0
        else:
            assert _number(told, {"TB": _BYTES}) == pytest.approx(_DELAY_SECONDS / a_byte, rel=0.03), rate


def test_the_window_of_a_connection_is_rate_times_delay() -> None:
    (rate, delay, window), (kib, moved) = (
        re.findall(r"(\d+) Gbit/s over (\d+) ms are (\d+) MB", PAGE)[0],
        re.findall(r"window of (\d+) KiB moves ([\d.]+) Mbit/s", PAGE)[0],
    )
    assert float(window) == pytest.approx(float(rate) * 1e9 / 8 * float(delay) / 1e3 / 1e6, rel=0.01)
    assert float(moved) == pytest.approx(int(kib) * 1024 * 8 / (float(delay) / 1e3) / 1e6, rel=0.01)
