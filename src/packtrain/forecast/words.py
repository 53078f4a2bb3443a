"""What people write of links, rates, parts, legs and prices, on the command line and in voyage.toml."""

from __future__ import annotations

import re
from typing import Final

from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.prices import PRICED
from packtrain.units import parse_bytes

_BITS: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([kmgt]?)(?:bit/s|bps)?\s*", re.IGNORECASE | re.ASCII)
_BITS_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_PART: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,12})?)\s*(%?)\s*", re.ASCII)
_PRICE: Final = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_LONGEST_NAME: Final = 60
_STEPS: Final = frozenset({"prepare", "pack", "send", "load", "train", "return"})
"""Plan against actual knows a stage by its name: a leg of that name would be taken for it."""


def parse_bits(text: str) -> float:
    """Return the bits a second that "200Mbit/s" names; ValueError: it is no such rate."""
    match = _BITS.fullmatch(text)
    if match is None:
        raise ValueError(f"not a rate in bits a second: {text!r} (write for example 200Mbit/s or 10Gbit/s)")
    return float(match[1]) * _BITS_FACTORS[match[2].lower()]


def parse_rate(text: str) -> float:
    """Return the bytes a second that "180MB/s" names; ValueError: it is no such rate."""
    try:
        return float(parse_bytes(text.strip().removesuffix("/s")))
    except ValueError as error:
        raise ValueError(f"not a rate in bytes a second: {text!r} (write for example 180MB/s)") from error


def parse_part(text: str) -> float:
    """Return the part of 1 that "50%" or "0.5" names; ValueError: it is none."""
    match = _PART.fullmatch(text)
    value = float(match[1]) / (100 if match[2] else 1) if match is not None else -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"not a part of 1: {text!r} (write for example 50% or 0.5)")
    return value


def parse_leg(text: str) -> Leg:
    """Return the leg that "customs=1..7" names; ValueError: it is none."""
    name, equals, days = text.rpartition("=")
    name = " ".join(name.split())
    if not equals or not name:
        raise ValueError(f"not a leg: {text!r} (write for example customs=1..7)")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"not the name of a leg: {name[:_LONGEST_NAME]!r} (up to {_LONGEST_NAME} letters)")
    if name in _STEPS:
        raise ValueError(f"not the name of a leg: {name!r} is a step that the forecast has of its own")
    return Leg(name, Days.parse(days))


def parse_price(text: str) -> tuple[str, float]:
    """Return what "drive=60" gives a price, and the price; ValueError: it is none."""
    name, _, number = (part.strip() for part in text.partition("="))
    known = name.replace("-", "_")
    if known not in PRICED or _PRICE.fullmatch(number) is None:
        names = ", ".join(each.replace("_", "-") for each in PRICED)
        raise ValueError(f"not a price: {text!r} (write for example drive=60; prices are of {names})")
    return known, float(number)
