"""What a forecast rests on, figure by figure: given by a person, measured on a machine, counted, or assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.forecast.question import Question
from packtrain.forecast.steps import MACHINE_SPREAD
from packtrain.units import format_bytes

Origin = Literal["given", "measured", "counted", "assumed"]
DRIVE_RATE: Final = "drive rate"
CORES: Final = "cores"
CPU: Final = "processor time"
_PLAIN: Final = {
    "write_rate": "writing",
    "read_rate": "reading",
    "pack_core_seconds_per_gb": "packing",
    "load_core_seconds_per_gb": "loading",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, in words.

    Attributes:
        measured: when and where, of a measured one.
    """

    name: str
    text: str
    origin: Origin
    measured: str = ""


def figures(question: Question) -> list[Figure]:
    """Return all that the answer rests on, but for what was asked: bytes, drives, cases, bays."""
    risks = question.risks
    read_back = "and is read back after writing" if question.is_read_back else "and is not read back"
    rows: list[tuple[str, str, Sequence[str]]] = [
        (
            DRIVE_RATE,
            f"a drive writes {format_bytes(int(question.write_rate))}/s and reads "
            f"{format_bytes(int(question.read_rate))}/s, {read_back}",
            ("write_rate", "read_rate"),
        ),
        (CORES, f"{question.cores} cores a host that packs", ("cores",)),
        ("load cores", f"{question.load_cores} cores a host that loads", ("load_cores",)),
        (
            CPU,
            f"{question.pack_core_seconds_per_gb:g} s of one core for each GB packed, "
            f"{question.load_core_seconds_per_gb:g} s for each GB loaded",
            ("pack_core_seconds_per_gb", "load_core_seconds_per_gb"),
        ),
        ("swap", f"{question.swap_minutes:g} minutes to change the drives of a wave", ("swap_minutes",)),
        ("source", _limit("the source gives", question.source_rate), ("source_rate",)),
        ("store", _limit("the site's store takes", question.store_rate), ("store_rate",)),
        (
            "failure",
            f"{risks.yearly_failure:.3g} of drives fail in a year, {risks.transit:.3g} more on the way",
            ("yearly_failure", "transit"),
        ),
        ("case loss", f"{risks.case_loss:.3g} of cases are lost", ("case_loss",)),
        ("together", _together(question), ("cases_together",)),
        ("batch", _batch(question), ("bad_batch",)),
        (
            "spread",
            f"what machines do takes {MACHINE_SPREAD[0]:g} to {MACHINE_SPREAD[2]:g} times the likely;"
            " what people do, the range of its leg",
            (),
        ),
        (
            "legs",
            ", ".join(f"{leg.name} {leg.days.low:g} to {leg.days.high:g} days" for leg in question.legs) or "none",
            ("legs",),
        ),
    ]
    if question.link_rate is not None:
        rows.append(("link", f"{question.link_free:.0%} of the link is free, day and night", ("link_free",)))
    if question.results_bytes and question.home_by == "drives":
        rows.append(("results", "results go home on one drive, a copy on a second, over the same legs", ()))
    return [_figure(question, name, text, fields) for name, text, fields in rows]


def _figure(question: Question, name: str, text: str, fields: Sequence[str]) -> Figure:
    told = next((question.measured[each] for each in fields if each in question.measured), "")
    if told:
        others = [_PLAIN[each] for each in fields if each not in question.measured and each in _PLAIN]
        return Figure(name, text, "measured", f"{told}; {', '.join(others)} not measured" if others else told)
    return Figure(name, text, "given" if question.given.intersection(fields) else "assumed")


def _limit(what: str, rate: float | None) -> str:
    return f"{what} {format_bytes(int(rate))}/s" if rate else f"{what} more than the drives do"


def _together(question: Question) -> str:
    risks = question.risks
    if risks.cases_together == 1:
        return "each case goes its own way, and no two are lost by one cause"
    return f"{risks.cases_together} cases travel together; {risks.together_part:.3g} of losses take all of them"


def _batch(question: Question) -> str:
    risks = question.risks
    if risks.bad_batch == 0:
        return "drives fail each for itself: no bad batch"
    return (
        f"one in {1 / risks.bad_batch:,.0f} that all drives are of a bad batch"
        f" and fail {risks.batch_factor:g} times as often"
    )
