"""The drives of a forecast and their groups: spread over cases as evenly as can be, or those of a voyage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from packtrain.erasure.placement import DriveSpec, Group, Placement, Survival, place

# The search for groups takes drives times the largest group; beyond this many steps a part of the row is searched, and
# its groups are repeated along it.
_MOST_STEPS: Final = 60_000
_UNASKED_BAYS: Final = 64


def even_cases(num_drives: int, num_cases: int) -> dict[str, str]:
    """Return the case of each drive by label: "A1", "A2" in case "A", and so on."""
    names = [_case_name(number) for number in range(num_cases)]
    members: dict[str, str] = {}
    for number in range(num_drives):
        case = names[number % num_cases]
        members[f"{case}{number // num_cases + 1}"] = case
    return members


def place_fleet(drives: Sequence[DriveSpec], survive: Survival, bays: int | None) -> Placement:
    """Return groups for these drives; of many equal ones those of a part of them, over and over.

    Raises:
        PlacementImpossible: no grouping survives that.
    """
    largest = bays or _UNASKED_BAYS
    if len(drives) * largest <= _MOST_STEPS or len({drive.capacity_bytes for drive in drives}) > 1:
        return place(drives, survive, bays=bays)
    part = 2 * largest
    groups: list[Group] = []
    known: dict[tuple[int, ...], list[list[int]]] = {}
    start = 0
    while start < len(drives):
        # A rest that is too short to survive by itself is placed with the part before it.
        end = start + part if len(drives) - start >= 2 * part else len(drives)
        some = drives[start:end]
        pattern = _pattern(some)
        if pattern not in known:
            at = {drive.label: place_in_row for place_in_row, drive in enumerate(some)}
            found = place(some, survive, bays=bays)
            known[pattern] = [[group.k, *(at[label] for label in group.drives)] for group in found.groups]
        groups += [
            Group(k, len(members) - k, tuple(some[member].label for member in members))
            for k, *members in known[pattern]
        ]
        start = end
    return Placement(tuple(groups), survive)


def shares(placement: Placement, capacity_of: Mapping[str, int]) -> list[float]:
    """Return the part of the cargo that each group holds: as packing fills them, by their data columns and sizes."""
    room = [group.k * max(1, min(capacity_of[label] for label in group.drives)) for group in placement.groups]
    whole = sum(room)
    return [each / whole for each in room]


def host_loads(placement: Placement, bays: int) -> list[list[tuple[int, int]]]:
    """Return what is in the bays of one host at a time: groups in order, each with its drives, as many as fit.

    A group that is wider than the bays is changed within itself, and comes more than once.
    """
    loads: list[list[tuple[int, int]]] = []
    for number, group in enumerate(placement.groups):
        size = len(group.drives)
        if loads and sum(drives for _, drives in loads[-1]) + size <= bays:
            loads[-1].append((number, size))
        else:
            loads.append([(number, size)])
        loads += [[(number, size)] for _ in range(-(-size // bays) - 1)]
    return loads


def waves(placement: Placement, bays: int, num_hosts: int) -> list[set[int]]:
    """Return the groups that are in the bays of all hosts at the same time, wave by wave."""
    loads = host_loads(placement, bays)
    return [
        {group for load in loads[start : start + num_hosts] for group, _ in load}
        for start in range(0, len(loads), num_hosts)
    ]


def _pattern(drives: Sequence[DriveSpec]) -> tuple[int, ...]:
    """Return which drives share a case, whatever the cases are called."""
    number_of: dict[str, int] = {}
    return tuple(number_of.setdefault(drive.case, len(number_of)) for drive in drives)


def _case_name(number: int) -> str:
    letters = chr(ord("A") + number % 26)
    return letters if number < 26 else _case_name(number // 26 - 1) + letters
