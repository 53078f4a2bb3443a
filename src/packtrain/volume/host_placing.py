"""Which host reads which group: the one that has its drives. Nothing is looked at here, all follows from who sees what.

The drives of a group are read by one host, for a damaged block is rebuilt from the others of its stripe. A group whose
drives are on several hosts is split, and a person moves drives: the fewest that bring it together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """A drive, by its UUID in the plan, that must go to another host; it is seen by `sources`."""

    group: int
    drive: str
    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Placing:
    """Who reads what.

    Attributes:
        hosts: host by group; groups of which no drive is seen, and split ones, are absent.
        moves: what brings the split groups together.
    """

    hosts: Mapping[int, str]
    moves: tuple[Move, ...]


def place_groups(groups: Mapping[int, Sequence[str]], seen: Mapping[str, Collection[str]]) -> Placing:
    """Return which host reads which group.

    Args:
        groups: drives of each group, by UUID.
        seen: hosts that have a drive mounted, by its UUID; several where it is on a network.
    """
    here = {number: [uuid for uuid in uuids if seen.get(uuid)] for number, uuids in groups.items()}
    num_drives: Counter[str] = Counter()
    hosts: dict[int, str] = {}
    moves: list[Move] = []

    def choices(number: int) -> list[str]:
        """Return the hosts that have most of the drives of a group."""
        count = Counter(host for uuid in here[number] for host in set(seen[uuid]))
        most = max(count.values())
        return [host for host, number_here in count.items() if number_here == most]

    # Those first that have no choice: the others go where there is least to do.
    for number in sorted(
        (number for number in here if here[number]), key=lambda number: (len(choices(number)), number)
    ):
        host = min(choices(number), key=lambda name: (num_drives[name], name))
        num_drives[host] += len(here[number])
        away = [uuid for uuid in here[number] if host not in seen[uuid]]
        if away:
            moves += [Move(number, uuid, tuple(sorted(seen[uuid])), host) for uuid in away]
        else:
            hosts[number] = host
    return Placing(hosts, tuple(sorted(moves, key=lambda move: move.group)))
