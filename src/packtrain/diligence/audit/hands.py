"""In whose hands each case was, and when, as far as signed entries say. An entry that does not follow is a fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.log import CustodyLog
from packtrain.diligence.hand_over import lost_by
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.parties import Role


@dataclass(frozen=True, slots=True)
class Period:
    """One party's time with a case.

    Attributes:
        since, until: of the entries, by the clocks of who signed; `until` is None where no later entry ends it.
        entry: line of the log that began it.
        how: "sealed" or "accepted".
    """

    holder: Role
    since: str
    until: str | None
    entry: int
    how: str


@dataclass(slots=True)
class CaseStory:
    """One case.

    Attributes:
        seals: every seal put on it, the last one last.
        released_to: whom it was released to, while nobody accepted it.
        broken: each broken seal, in words.
        checked: each check of a seal, in words.
    """

    case: str
    seals: list[str] = field(default_factory=list[str])
    periods: list[Period] = field(default_factory=list[Period])
    released_to: Role | None = None
    released_line: str | None = None
    broken: list[str] = field(default_factory=list[str])
    checked: list[str] = field(default_factory=list[str])

    @property
    def holder(self) -> Role | None:
        """Return who has it at the end of the log."""
        return self.periods[-1].holder if self.periods else None


@dataclass(slots=True)
class Hands:
    """All cases of a log by label, the drives reported lost by UUID, and entries that do not follow."""

    cases: dict[str, CaseStory] = field(default_factory=dict[str, CaseStory])
    lost: dict[str, str] = field(default_factory=dict[str, str])
    faults: list[Fault] = field(default_factory=list[Fault])


def follow(log: CustodyLog) -> Hands:
    """Return the story of each case, from the entries that may be believed."""
    hands = Hands()
    sealed: dict[str, tuple[str, ...]] = {}
    for line, event in log.events:
        where = f"{log.name}, line {line.number}"
        for number, case in enumerate(event.cases):
            story = hands.cases.setdefault(case, CaseStory(case))
            what = ""
            if event.verb == "sealed":
                seal = event.seals[number] if number < len(event.seals) else ""
                what = _seal(story, event, seal, line.number)
            elif event.verb == "released":
                what = _release(story, event, line.digest)
            elif event.verb == "accepted":
                what = _accept(story, event, line.number)
            elif event.verb in ("seal-broken", "seal-checked"):
                told = f"{event.at}, entry {line.number}, by the {event.by}{f': {event.note}' if event.note else ''}"
                (story.broken if event.verb == "seal-broken" else story.checked).append(told)
            if what:
                hands.faults.append(Fault("custody", where, what))
        if event.verb == "sealed":
            sealed |= dict.fromkeys(event.cases, event.drives)
        if event.verb == "lost":
            for uuid in lost_by(event, sealed):
                note = f": {event.note}" if event.note else ""
                hands.lost[uuid] = f"{event.at}, entry {line.number}, by the {event.by}{note}"
    return hands


def _seal(story: CaseStory, event: CustodyEvent, seal: str, entry: int) -> str:
    fault = ""
    if len(event.cases) != 1 or len(event.seals) != 1:
        fault = "a sealed entry is about one case and one seal"
    elif story.periods and (story.holder != event.by or story.released_to is not None):
        fault = f"case {story.case} was sealed by the {event.by}, who does not hold it"
    if story.holder != event.by or not story.periods:
        _begin(story, event, entry)
    story.seals.append(seal)
    return fault


def _release(story: CaseStory, event: CustodyEvent, digest: str) -> str:
    fault = ""
    if event.counterpart is None or event.counterpart == event.by:
        fault = "a release names another party"
    elif story.holder != event.by or story.released_to is not None:
        fault = f"case {story.case} was released by the {event.by}, who does not hold it"
    story.released_to, story.released_line = event.counterpart, digest
    return fault


def _accept(story: CaseStory, event: CustodyEvent, entry: int) -> str:
    fault = ""
    if story.released_line is None or story.released_line != event.answers:
        fault = f"case {story.case} was accepted by the {event.by}, and no release before it says so"
    elif (story.released_to, story.holder) != (event.by, event.counterpart):
        fault = f"case {story.case} was accepted by the {event.by}, and had been released to the {story.released_to}"
    _begin(story, event, entry)
    story.released_to = story.released_line = None
    return fault


def _begin(story: CaseStory, event: CustodyEvent, entry: int) -> None:
    if story.periods:
        last = story.periods[-1]
        story.periods[-1] = Period(last.holder, last.since, event.at, last.entry, last.how)
    story.periods.append(Period(event.by, event.at, None, entry, event.verb))
