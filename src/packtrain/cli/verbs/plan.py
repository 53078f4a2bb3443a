"""packtrain plan"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from packtrain.cli.options import DAY, answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer
from packtrain.units import parse_bytes

if TYPE_CHECKING:
    from packtrain.erasure.placement import Survival
    from packtrain.forecast.question import Leg

_T = TypeVar("_T")
_BITS: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([kmgt]?)(?:bit/s|bps)?\s*", re.IGNORECASE | re.ASCII)
_BITS_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def _parsed(parse: Callable[[str], _T]) -> Callable[[click.Context, click.Parameter, str | None], _T | None]:
    def callback(_context: click.Context, _parameter: click.Parameter, text: str | None) -> _T | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return callback


def _bits(text: str) -> float:
    match = _BITS.fullmatch(text)
    if match is None:
        raise ValueError(f"not a rate in bits a second: {text!r} (write for example 200Mbit/s or 10Gbit/s)")
    return float(match[1]) * _BITS_FACTORS[match[2].lower()]


def _rate(text: str) -> float:
    return float(parse_bytes(text.removesuffix("/s")))


def _part(text: str) -> float:
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise ValueError(f"not a part of 1: {text!r} (write for example 50% or 0.5)")
    return value


def _legs(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Leg, ...]:
    from packtrain.forecast.question import Days, Leg

    legs: list[Leg] = []
    for text in texts:
        name, equals, days = text.rpartition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"not a leg: {text!r} (write for example customs=1..7)")
        try:
            legs.append(Leg(name.strip(), Days.parse(days)))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return tuple(legs)


def _size(name: str, text: str) -> Callable[..., Any]:
    return click.option(name, callback=_parsed(parse_bytes), metavar="SIZE", help=text)


def _option(name: str, parse: Callable[[str], object], metavar: str, text: str) -> Callable[..., Any]:
    return click.option(name, callback=_parsed(parse), metavar=metavar, help=text)


@click.command("plan")
@folder_argument
@_size("--bytes", "Ask without a voyage: send or carry so many bytes? For example 80TB.")
@click.option("--drives", type=click.IntRange(1, 10_000), help="How many drives.")
@click.option("--cases", type=click.IntRange(1, 1000), help="In how many cases (default: 1).")
@click.option("--bays", type=click.IntRange(1, 255), help="Drives mounted at once at home (default: 8).")
@click.option("--load-bays", type=click.IntRange(1, 255), help="And at the site (default: as at home).")
@click.option("--survive-cases", type=click.IntRange(0, 100), help="Cases that may be lost (default: 1 of several).")
@click.option("--survive-drives", type=click.IntRange(0, 100), help="Drives of a group (default: 0; of one case 1).")
@_size("--drive-size", "What a drive holds; without it the answer says what it must hold.")
@_option("--drive-rate", _rate, "RATE", "Bytes a second of a drive, over its whole surface (default: 180MB/s).")
@_option("--source-rate", _rate, "RATE", "Bytes a second at which the data can be read here.")
@_option("--store-rate", _rate, "RATE", "Bytes a second at which the site's store takes them.")
@click.option("--cores", type=click.IntRange(1, 4096), help="Processors of the packing machine (default: 16).")
@_option("--link", _bits, "RATE", "The network: bits a second, for example 200Mbit/s.")
@_option("--link-free", _part, "PART", "The part of the network that is free, for example 50% (default: all).")
@click.option("--before", multiple=True, callback=_legs, metavar="NAME=DAYS", help="Work before, e.g. prepare=30..60.")
@click.option("--leg", multiple=True, callback=_legs, metavar="NAME=DAYS", help="Delay on the way, e.g. customs=1..7.")
@_option("--yearly-failure", _part, "PART", "Drives that fail in a year (default: 1.5%).")
@_option("--transit-risk", _part, "PART", "Drives that fail on the way besides (default: 0.5%).")
@_option("--case-loss", _part, "PART", "Cases that are lost as a whole (default: 0.2%).")
@click.option("--start", type=DAY, help="First day (default: today).")
@json_option
def command(folder: Path, *, as_json: bool, **asked: Any) -> None:
    """Choose groups and codes for the drives, and say what they survive.

    With --bytes and --drives no voyage is needed: the answer sets sending and carrying side by side.
    """
    if asked["bytes"] is None:
        if given := [name for name, value in asked.items() if value and name != "start"]:
            raise click.UsageError(f"--{given[0].replace('_', '-')} asks without a voyage: give --bytes too")
        answer_receipt(open_voyage(folder).plan(), as_json=as_json)
        return
    if folder != Path():
        raise click.UsageError(
            f"--bytes asks without a voyage: what is {str(folder)!r}? Write for example --bytes 80TB"
        )
    if asked["drives"] is None:
        raise click.UsageError("--bytes needs --drives: how many there are, or could be bought")
    _forecast(asked, as_json=as_json)


def _survival(asked: dict[str, Any]) -> Survival:
    """Return what was asked, or else one case of several; where there is but one case, and more drives, one drive."""
    from packtrain.erasure.placement import Survival

    is_one_case = (asked["cases"] or 1) == 1
    cases, drives = asked["survive_cases"], asked["survive_drives"]
    if cases is None:
        cases = 0 if is_one_case else 1
    if drives is None:
        drives = 1 if cases == 0 and is_one_case and asked["drives"] > 1 else 0
    return Survival(cases, drives)


def _forecast(asked: dict[str, Any], *, as_json: bool) -> None:
    from dataclasses import replace

    from packtrain.forecast.answer import forecast
    from packtrain.forecast.question import Question, Risks
    from packtrain.report.forecast_text import forecast_document, forecast_text

    risks = Risks()
    given = {name: asked[name] for name in ("yearly_failure", "case_loss") if asked[name] is not None}
    given |= {"transit": asked["transit_risk"]} if asked["transit_risk"] is not None else {}
    bays = asked["bays"] or min(8, asked["drives"])
    known = {
        "drive_bytes": asked["drive_size"],
        "write_rate": asked["drive_rate"],
        "read_rate": asked["drive_rate"],
        "source_rate": asked["source_rate"],
        "store_rate": asked["store_rate"],
        "cores": asked["cores"],
        "link_rate": asked["link"],
        "link_free": asked["link_free"],
        "before": asked["before"] or None,
        "legs": asked["leg"] or None,
    }
    try:
        question = Question(
            total_bytes=asked["bytes"],
            num_drives=asked["drives"],
            num_cases=asked["cases"] or 1,
            pack_bays=bays,
            load_bays=asked["load_bays"] or bays,
            survive=_survival(asked),
            risks=replace(risks, **given),
            **{name: value for name, value in known.items() if value is not None},
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    found = forecast(question)
    start = asked["start"].date() if asked["start"] else date.today()
    answer(forecast_text(question, found, start), forecast_document(question, found), as_json=as_json)
