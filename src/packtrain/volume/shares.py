"""A load that several hosts share: each reads groups of its own, with a journal of its own, into one store.

The process that gives the groups out holds the staging folder, takes the journals back when hosts are done or gone, and
does at the end what lies over all groups. A journal of a host is below `hosts/` beside the load's own, which it began
with the lines of; when it is taken back it replaces them.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from packtrain import durable
from packtrain.documents.plan import Plan
from packtrain.volume.blocks import Damage
from packtrain.volume.extract import as_the_consignor_signed_it
from packtrain.volume.load_journal import LoadJournal
from packtrain.volume.metadata import Refused
from packtrain.volume.reader import Loading

HOSTS_NAME: Final = "hosts"
_GROUPS_NAME: Final = "groups.json"
_JOURNAL_NAME: Final = "journal.jsonl"
EVENTS_NAME: Final = "events.jsonl"


@dataclass(frozen=True, slots=True)
class ShareRead:
    """What a host tells of its share, beside what its journal says.

    Attributes:
        damage: what was found on its drives beside the volumes.
        refused: attributes and owners that the store's file system refused.
    """

    damage: tuple[Damage, ...] = ()
    refused: Refused = field(default_factory=dict)


def share_folder(journal_path: Path, host: str) -> Path:
    """Return where a host keeps its journal and tells what it does; `host` is letters, digits, dots and dashes."""
    return journal_path.parent / HOSTS_NAME / host


def give_shares(journal: LoadJournal, journal_path: Path, plan: Plan, shares: Mapping[str, Collection[int]]) -> None:
    """Begin a journal for each host, of its groups."""
    shutil.rmtree(journal_path.parent / HOSTS_NAME, ignore_errors=True)
    for host, groups in shares.items():
        folder = share_folder(journal_path, host)
        # First whose they are: a journal of nobody knows what is never taken back.
        durable.write_bytes(folder / _GROUPS_NAME, msgspec.json.encode(sorted(groups)))
        journal.lend(folder / _JOURNAL_NAME, groups, _drives_of(plan, groups))


def take_back(journal: LoadJournal, journal_path: Path, plan: Plan, plan_digest: str, store: str) -> None:
    """Take what hosts noted into the load's own journal; their journals are gone then.

    Killed on the way it is done again by the next run: what is taken twice is the same. One that cannot be read, or is
    of another plan or store, is left out: what it had is read once more.
    """
    for folder in sorted((journal_path.parent / HOSTS_NAME).glob("*")):
        path = folder / _JOURNAL_NAME
        if not path.is_file():
            continue
        try:
            groups = msgspec.json.decode((folder / _GROUPS_NAME).read_bytes(), type=list[int])
        except (OSError, msgspec.MsgspecError):
            continue
        theirs = LoadJournal(path, plan_digest, store)
        if theirs.was_known:
            journal.adopt(theirs, groups, _drives_of(plan, groups))
            durable.step("journal of a host taken back")
        path.unlink(missing_ok=True)
    shutil.rmtree(journal_path.parent / HOSTS_NAME, ignore_errors=True)


def read_share(loading: Loading, groups: Sequence[int]) -> ShareRead:
    """Restore what the drives of this host give of its groups.

    Raises:
        StoreInUse: another process loads one of them, perhaps this host, which was taken for lost.
        DriveFull, DriveFailed, IntegrityError: see `load_shipment`.
    """
    with as_the_consignor_signed_it(), loading.opened(groups):
        loading.read(groups)
    return ShareRead(tuple(loading.damage), loading.metadata.notes())


def share_journal(journal_path: Path, host: str) -> Path:
    """Return the journal of a host."""
    return share_folder(journal_path, host) / _JOURNAL_NAME


def add_shares(loading: Loading, read: Iterable[ShareRead]) -> None:
    """Add what hosts told to a load that is to be finished."""
    for share in read:
        loading.damage += share.damage
        loading.metadata.add(share.refused)


def _drives_of(plan: Plan, groups: Collection[int]) -> set[str]:
    return {uuid for group in plan.groups if group.group in groups for uuid in group.drives}
