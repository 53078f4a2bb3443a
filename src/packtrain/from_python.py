"""What a Python program asks without a voyage folder: send or carry, and whether drives are whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packtrain.events import Sink, discard
from packtrain.units import parse_bytes
from packtrain.voyage import AnyPath

if TYPE_CHECKING:
    from packtrain.forecast.answer import Forecast
    from packtrain.stages.check import CheckReport


def send_or_carry(
    total_bytes: int | str,
    *,
    drives: int,
    cases: int = 1,
    bays: int = 8,
    load_bays: int | None = None,
    survive_cases: int | None = None,
    survive_drives: int | None = None,
    drive_bytes: int | str | None = None,
    link_rate: float | str | None = None,
    legs: Mapping[str, str] | None = None,
    **others: Any,
) -> Forecast:
    """Return both ways side by side: days, codes, odds, what each waits for. Nothing is read or written.

    Args:
        total_bytes: of the cargo, or text such as "80TB".
        drives, cases: how many there are; drives are spread evenly over the cases.
        bays, load_bays: drives mounted at once, at home and at the site (as at home).
        survive_cases, survive_drives: what may be lost: one of several cases, or one of several drives of one case.
        drive_bytes: what a drive holds; without it the answer says what it must hold.
        link_rate: bits a second of the network, or text such as "200Mbit/s"; without it there is none.
        legs: days that no machine decides, by who takes them: {"customs": "1..7"}.
        others: any other field of `packtrain.forecast.question.Question`, by its name.

    Raises:
        PlacementImpossible: no grouping of these drives survives what is asked.
        ValueError: it cannot be so.

    >>> found = send_or_carry("80TB", drives=60, cases=4, link_rate=200e6)
    >>> (found.k, found.m, found.waves)
    (6, 2, 8)
    """
    from packtrain.erasure.placement import Survival
    from packtrain.forecast.answer import forecast
    from packtrain.forecast.question import Days, Leg, Question
    from packtrain.forecast.words import parse_bits

    if survive_cases is None:
        survive_cases = 0 if cases == 1 else 1
    if survive_drives is None:
        survive_drives = 1 if cases == 1 and survive_cases == 0 and drives > 1 else 0
    if legs is not None:
        others["legs"] = tuple(Leg(name, Days.parse(days)) for name, days in legs.items())
    pack_bays = min(bays, drives)
    return forecast(
        Question(
            total_bytes=_bytes(total_bytes),
            num_drives=drives,
            num_cases=cases,
            pack_bays=pack_bays,
            load_bays=load_bays or pack_bays,
            survive=Survival(survive_cases, survive_drives),
            drive_bytes=None if drive_bytes is None else _bytes(drive_bytes),
            link_rate=parse_bits(link_rate) if isinstance(link_rate, str) else link_rate,
            **others,
        )
    )


def check_drives(drives: Sequence[AnyPath], *, sink: Sink = discard) -> CheckReport:
    """Verify drives with nothing but what lies on them: no voyage folder, no key.

    Whether those signed who should have cannot be said without a voyage folder: `Voyage.check` says it.

    Args:
        drives: where they are mounted.
        sink: is called with each event.

    Raises:
        DriveMissing, ForeignDrive, DriveFailed: they cannot be checked. That they are damaged is in the report:
            `exit_code` 0 whole, 40 damaged and repairable, 41 beyond repair.

    >>> check_drives(["/mnt/A1", "/mnt/A2"]).exit_code  # doctest: +SKIP
    0
    """
    from packtrain import without_folder

    paths = [drives] if isinstance(drives, str | os.PathLike) else drives
    if not paths:
        raise ValueError("name the drives: where they are mounted")
    return without_folder.check_drives([Path(drive) for drive in paths], sink)


def _bytes(asked: int | str) -> int:
    return parse_bytes(asked) if isinstance(asked, str) else asked
