"""packtrain plan"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from packtrain.cli.forecast_options import forecast_options
from packtrain.cli.options import file_to_write, folder_argument, json_option, open_voyage, receipt_text
from packtrain.cli.terminal import answer
from packtrain.errors import NotAVoyage

if TYPE_CHECKING:
    from packtrain.erasure.placement import Survival
    from packtrain.forecast.answer import Forecast
    from packtrain.forecast.question import Question

_OF_BOTH: Final = ("start", "into")
_LONGEST_CURRENCY: Final = 16


@click.command("plan")
@folder_argument
@forecast_options
@json_option
def command(folder: Path, *, as_json: bool, **asked: Any) -> None:
    """Choose groups and codes for the drives, say what they survive, and forecast the voyage: send or carry?

    With --bytes (or --folder) and --drives no voyage is needed.
    """
    if asked["bytes"] is None and asked["data"] is None:
        if given := [name for name, value in asked.items() if value and name not in _OF_BOTH]:
            option = given[0].replace("_", "-")
            raise click.UsageError(
                f"--{option} asks without a voyage: give --bytes too, or say it in voyage.toml under [forecast]"
            )
        _of_voyage(folder, asked, as_json=as_json)
        return
    if asked["bytes"] is not None and asked["data"] is not None:
        raise click.UsageError("--bytes and --folder both say how much it is: give one of them")
    if folder != Path():
        raise click.UsageError(
            f"--bytes asks without a voyage: what is {str(folder)!r}? Write for example --bytes 80TB"
        )
    if asked["drives"] is None:
        option = "--bytes" if asked["data"] is None else "--folder"
        raise click.UsageError(f"{option} needs --drives: how many there are, or could be bought")
    _without_voyage(asked, as_json=as_json)


def _of_voyage(folder: Path, asked: dict[str, Any], *, as_json: bool) -> None:
    import msgspec

    from packtrain.report.forecast_json import forecast_json
    from packtrain.report.forecast_text import brief_text

    try:
        voyage = open_voyage(folder)
    except NotAVoyage as error:
        error.hint = f'{error.hint}; to ask before there is one: "packtrain plan --bytes 80TB --drives 60"'
        raise
    receipt = voyage.plan()
    told = voyage.forecast(asked["start"].date() if asked["start"] else None)
    document = msgspec.to_builtins(receipt)
    text = receipt_text(receipt)
    if told is None:
        answer(text, document | {"forecast": None}, as_json=as_json)
        return
    found = forecast_json(told.question, told.found, told.start) | {"is_written": not told.not_written}
    page = _draw(asked["into"], told.question, told.found, told.start)
    kept = f"\n  {told.not_written}" if told.not_written else ""
    answer(
        f"{text}\n\n{brief_text(told.question, told.found, told.start)}{kept}{_drawn(page)}",
        document | {"forecast": found | _page(page)},
        as_json=as_json,
    )


def _without_voyage(asked: dict[str, Any], *, as_json: bool) -> None:
    from packtrain.forecast.answer import forecast
    from packtrain.report.forecast_json import forecast_json
    from packtrain.report.forecast_text import forecast_text

    question = _question(asked)
    found = forecast(question)
    start = asked["start"].date() if asked["start"] else date.today()
    page = _draw(asked["into"], question, found, start)
    answer(
        f"{forecast_text(question, found, start)}{_drawn(page)}",
        forecast_json(question, found, start) | _page(page),
        as_json=as_json,
    )


def _question(asked: dict[str, Any]) -> Question:
    from packtrain.forecast.asking import question_of
    from packtrain.forecast.given_bytes import sizes
    from packtrain.forecast.measured import rates_of, read_measurement

    total_bytes = asked["bytes"]
    if total_bytes is None:
        total_bytes = sum(sizes(Path(asked["data"]), "name the folder that holds the data", all_of_it=True))
    if total_bytes == 0:
        raise click.UsageError(f"{asked['data'] or '--bytes'}: 0 bytes: there is nothing to send or to carry")
    bays = asked["bays"] or min(8, asked["drives"])
    counted = {
        "total_bytes": total_bytes,
        "num_drives": asked["drives"],
        "num_cases": asked["cases"] or 1,
        "pack_bays": bays,
        "load_bays": asked["load_bays"] or bays,
        "survive": _survival(asked),
        "drive_bytes": asked["drive_size"],
        "is_read_back": not asked["no_read_back"],
    }
    told = asked | {"pack_hosts": asked["hosts"], "legs": asked["leg"]}
    measured = rates_of(read_measurement(Path(asked["measured"]))) if asked["measured"] else {}
    try:
        return question_of(counted, told, _prices(asked), measured)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _prices(asked: dict[str, Any]) -> Any:
    from packtrain.forecast.prices import Prices

    given: tuple[tuple[str, float], ...] = asked["price"] or ()
    names = [name for name, _ in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise click.UsageError(f"--price {twice[0].replace('_', '-')} is given twice")
    currency = (asked["currency"] or "").strip()
    if len(currency) > _LONGEST_CURRENCY or not currency.isprintable():
        raise click.UsageError(f"--currency is a short word: up to {_LONGEST_CURRENCY} letters")
    return Prices(**dict(given), currency=currency)


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


# --- the page -------------------------------------------------------------------------------------------------------


def _draw(into: str | None, question: Question, found: Forecast, start: date) -> Path | None:
    if into is None:
        return None
    from packtrain.report.forecast_page import write_forecast_page

    path = file_to_write(into)
    write_forecast_page(question, found, start, path)
    return path


def _drawn(page: Path | None) -> str:
    return f"\n\ndrawn: {page}" if page is not None else ""


def _page(page: Path | None) -> dict[str, str]:
    return {"page": str(page)} if page is not None else {}
