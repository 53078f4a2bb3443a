"""A question from what was told, measured and counted: what nobody told is left to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.prices import Prices
from packtrain.forecast.question import CUSTOMS, DEFAULT_LEG, Question
from packtrain.forecast.risks import Risks

_RISK_NAMES: Final = {
    "yearly_failure": "yearly_failure",
    "transit_risk": "transit",
    "case_loss": "case_loss",
    "cases_together": "cases_together",
    "together_part": "together_part",
    "bad_batch": "bad_batch",
    "batch_factor": "batch_factor",
}
_PLAIN_NAMES: Final = {
    "source_rate": "source_rate",
    "store_rate": "store_rate",
    "cores": "cores",
    "load_cores": "load_cores",
    "pack_hosts": "pack_hosts",
    "load_hosts": "load_hosts",
    "swap_minutes": "swap_minutes",
    "link": "link_rate",
    "link_free": "link_free",
    "train": "training",
    "results": "results_bytes",
    "results_by": "results_by",
}


def question_of(
    counted: Mapping[str, Any],
    told: Mapping[str, Any],
    prices: Prices,
    measured: Mapping[str, tuple[float, str]] | None = None,
) -> Question:
    """Return the question.

    Args:
        counted: fields of `Question` that are not to be told twice: bytes, drives, bays, survival.
        told: by the name of the option or of the field under [forecast], parsed; None is not told.
        prices: of both ways.
        measured: field of `Question` -> its value, and when and where it was measured. What was told goes before it.

    Raises:
        ValueError: it cannot be so; the message says why.
    """
    known = {name: value for name, value in told.items() if value is not None}
    fields: dict[str, Any] = {_PLAIN_NAMES[name]: value for name, value in known.items() if name in _PLAIN_NAMES}
    if "drive_rate" in known:
        fields |= {"write_rate": known["drive_rate"], "read_rate": known["drive_rate"]}
    if "cores" in known and "load_cores" not in known:
        fields["load_cores"] = known["cores"]
    prepare: Days | None = known.get("prepare")
    before: tuple[Leg, ...] = known.get("before", ())
    fields["before"] = (*((Leg("prepare", prepare),) if prepare is not None else ()), *before)
    legs: tuple[Leg, ...] = known.get("legs", ())
    customs: Days | None = known.get("customs")
    first, *others = legs or (DEFAULT_LEG,)
    # A border is crossed on the way, not after it was admitted.
    fields["legs"] = (first, *((Leg(CUSTOMS, customs),) if customs is not None else ()), *others)
    risks = {field: known[name] for name, field in _RISK_NAMES.items() if name in known}
    given = {name for name in (*fields, *risks) if name != "before" and (name != "legs" or legs)}
    taken: dict[str, Any] = {name: value for name, (value, _) in (measured or {}).items() if name not in fields}
    return Question(
        **counted,
        **fields,
        **taken,
        risks=replace(Risks(), **risks),
        prices=prices,
        given=frozenset(given),
        measured={name: where for name, (_, where) in (measured or {}).items() if name in taken},
    )
