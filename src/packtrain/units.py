"""Bytes, seconds and counts, to and from the words that people write."""

from __future__ import annotations

import re
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

_DECIMAL: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY: Final = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
# ASCII: without it the dotless i and the Kelvin sign count as letters i and k, and other scripts' digits as digits.
_SIZE: Final = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmgtp]i?)?b?\s*", re.IGNORECASE | re.ASCII)


def parse_bytes(text: str) -> int:
    """Return the number of bytes that `text` names: "80TB" is 80 * 10**12, "4 GiB" is 4 * 2**30.

    Raises:
        ValueError: the text is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size in bytes: {text!r} (write for example 500GB or 4GiB)")
    number, prefix = match.group(1), (match.group(2) or "").lower()
    factor = _DECIMAL.get(prefix) or _BINARY[prefix]
    whole, _, fraction = number.partition(".")
    return int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)


def format_bytes(total_bytes: int) -> str:
    """Return bytes in decimal units with up to three significant figures, as drive makers count: "1.9 TB"."""
    value = float(total_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5:
            return f"{int(value)} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB" if abs(value) < 999.5 else f"{value:,.0f} PB"


def format_rate(bytes_per_second: float) -> str:
    """Return bytes a second in decimal units: "180 MB/s"."""
    return f"{format_bytes(int(bytes_per_second))}/s"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words that agree with it: "1 file", "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_seconds(elapsed_seconds: float) -> str:
    """Return a duration as people say it: "0.4 s", "2 min 5 s", "2 h 45 min", "9 d 3 h"."""
    whole = round(elapsed_seconds)
    if whole < 60:
        return f"{elapsed_seconds:.1f} s" if elapsed_seconds < 9.95 else f"{whole} s"
    for size, name, lower_size, lower_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // lower_size} {lower_name}"
    raise AssertionError(whole)


def quoted(raw: bytes) -> str:
    """Return the bytes of a name in quotes: as text where they are UTF-8, else with \\xNN; controls are escaped."""
    try:
        return repr(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return repr(raw)[1:]
