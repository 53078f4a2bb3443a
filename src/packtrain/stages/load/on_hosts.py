"""load over many hosts: each host reads the groups whose drives it has mounted, all of them into one store.

This process gives the groups out, and does alone what lies over all of them: the folders' modes and times, what is
wanted next, the receipt and the custody entry. So these are what a load of the same drives on one host leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from packtrain.documents.kit import Kit
from packtrain.documents.receipt import Receipt
from packtrain.errors import DriveMissing, HostsLost, PacktrainError
from packtrain.events import Notice, Sink
from packtrain.ports import JobMapper, LostHost, Store
from packtrain.record.folder import VoyageFolder
from packtrain.stages.load.cargo import Options, load_by
from packtrain.stages.load.gates import Admitted, expected_of
from packtrain.stages.load.host_events import HostEvents
from packtrain.stages.load.kept import STAGE, journal_folder, kit_of
from packtrain.stages.load.on_host import (
    Here,
    KitJob,
    LookJob,
    OpenDrives,
    ReadJob,
    absolute,
    kit_on_host,
    look_on_host,
    paths_by_host,
    read_on_host,
)
from packtrain.units import counted
from packtrain.volume.extract import as_the_consignor_signed_it
from packtrain.volume.far import Looked, gather
from packtrain.volume.fleet import Fleet
from packtrain.volume.loaded import Loaded
from packtrain.volume.metadata import Metadata
from packtrain.volume.reader import Loading
from packtrain.volume.shares import ShareRead, add_shares, give_shares, take_back


def load_on_hosts(
    folder: VoyageFolder,
    mapper: JobMapper,
    patterns: Sequence[str],
    open_drives: OpenDrives,
    store: Store,
    open_store: Callable[[], Store],
    sink: Sink,
    options: Options,
) -> Receipt:
    """Restore the admitted shipment into a store that all hosts see, as `load` does on one; return the receipt.

    Args:
        folder: the consignee's voyage folder, which all hosts see.
        mapper: puts jobs on hosts.
        patterns: where drives are mounted: paths or patterns, looked at on every host, or on one as "HOST:PATH".
        open_drives, open_store: functions of modules, called on the hosts.
        store: opened here.
        sink: takes events.
        options: as of `load`.

    Raises:
        GroupSplit: drives of a group are on several hosts; nothing was read.
        HostsLost: at the end: what the other hosts had to do is done.
        As `load`.
    """
    events = HostEvents(sink)
    way = _OnHosts(folder, mapper, tuple(patterns), open_drives, store, open_store, events)
    return load_by(way, folder, store, events.sink, options)


class _OnHosts:
    def __init__(
        self,
        folder: VoyageFolder,
        mapper: JobMapper,
        patterns: Sequence[str],
        open_drives: OpenDrives,
        store: Store,
        open_store: Callable[[], Store],
        events: HostEvents,
    ) -> None:
        self._folder = folder
        self._mapper = mapper
        self._patterns = patterns
        self._open_drives = open_drives
        self._store = store
        self._open_store = open_store
        self._events = events
        self._host_of: dict[int, str] = {}
        self._paths: dict[str, tuple[Path, ...]] = {}

    def fleet(self, admitted: Admitted, options: Options) -> Fleet:
        """Let each host look at what it has mounted, and give each group to the host that has it.

        Raises:
            DriveMissing: nothing is at a place that was named, or there is no host of this name.
            GroupSplit, and as `discover`.
        """
        jobs = self._look_jobs()
        looked: dict[str, Looked] = {}
        matched: set[str] = set()
        for host, job, seen in self._mapper.map_bound(look_on_host, jobs):
            if isinstance(seen, LostHost):
                self._events.sink(Notice(STAGE, f"host {host} was not looked at: {seen.why}", is_warning=True))
                matched.update(job.patterns)
                continue
            # By the name that we call it by, whatever it says: names are those of folders here, and say who is asked.
            sightings = tuple(replace(sighting, host=host) for sighting in seen.looked.sightings)
            looked[host] = replace(seen.looked, sightings=sightings)
            matched |= seen.matched
        if missing := [pattern for _, job in jobs for pattern in job.patterns if pattern not in matched]:
            raise DriveMissing(
                "nothing is mounted there on any host",
                where=", ".join(dict.fromkeys(missing))[:400],
                expected=f"a mounted file system or a folder, on one of {', '.join(sorted(looked)) or 'no hosts'}",
                hint="mount the drives, or correct the path; quote a pattern, so that this shell does not fill it in",
            )
        expected = expected_of(self._folder, admitted)
        in_order = [looked[host] for host in sorted(looked)]
        fleet, host_of = gather(in_order, self._folder.trust(), expected, options.without)
        self._paths = paths_by_host([item.drive.location for item in fleet.mounted])
        self._host_of = dict(host_of)
        return fleet

    def copy_kit(self, kit: Kit, destination: Path) -> tuple[bool, tuple[str, ...]]:
        """Let one host after the other copy the kit, until it is here."""
        faults: list[str] = []
        is_left = kit != kit_of(self._folder)
        for host, paths in sorted(self._paths.items()):
            job = KitJob(self._here(host), paths, is_left, destination)
            for _, _, found in self._mapper.map_bound(kit_on_host, [(host, job)]):
                if isinstance(found, LostHost):
                    continue
                faults += found[1]
                if found[0]:
                    return True, tuple(faults)
        return False, tuple(faults)

    def read(self, fleet: Fleet, identity: str, options: Options) -> Loaded:
        """Let the hosts read their groups, then finish what lies over all of them."""
        journal_path = journal_folder(self._folder) / "journal.jsonl"
        loading = Loading(
            fleet.plan, fleet.groups, fleet.mounted, identity, self._store, journal_path, self._events.sink, STAGE,
            Metadata(keep_owner=options.keep_owner), list(fleet.damage), options.verify_files, options.scratch,
        )  # fmt: skip
        shares: dict[str, list[int]] = {}
        for number, host in sorted(self._host_of.items()):
            shares.setdefault(host, []).append(number)
        with as_the_consignor_signed_it(), loading.opened(gives_out=True):
            # Those of a run that was killed.
            take_back(loading.journal, journal_path, fleet.plan, fleet.plan_digest, self._store.location)
            loading.goes_on = bool(loading.journal.volumes)
            loading.note_drives(fleet.lost, no_more=options.no_more)
            loading.tell_damage(fleet.damage)
            give_shares(loading.journal, journal_path, fleet.plan, shares)
            with self._events.relayed(journal_path, shares):
                read, errors, lost = self._map(shares, options)
            take_back(loading.journal, journal_path, fleet.plan, fleet.plan_digest, self._store.location)
            loaded = None
            if not errors and not lost:
                add_shares(loading, read)
                loaded = loading.finish()
        if errors:
            raise errors[0]
        if loaded is None:
            raise _hosts_lost(lost, shares)
        return loading.concluded(loaded, fleet.shipment)

    def facts(self) -> dict[str, str]:
        """Return which host read which groups."""
        groups: dict[str, list[str]] = {}
        for number, host in sorted(self._host_of.items()):
            groups.setdefault(host, []).append(str(number))
        told = [
            f"{host}: {'group' if len(found) == 1 else 'groups'} {', '.join(found)}" for host, found in groups.items()
        ]
        return {"hosts": "; ".join(sorted(told))[:4096]}

    def _map(
        self, shares: dict[str, list[int]], options: Options
    ) -> tuple[list[ShareRead], list[PacktrainError], list[LostHost]]:
        scratch = options.scratch.absolute() if options.scratch is not None else None
        jobs = [
            (
                host,
                ReadJob(
                    self._here(host),
                    self._paths[host],
                    tuple(groups),
                    options.keep_owner,
                    options.verify_files,
                    scratch,
                ),
            )
            for host, groups in sorted(shares.items())
        ]
        read: dict[str, ShareRead] = {}
        errors: dict[str, PacktrainError] = {}
        lost: dict[str, LostHost] = {}
        for host, _, end in self._mapper.map_bound(read_on_host, jobs):
            if isinstance(end, LostHost):
                lost[host] = end
                text = f"host {host} is lost with its groups: {end.why}; the others go on"
                self._events.sink(Notice(STAGE, text, is_warning=True))
            elif end.error is not None:
                errors[host] = end.error
            elif end.read is not None:
                read[host] = end.read
        return (
            [read[host] for host in sorted(read)],
            [errors[host] for host in sorted(errors)],
            [lost[host] for host in sorted(lost)],
        )

    def _look_jobs(self) -> list[tuple[str, LookJob]]:
        hosts = self._mapper.hosts()
        asked: dict[str, list[str]] = {host: [] for host in hosts}
        for pattern in self._patterns:
            host, separator, rest = pattern.partition(":/")
            if separator and "/" not in host:
                if host not in asked:
                    raise DriveMissing(
                        "no host of this name takes work",
                        where=pattern,
                        expected=", ".join(hosts) or "a host",
                        found=host,
                        hint="name a host as this message does; one that is lost comes back when its engine runs again",
                    )
                asked[host].append(f"/{rest}")
            else:
                for patterns in asked.values():
                    patterns.append(absolute(pattern))
        return [(host, LookJob(self._here(host), tuple(patterns))) for host, patterns in asked.items() if patterns]

    def _here(self, host: str) -> Here:
        return Here(host, self._folder.root, self._open_drives, self._open_store)


def _hosts_lost(lost: Sequence[LostHost], shares: dict[str, list[int]]) -> HostsLost:
    told = [
        f"{each.host} ({'group' if len(shares[each.host]) == 1 else 'groups'} "
        f"{', '.join(map(str, shares[each.host]))}): {each.why}"
        for each in lost
    ]
    return HostsLost(
        f"{counted(len(lost), 'host')} went away with drives that nobody else has: {'; '.join(told)}",
        found="all that the other hosts have is loaded",
        hint="when the host is back, or its drives are mounted on another one, run the same command: what is done is "
        "kept",
    )
