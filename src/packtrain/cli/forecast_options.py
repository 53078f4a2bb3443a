"""The options of `plan` that ask without a voyage: send or carry?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from packtrain.cli.options import DAY
from packtrain.units import parse_bytes

_Decorator = Callable[..., Any]


def _parsed(name: str) -> Callable[[click.Context, click.Parameter, str | tuple[str, ...] | None], object | None]:
    """Return a callback that reads a value, or each of several, as `forecast.words` (or `Days`) does."""

    def callback(
        _context: click.Context, _parameter: click.Parameter, value: str | tuple[str, ...] | None
    ) -> object | None:
        from packtrain.forecast import words
        from packtrain.forecast.durations import Days

        readers: dict[str, Callable[[str], object]] = {
            "size": parse_bytes,
            "bits": words.parse_bits,
            "rate": words.parse_rate,
            "part": words.parse_part,
            "days": Days.parse,
            "leg": words.parse_leg,
            "price": words.parse_price,
        }
        parse = readers[name]
        texts: tuple[str, ...] = value if isinstance(value, tuple) else () if value is None else (value,)
        if not texts:
            return None
        try:
            found = tuple(parse(each) for each in texts)
            return found if isinstance(value, tuple) else found[0]
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return callback


def _option(name: str, kind: str, metavar: str, text: str, *, multiple: bool = False) -> _Decorator:
    return click.option(name, callback=_parsed(kind), metavar=metavar, help=text, multiple=multiple)


def _number(name: str, most: int, text: str, *, least: int = 1) -> _Decorator:
    return click.option(name, type=click.IntRange(least, most), help=text)


_OPTIONS: Final[tuple[_Decorator, ...]] = (
    _option("--bytes", "size", "SIZE", "Ask without a voyage: send or carry so many bytes? For example 80TB."),
    click.option("--folder", "data", metavar="DIR", help="The same for what this folder holds; no link is followed."),
    _number("--drives", 10_000, "How many drives."),
    _number("--cases", 1000, "In how many cases (default: 1)."),
    _number("--bays", 255, "Drives mounted at once on a host at home (default: 8)."),
    _number("--load-bays", 255, "And at the site (default: as at home)."),
    _number("--hosts", 1000, "Machines that pack at the same time (default: 1)."),
    _number("--load-hosts", 1000, "Machines that load at the same time (default: 1)."),
    _number("--survive-cases", 100, "Cases that may be lost (default: 1 of several).", least=0),
    _number("--survive-drives", 100, "Drives of a group (default: 0; of one case 1).", least=0),
    _option("--drive-size", "size", "SIZE", "What a drive holds; without it the answer says what it must hold."),
    _option("--drive-rate", "rate", "RATE", "Bytes a second of a drive, over its whole surface (default: 180MB/s)."),
    click.option("--no-read-back", is_flag=True, help="Reckon without reading each drive once more after writing."),
    _option("--source-rate", "rate", "RATE", "Bytes a second at which the data can be read here."),
    _option("--store-rate", "rate", "RATE", "Bytes a second at which the site's store takes them."),
    click.option("--measured", metavar="FILE", help="Rates of machine and drives, from `measure --into FILE`."),
    _number("--cores", 4096, "Processors of a packing machine (default: 16)."),
    _number("--load-cores", 4096, "Processors of a machine that loads (default: as at home)."),
    _option("--link", "bits", "RATE", "The network: bits a second, for example 200Mbit/s."),
    _option("--link-free", "part", "PART", "The part of the network that is free, for example 50% (default: all)."),
    _option("--prepare", "days", "DAYS", "Preparing the data, before both ways, e.g. 30..60."),
    _option("--before", "leg", "NAME=DAYS", "Other work before both ways.", multiple=True),
    _option("--leg", "leg", "NAME=DAYS", "A delay on the way, e.g. flight=1..2.", multiple=True),
    _option("--customs", "days", "DAYS", "Days at a border, after the first leg, e.g. 0..1..7."),
    _option("--train", "days", "DAYS", "From the data being there to the last step."),
    _option("--results", "size", "SIZE", "What comes home, e.g. 500GB."),
    click.option(
        "--results-by",
        type=click.Choice(["link", "drives"]),
        help="The way home (default: the link, where there is one).",
    ),
    _option("--yearly-failure", "part", "PART", "Drives that fail in a year (default: 1.5%)."),
    _option("--transit-risk", "part", "PART", "Drives that fail on the way besides (default: 0.5%)."),
    _option("--case-loss", "part", "PART", "Cases that are lost as a whole (default: 0.2%)."),
    _number("--cases-together", 1000, "Cases in one vehicle or one hand (default: 1)."),
    _option("--together-part", "part", "PART", "Losses of cases that take all of a vehicle (default: 50%)."),
    _option("--bad-batch", "part", "PART", "Chance that all drives are of a bad batch (default: 0)."),
    click.option(
        "--batch-factor",
        type=click.FloatRange(1, 1000),
        help="How many times as often those fail (default: 10).",
    ),
    _option(
        "--price",
        "price",
        "WHAT=NUMBER",
        "Of a drive, case, carrier (a case for a trip), shipping (a trip) or link-month.",
        multiple=True,
    ),
    click.option("--currency", metavar="WORD", help="Printed beside the prices; nothing is converted."),
)
_FIRST_DAY: Final = click.option("--start", type=DAY, help="First day (default: today).")
_INTO: Final = click.option("--into", metavar="FILE", help="Draw the answer as a page: one HTML file.")


def forecast_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all of them to a command."""
    for option in reversed((*_OPTIONS, _FIRST_DAY, _INTO)):
        command = option(command)
    return command
