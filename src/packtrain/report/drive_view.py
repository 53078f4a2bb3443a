"""Every drive of a voyage as the record knows it: written, checked, sealed, read, damaged, lost, replaced, erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.record.checks import WHOLE_VOLUME, CheckedDrive
from packtrain.record.custody import CustodyLine
from packtrain.report.load_view import LoadedDrives
from packtrain.units import counted

DriveHealth = Literal[
    "planned", "begun", "closed", "sealed", "checked", "read", "repaired", "erased", "unusable", "damaged", "lost"
]
HEALTH: Final[tuple[DriveHealth, ...]] = (
    "planned",
    "begun",
    "closed",
    "sealed",
    "checked",
    "read",
    "repaired",
    "erased",
    "unusable",
    "damaged",
    "lost",
)
"""Rising: of all that is known of a drive, the last of these is its state."""
BAD: Final[tuple[DriveHealth, ...]] = ("lost", "damaged", "unusable")
"""Those of a drive that is not well."""
LETTERS: Final[Mapping[str, str]] = {
    "planned": ".",
    "begun": "b",
    "closed": "c",
    "sealed": "s",
    "checked": "k",
    "read": "r",
    "repaired": "m",
    "erased": "e",
    "unusable": "U",
    "damaged": "D",
    "lost": "L",
}
"""One sign a state, so that colour is not the only one: small letters are well, capitals are not."""


@dataclass(frozen=True, slots=True)
class DriveView:
    """One drive.

    Attributes:
        uuid: "" before one was given.
        group: None where no plan names one.
        state: see `HEALTH`.
        caption: the state in a few words, two lines at most.
        since: when that was noted, a UTC instant; None where no record says when.
        history: what happened to it, in order: word and instant (None where not known).
        num_bad_blocks, num_bad_volumes: damage that was found and not repaired; blocks of volumes that are lost as a
            whole are not counted.
        checked: when it was last looked at as a whole, by `check` or a load; None: not known to have been.
        replaced: UUIDs of drives that failed and that it replaced.
    """

    label: str
    case: str
    group: int | None
    uuid: str
    state: DriveHealth
    caption: str
    since: str | None
    history: tuple[tuple[str, str | None], ...] = ()
    num_bad_blocks: int = 0
    num_bad_volumes: int = 0
    checked: str | None = None
    replaced: tuple[str, ...] = ()


def by_case(drives: Iterable[DriveView]) -> dict[str, list[DriveView]]:
    """Return the drives of each case, by its label; cases and drives as they come."""
    within: dict[str, list[DriveView]] = {}
    for drive in drives:
        within.setdefault(drive.case, []).append(drive)
    return within


@dataclass(slots=True)
class DriveFacts:
    """What was gathered of all drives, before one state is chosen for each.

    Attributes:
        checks: by label.
        loaded: of a load that is under way or done.
        load: its receipt, where it is done.
        bad: by label, damage that stands: volume -> blocks, None for all of it.
    """

    checks: Mapping[str, CheckedDrive]
    loaded: LoadedDrives
    load: Receipt | None
    custody: Sequence[CustodyLine]
    bad: dict[str, dict[str, int | None]] = field(default_factory=dict[str, dict[str, "int | None"]])


@dataclass(frozen=True, slots=True)
class _Named:
    label: str
    case: str
    group: int | None
    uuid: str
    planned_uuid: str
    replaced: tuple[str, ...] = ()
    is_closed_by_shipment: bool = False


def drive_views(
    placement: PlacementDocument | None, plan: Plan | None, shipment: Shipment | None, facts: DriveFacts
) -> tuple[DriveView, ...]:
    """Return every drive, in the order of the plan; none before there is a placement.

    `facts.bad` is filled with the damage that stands, for `group_views`.
    """
    named = _named(placement, plan, shipment)
    events = _events(facts.custody, named)
    # A look at a drive that failed says nothing of the one that came in its place.
    own = {each.label: each.uuid for each in named}
    facts.checks = {
        label: look
        for label, look in facts.checks.items()
        if look.uuid in ("", own.get(label)) and not _is_older(look, label, named, events)
    }
    lost_in_load = _lost_labels(facts.load)
    damaged_in_load = _damaged_labels(facts.load)
    for each in named:
        facts.bad[each.label] = _damage(each, facts)
    return tuple(_view(each, facts, events, lost_in_load, damaged_in_load, shipment) for each in named)


def _is_older(
    look: CheckedDrive, label: str, named: Sequence[_Named], events: Mapping[str, Sequence[tuple[str, str]]]
) -> bool:
    """Return whether a look is older than what it would be told of: a drive that was replaced keeps its label."""
    written = [
        at
        for each in named
        if each.label == label
        for verb, at in events.get(each.uuid, ())
        if verb in ("formatted", "closed")
    ]
    return look.at < max(written, default="")


def _named(placement: PlacementDocument | None, plan: Plan | None, shipment: Shipment | None) -> list[_Named]:
    if shipment is not None:
        return [
            _Named(drive.label, drive.case, drive.group, drive.uuid, drive.planned_uuid, drive.replaces, True)
            for drive in shipment.drives
        ]
    if plan is not None:
        group_of = {uuid: group.group for group in plan.groups for uuid in group.drives}
        return [
            _Named(drive.label, drive.case, group_of.get(drive.uuid), drive.uuid, drive.uuid) for drive in plan.drives
        ]
    if placement is not None:
        by_label = {label: number for number, group in enumerate(placement.groups) for label in group.drives}
        return [_Named(drive.label, drive.case, by_label.get(drive.label), "", "") for drive in placement.drives]
    return []


_VERBS: Final[Mapping[str, DriveHealth]] = {
    "formatted": "begun",
    "opened": "begun",
    "closed": "closed",
    "sealed": "sealed",
    "lost": "lost",
    "erased": "erased",
}


def _events(custody: Iterable[CustodyLine], named: Sequence[_Named]) -> dict[str, list[tuple[str, str]]]:
    """Return what the custody log says of each drive, by UUID, in its order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in custody:
        drives = line.event.drives
        if line.event.verb == "lost" and not drives:
            # A case that is lost is named alone: its drives are lost with it.
            drives = tuple(each.uuid for each in named if each.case in line.event.cases)
        for uuid in drives:
            found.setdefault(uuid, []).append((line.event.verb, line.event.at))
    return found


def _damage(each: _Named, facts: DriveFacts) -> dict[str, int | None]:
    check = facts.checks.get(each.label)
    bad: dict[str, int | None] = {}
    if check is not None and _stands(check, facts):
        bad = {name: None if blocks == WHOLE_VOLUME else blocks for name, blocks in check.hurt}
    if facts.load is None:
        # A load that is not done knows of damage that it could not rebuild yet.
        bad |= facts.loaded.damaged.get(each.label, {})
    return bad


def _stands(check: CheckedDrive, facts: DriveFacts) -> bool:
    """Return whether what a look found is so still: a load made good what was found before it."""
    return facts.load is None or check.at > facts.load.finished


def _view(
    each: _Named,
    facts: DriveFacts,
    events: Mapping[str, Sequence[tuple[str, str]]],
    lost: frozenset[str],
    damaged: Mapping[str, int],
    shipment: Shipment | None,
) -> DriveView:
    known: list[tuple[DriveHealth, str | None]] = [("planned", None)]
    history: list[tuple[str, str | None]] = []
    # What was done to a drive that failed is not the story of the one that came in its place.
    for verb, at in events.get(each.uuid, ()):
        history.append((verb, at))
        if verb == "loaded":
            known = [one for one in known if one[0] != "lost"]  # it came after all: the site had it mounted
        if verb in _VERBS:
            known.append((_VERBS[verb], at))
    if each.is_closed_by_shipment and shipment is not None and not any(state == "closed" for state, _ in known):
        known.append(("closed", shipment.closed))
    check = facts.checks.get(each.label)
    bad = facts.bad.get(each.label, {})
    checked = check.at if check is not None else None
    if check is not None:
        history.append(("checked", check.at))
        if not check.is_usable:
            known.append(("unusable", check.at))
        known.append(("repaired" if check.num_repaired else "checked", check.at))
    repaired = check.num_repaired if check is not None else 0
    if facts.load is not None:
        at = facts.load.finished
        if each.label in lost:
            known.append(("lost", at))
        elif each.label in damaged:
            known.append(("repaired", at))
            checked = at
        else:
            known.append(("read", at))
            checked = at
        history.append(("lost" if each.label in lost else "loaded", at))
    elif each.uuid in facts.loaded.lost or each.planned_uuid in facts.loaded.lost:
        known.append(("lost", None))
    elif each.uuid in facts.loaded.seen or each.planned_uuid in facts.loaded.seen:
        known.append(("read", None))
    num_bad = max(len(bad), check.num_hurt if check is not None and _stands(check, facts) else 0)
    if num_bad:
        known.append(("damaged", check.at if check is not None and _stands(check, facts) else checked))
    state, since = max(known, key=lambda item: HEALTH.index(item[0]))
    return DriveView(
        label=each.label,
        case=each.case,
        group=each.group,
        uuid=each.uuid,
        state=state,
        caption=_caption(
            state, bad, check, repaired, damaged.get(each.label), num_bad, is_loaded=facts.load is not None
        ),
        since=since,
        history=tuple(sorted(history, key=lambda item: item[1] or "")),
        num_bad_blocks=sum(blocks for blocks in bad.values() if blocks is not None),
        num_bad_volumes=num_bad,
        checked=checked,
        replaced=each.replaced,
    )


def _caption(
    state: DriveHealth,
    bad: Mapping[str, int | None],
    check: CheckedDrive | None,
    repaired: int,
    repaired_in_load: int | None,
    num_bad: int,
    *,
    is_loaded: bool,
) -> str:
    if state == "lost":
        return "lost;\nrebuilt" if is_loaded else "lost"
    if state == "damaged":
        blocks = sum(count for count in bad.values() if count is not None)
        whole = sum(count is None for count in bad.values())
        told = [f"{counted(blocks, 'bad block')}"] if blocks else []
        told += [f"{counted(whole, 'volume')} lost"] if whole else []
        # Of very many not all are named; see `MAX_HURT` of record/checks.py.
        return "\n".join(told[:2] if num_bad == len(bad) else [f"{counted(num_bad, 'volume')} hurt"])
    if state == "repaired" and repaired_in_load is not None:
        return f"{counted(repaired_in_load, 'block')}\nrepaired"
    if state == "repaired":
        return f"{counted(repaired, 'file')}\nrepaired"
    if state == "unusable" and check is not None:
        return f"not usable;\n{counted(check.num_findings, 'finding')}"
    if state == "checked" and check is not None and check.num_findings:
        return f"checked;\n{counted(check.num_findings, 'finding')}"
    return state


def _lost_labels(load: Receipt | None) -> frozenset[str]:
    words = load.facts.get("drives lost", "") if load is not None else ""
    return frozenset(label.strip() for label in words.split(",") if label.strip())


def _damaged_labels(load: Receipt | None) -> dict[str, int]:
    words = load.facts.get("damaged drives", "") if load is not None else ""
    found: dict[str, int] = {}
    for entry in words.split(","):
        label, _, count = entry.partition(":")
        if label.strip():
            found[label.strip()] = int(count) if count.strip().isdecimal() and len(count) < 20 else 0
    return found
