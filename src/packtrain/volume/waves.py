"""Waves: groups whose drives are in the bays together; which are done, and what to mount next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packtrain.digest import sha256_bytes
from packtrain.documents.plan import Plan
from packtrain.errors import MoreDrivesWanted
from packtrain.ports import Drive
from packtrain.volume.closing import signed_group
from packtrain.volume.journal import Journal
from packtrain.volume.places import Place, is_made_ready, places_of, where
from packtrain.volume.writer import GroupsWritten, Wanted

_LISTED = 60


def waves_of(plan: Plan, num_bays: int) -> list[tuple[int, ...]]:
    """Return the numbers of the groups of each wave: as many groups, in order, as fit into the bays together."""
    waves: list[list[int]] = []
    free = 0
    for group in plan.groups:
        if not waves or len(group.drives) > free:
            waves.append([])
            free = num_bays
        waves[-1].append(group.group)
        free -= len(group.drives)
    return [tuple(wave) for wave in waves]


def num_done(waves: Sequence[Collection[int]], closed: Collection[int]) -> int:
    """Return how many waves have all their groups closed."""
    return sum(set(closed).issuperset(wave) for wave in waves)


@dataclass(frozen=True, slots=True)
class WaveProgress:
    """How far a packing is that takes more than one wave.

    Attributes:
        done, total: waves.
        empty: labels that empty drives of the next wave will get.
        again: labels of its drives that were begun and are not closed.
        sources: so many of these drives beside them, to rebuild one from that came for another.
    """

    done: int
    total: int
    empty: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    sources: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        """Return it in words, as `status` says it."""
        return f"{self.done} of {self.total} waves done; next: {', '.join((*self.again, *self.empty)[:_LISTED])}"

    def wanted(self) -> str:
        """Return what to mount next, in words."""
        return in_words(self.empty, self.again, self.sources)


def in_words(empty: Sequence[str], again: Sequence[str], sources: Sequence[tuple[int, Sequence[str]]]) -> str:
    """Return which drives are wanted: see `WaveProgress`."""
    steps: list[str] = []
    if empty:
        plural = "s" if len(empty) > 1 else ""
        steps.append(f"{len(empty)} empty drive{plural} for {', '.join(empty[:_LISTED])}")
    if again:
        steps.append(f"again {', '.join(again[:_LISTED])}")
    steps += [f"any {number} of {', '.join(labels)}, to rebuild from" for number, labels in sources]
    return "; ".join(steps)


def progress(plan: Plan, num_bays: int, journal: Journal) -> WaveProgress | None:
    """Return how far a packing is by its journal; None where one wave is enough, or all are done."""
    places = places_of(plan, journal)
    left = {group.group: _not_closed(group.group, group.drives, places, journal) for group in plan.groups}
    waves = waves_of(plan, num_bays)
    closed = [number for number, uuids in left.items() if not uuids]
    current = next((wave for wave in waves if any(left[number] for number in wave)), None)
    if len(waves) < 2 or current is None:
        return None
    uuids = {uuid for number in current for uuid in left[number]}
    in_order = [place for uuid, place in places.items() if uuid in uuids]
    return WaveProgress(
        num_done(waves, closed),
        len(waves),
        empty=tuple(place.label for place in in_order if not is_made_ready(place.uuid, journal)),
        again=tuple(place.label for place in in_order if is_made_ready(place.uuid, journal)),
        # A group that is signed has all its volumes: what is missing of it is rebuilt from any k of the others.
        sources=tuple(
            (group.k, tuple(places[uuid].label for uuid in group.drives if uuid not in left[group.group]))
            for group in plan.groups
            if group.group in current and left[group.group] and signed_group(journal, group.group) is not None
        ),
    )


def _not_closed(number: int, uuids: Sequence[str], places: Mapping[str, Place], journal: Journal) -> list[str]:
    signed = signed_group(journal, number)
    if signed is None:
        return list(uuids)
    digest = sha256_bytes(signed.payload).encode("ascii")
    return [uuid for uuid in uuids if journal.drive_fact(places[uuid].uuid, "group") != digest]


def more_wanted(
    plan: Plan,
    written: GroupsWritten,
    drives: Mapping[str, Drive],
    spare: Sequence[Drive],
    num_bays: int,
    journal: Journal,
) -> MoreDrivesWanted:
    """Return what a person is told at the end of a wave: what may be taken out, and what comes next.

    Args:
        plan: the signed plan.
        written: how far the groups are; at least one waits.
        drives: who is here, by the UUID of their place.
        spare: empty drives that got no label.
        num_bays: bays of this machine.
        journal: of this attempt.
    """
    places = places_of(plan, journal)
    waves = waves_of(plan, num_bays)
    done = num_done(waves, written.closed)
    following = _next_wanted(written.wanted, waves)
    in_order = [place for uuid, place in places.items() if any(uuid in wanted.places for wanted in following)]
    empty = [place.label for place in in_order if not is_made_ready(place.uuid, journal)]
    again = [place.label for place in in_order if is_made_ready(place.uuid, journal)]
    now = set(written.closed_now)
    closed = [(place.label, where(drives[uuid])) for uuid, place in places.items() if uuid in now]
    what = f"{done} of {len(waves)} waves done"
    if closed:
        listed = ", ".join(f"{label} ({location})" for label, location in closed[:_LISTED])
        what = f"{what}; closed now, to be labelled and taken out: {listed}"
    sources = [
        (wanted.num_sources, [places[uuid].label for uuid in wanted.sources])
        for wanted in following
        if wanted.num_sources
    ]
    if spare:
        what = f"{what}; not needed yet: {', '.join(where(drive) for drive in spare)}"
    return MoreDrivesWanted(
        f"{what}; wanted next: {in_words(empty, again, sources)}",
        hint="mount them, in any order and any bay, and run the same command again",
        wanted={
            "waves_done": done,
            "waves": len(waves),
            "closed_now": [{"label": label, "location": location} for label, location in closed],
            "wanted_empty": empty,
            "wanted_again": again,
            "wanted_sources": [{"number": number, "of": labels} for number, labels in sources],
            "not_needed": [where(drive) for drive in spare],
        },
    )


def _next_wanted(wanted: Sequence[Wanted], waves: Sequence[Collection[int]]) -> list[Wanted]:
    """Return what the first wave waits for that is not done; what groups of later waves want can wait."""
    for wave in waves:
        if found := [item for item in wanted if item.group in wave]:
            return found
    return list(wanted)
