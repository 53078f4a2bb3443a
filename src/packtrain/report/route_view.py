"""The route of a voyage and where it stands: home, on the way, site, on the way home, home again; case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.diligence.hand_over import Holding, holdings
from packtrain.documents.packing_statement import PackingStatement
from packtrain.errors import PacktrainError
from packtrain.record.custody import CustodyLine
from packtrain.report.drive_view import HEALTH, DriveView, by_case

StopState = Literal["done", "here", "to come"]
STOPS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("home", "at home", ("plan", "prepare", "rehearse", "declare", "screen", "flags", "pack", "seal")),
    ("out", "on the way", ()),
    ("site", "at the site", ("admit", "load", "train")),
    ("back", "results on the way", ("return",)),
    ("done", "home again", ("close",)),
)
"""Id, words, and the stages that are done there."""
STAGE_ORDER: Final = tuple(stage for _, _, stages in STOPS for stage in stages)
"""The stages in the order of the voyage."""


@dataclass(frozen=True, slots=True)
class StopView:
    """One stop of the route.

    Attributes:
        stop: its id, see `STOPS`.
        name: in words.
        state: done, here, to come.
        note: what is there now, in a few words; may be empty.
    """

    stop: str
    name: str
    state: StopState
    note: str = ""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case: who has it, and how its drives are.

    Attributes:
        where: in a few words: "at home, not sealed", "with the operator", "on the way to the operator".
        holder: who answers for it by the custody log; None before it was sealed.
        released_to: whom it was given to, while nobody signed for it.
        seal, carrier: as the log and the packing statement say; "" where none does.
        worst: the worst state of its drives.
        counts: states of its drives and how many are in each.
    """

    label: str
    where: str
    holder: str | None
    released_to: str | None
    seal: str
    carrier: str
    num_drives: int
    worst: str
    counts: tuple[tuple[str, int], ...]

    @property
    def told(self) -> str:
        """Return where it is, with its seal and its carrier as far as they are known."""
        seal = f", seal {self.seal}" if self.seal else ""
        carrier = f", carrier {self.carrier}" if self.carrier else ""
        return f"{self.where}{seal}{carrier}"


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What the route is read from.

    Attributes:
        drives: all of them.
        custody: the longest log that is here.
        has_export, has_results, is_closed: an export list is signed; it came home and was opened; a party here closed.
        stages_done: stages that any of the parties here has done.
        verdict: of the operator; None where no admission is here.
        has_sighted: the operator had drives before him when he judged, not the papers alone.
    """

    drives: Sequence[DriveView]
    custody: Sequence[CustodyLine]
    statement: PackingStatement | None
    has_export: bool
    has_results: bool
    is_closed: bool
    stages_done: frozenset[str]
    verdict: str | None = None
    has_sighted: bool = False


def route_of(facts: RouteFacts, unread: list[str]) -> tuple[tuple[StopView, ...], tuple[CaseView, ...]]:
    """Return the stops in their order, and every case. What the custody log contradicts is put to `unread`."""
    held: Mapping[str, Holding] = {}
    try:
        held = holdings(facts.custody, "custody log") if facts.custody else {}
    except PacktrainError as error:
        unread.append(error.message)
    cases = _cases(facts, held)
    at = _position(facts, cases)
    names = [stop for stop, _, _ in STOPS]
    here = names.index(at) if at in names else len(names)
    stops = tuple(
        StopView(
            stop,
            name,
            "done" if number < here else "here" if number == here else "to come",
            _note(stop, facts, cases) if number == here else "",
        )
        for number, (stop, name, _) in enumerate(STOPS)
    )
    return stops, cases


def _position(facts: RouteFacts, cases: Sequence[CaseView]) -> str:
    if facts.is_closed:
        return "closed"
    if facts.has_results:
        return "done"
    if facts.has_export:
        return "back"
    if facts.stages_done & {"load", "train"} or facts.has_sighted:
        return "site"
    if cases and all(case.holder not in (None, "consignor") for case in cases):
        return "site"
    if any(case.released_to or case.holder not in (None, "consignor") for case in cases):
        return "out"
    # A verdict on the papers alone says nothing of where the drives are; where no log tells it either, it is believed.
    return "site" if "admit" in facts.stages_done and not any(case.holder for case in cases) else "home"


def _note(stop: str, facts: RouteFacts, cases: Sequence[CaseView]) -> str:
    if stop in ("home", "out"):
        moved = [case for case in cases if case.released_to or case.holder not in (None, "consignor")]
        if moved:
            there = sum(case.holder not in (None, "consignor") for case in cases)
            return f"{there} of {len(cases)} cases signed for by the other side"
        sealed = sum(bool(case.seal) for case in cases)
        return f"{sealed} of {len(cases)} cases sealed" if sealed else ""
    if stop == "site" and facts.verdict != "admit":
        return (
            f"the operator's verdict is {facts.verdict}" if facts.verdict else "the operator's verdict is not here yet"
        )
    last = max((stage for stage in facts.stages_done if stage in STAGE_ORDER), key=STAGE_ORDER.index, default="")
    return f"{last} done" if last in ("admit", "load", "train") and stop == "site" else ""


def _cases(facts: RouteFacts, held: Mapping[str, Holding]) -> tuple[CaseView, ...]:
    stated = {case.label: case for case in facts.statement.cases} if facts.statement is not None else {}
    lost: dict[str, str] = {}
    for line in facts.custody:
        if line.event.verb == "lost" and not line.event.drives:
            lost |= dict.fromkeys(line.event.cases, line.event.by)
        elif line.event.verb == "loaded":  # it came after all
            lost = {case: by for case, by in lost.items() if case not in line.event.cases}
    views: list[CaseView] = []
    for label, drives in by_case(facts.drives).items():
        holding = held.get(label)
        counts = {state: sum(drive.state == state for drive in drives) for state in HEALTH}
        views.append(
            CaseView(
                label=label,
                where=f"lost, as the {lost[label]} noted" if label in lost else _where(holding),
                holder=holding.holder if holding is not None else None,
                released_to=holding.released_to if holding is not None else None,
                seal=holding.seal if holding is not None else stated[label].seal if label in stated else "",
                carrier=stated[label].carrier if label in stated else "",
                num_drives=len(drives),
                worst=max((drive.state for drive in drives), key=HEALTH.index),
                counts=tuple((state, count) for state, count in counts.items() if count),
            )
        )
    return tuple(views)


def _where(holding: Holding | None) -> str:
    if holding is None:
        return "at home, not sealed"
    if holding.released_to is not None:
        return f"on the way to the {holding.released_to}"
    return "at home, sealed" if holding.holder == "consignor" else f"with the {holding.holder}"
