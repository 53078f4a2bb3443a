"""Which checkpoints are whole, which count, what is still to be copied, and what may go: pure functions of inventories.

Hosts are named in rank order. Where there is a store, a folder that all hosts see, it holds the copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from packtrain.training.checkpoint_copies.cuts import Cut, CutFile, HeldEntry, Inventory, hosts_of_attempt
from packtrain.training.checkpoints import step_in

Inventories = Mapping[str, Inventory]


@dataclass(frozen=True, slots=True)
class Pull:
    """A file that one host is to fetch from another."""

    to: str
    file: CutFile
    source: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What all hosts together hold under one name of one attempt."""

    name: str
    attempt: str
    parts: tuple[tuple[str, HeldEntry], ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the shards that a `.metadata` names and no host holds."""
        held = {file.path for _, part in self.parts for file in part.files}
        return tuple(sorted({path for _, part in self.parts for path in part.named} - held))

    @property
    def is_marked(self) -> bool:
        """Return whether a host holds the mark that the program writes last."""
        return any(part.is_marked for _, part in self.parts)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One path with other bytes on some hosts than on the first in rank order, whose bytes are taken."""

    entry: str
    path: str
    taken_from: str
    others: tuple[str, ...]


def saved_entries(inventories: Inventories) -> list[Saved]:
    """Return what lies in the programs' folders, by name and attempt; what cannot be looked at is left out."""
    parts: dict[tuple[str, str], list[tuple[str, HeldEntry]]] = {}
    unreadable = {entry.name for held in inventories.values() for entry in held.entries if not entry.is_readable}
    for host, held in inventories.items():
        for entry in held.entries:
            if entry.name not in unreadable:
                parts.setdefault((entry.name, entry.attempt), []).append((host, entry))
    return [Saved(name, attempt, tuple(found)) for (name, attempt), found in sorted(parts.items())]


def is_whole(
    saved: Saved, others: Sequence[Saved], num_answering: int, *, is_settled: bool, is_passed: bool, is_stopped: bool
) -> bool:
    """Return whether a checkpoint has all its files.

    Args:
        saved: the one that is asked about.
        others: all that lie there.
        num_answering: hosts that answer and were last made ready for the attempt that wrote it. While one is missing
            nobody can say what it had written: per-rank states are named in no mark.
        is_settled: it was the same at two looks, some seconds apart, on all hosts.
        is_passed: workers took part in a whole step after it was first seen so, or the program ended well.
        is_stopped: no worker runs that could still write.
    """
    num_hosts = hosts_of_attempt(saved.attempt) or num_answering
    if saved.missing or num_answering < num_hosts or not (is_settled or is_stopped):
        return False
    if saved.is_marked:
        return True
    if any(other.is_marked for other in others):
        # As `newest_checkpoint`: what lies beside marked checkpoints is none, or one whose mark is yet to come.
        return False
    step = step_in(Path(saved.name))
    is_followed = step[0] > 0 and any(
        other.attempt == saved.attempt and step_in(Path(other.name)) > step for other in others
    )
    # On a single host a finished name says it all: it was written whole and renamed.
    return is_passed or is_followed or num_hosts == 1


def union(saved: Saved, digests: Mapping[str, Sequence[str]]) -> tuple[Cut, list[Conflict]]:
    """Return the union of a checkpoint's parts, given the SHA-256 of each host's files, and where parts disagree.

    Of one path with two contents the first host's in rank order is taken. On a folder that all hosts see one of them
    would have stayed, too, and nobody could say which: a program that is right there is right here.
    """
    files: dict[str, tuple[str, CutFile]] = {}
    disagreeing: dict[str, list[str]] = {}
    for host, part in saved.parts:
        for file, sha256 in zip(part.files, digests[host], strict=True):
            first = files.setdefault(file.path, (host, CutFile(file.path, file.size_bytes, sha256)))
            if first[1].sha256 != sha256:
                disagreeing.setdefault(file.path, []).append(host)
    changed_ns = max(file.changed_ns for _, part in saved.parts for file in part.files)
    cut = Cut(saved.name, saved.attempt, changed_ns, tuple(file for _, (_, file) in sorted(files.items())))
    conflicts = [Conflict(saved.name, path, files[path][0], tuple(hosts)) for path, hosts in disagreeing.items()]
    return cut, conflicts


def known_cuts(inventories: Inventories) -> list[Cut]:
    """Return the cuts that any host knows to be whole, oldest first."""
    return sorted({cut.digest: cut for held in inventories.values() for cut in held.cuts}.values(), key=_age)


def holders_needed(inventories: Inventories, copies: int) -> int:
    """Return on how many holders each file must lie: one and the copies, or as many as there are."""
    return min(copies + 1, len(inventories))


def counts(cut: Cut, inventories: Inventories, copies: int, stores: Set[str] = frozenset()) -> bool:
    """Return whether each file of a cut, and the cut itself, lies in all stores, or without one on enough hosts."""
    holding = [held for host, held in inventories.items() if host in stores or not stores]
    needed = len(stores) or holders_needed(inventories, copies)
    knowing = sum(any(known.digest == cut.digest for known in held.cuts) for held in holding)
    return knowing >= needed and all(
        sum(sha256 in held.contents for held in holding) >= needed for sha256 in cut.contents
    )


def newest_counted(inventories: Inventories, copies: int, stores: Set[str] = frozenset()) -> Cut | None:
    """Return the newest cut that counts."""
    return next((cut for cut in reversed(known_cuts(inventories)) if counts(cut, inventories, copies, stores)), None)


def newest_restorable(inventories: Inventories) -> Cut | None:
    """Return the newest whole cut of which each file lies on some host that answers."""
    held = {sha256 for inventory in inventories.values() for sha256 in inventory.contents}
    return next((cut for cut in reversed(known_cuts(inventories)) if cut.contents.keys() <= held), None)


def copies_to_make(
    cut: Cut,
    inventories: Inventories,
    copies: int,
    stores: Set[str] = frozenset(),
    refusing: Set[str] = frozenset(),
) -> list[Pull]:
    """Return what is still to be fetched until a cut counts: by the stores, or by the hosts that follow the holder.

    Each file goes to the next hosts in rank order after the one that has it, so that every host gives and takes as
    much as the others; to those that refused one before (a full disk) only where there are no others. A file that
    nobody holds is left out.
    """
    if stores:
        return fetches_for(cut, inventories, [host for host in inventories if host in stores])
    return _pulls(cut, inventories, set(inventories), holders_needed(inventories, copies), refusing)


def fetches_for(cut: Cut, inventories: Inventories, hosts: Sequence[str]) -> list[Pull]:
    """Return what each of these hosts is to fetch until it holds the whole cut."""
    return _pulls(cut, inventories, set(hosts), len(inventories))


def to_retain(inventories: Inventories, copies: int, stores: Set[str] = frozenset()) -> frozenset[str] | None:
    """Return the digests of the cuts that are still wanted, or None where nothing may go.

    Nothing goes before a newer cut counts. Then go those that are older and that the program itself has pruned.
    """
    newest = newest_counted(inventories, copies, stores)
    if newest is None:
        return None
    saved = {(entry.name, entry.attempt) for held in inventories.values() for entry in held.entries}
    return frozenset(
        cut.digest for cut in known_cuts(inventories) if cut.age >= newest.age or (cut.entry, cut.attempt) in saved
    )


def _pulls(
    cut: Cut, inventories: Inventories, wanting: Set[str], needed: int, refusing: Set[str] = frozenset()
) -> list[Pull]:
    """Return what those that want a file fetch until `needed` have it, in rank order from its first holder on."""
    ring = list(inventories)
    found: list[Pull] = []
    for sha256, file in {file.sha256: file for file in cut.files}.items():
        holders = [host for host in ring if sha256 in inventories[host].contents]
        if not holders:
            continue
        start = ring.index(holders[0]) + 1
        following = [host for host in ring[start:] + ring[:start] if host in wanting and host not in holders]
        following.sort(key=lambda host: host in refusing)
        # From holders in turn: many that want one file do not all ask the same one.
        found += [
            Pull(host, file, holders[place % len(holders)])
            for place, host in enumerate(following[: max(0, needed - len(holders))])
        ]
    return found


def _age(cut: Cut) -> tuple[tuple[tuple[int, int], str, int], str]:
    return cut.age, cut.digest
