"""What one host of several does of a load: look at what is mounted there, read its groups, fetch the kit.

Each is a job of `ports.JobMapper`: it opens the voyage folder and its key itself, so that nothing secret is sent.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.errors import PacktrainError
from packtrain.events import DriveNamed, Event, Progress, Sink, discard
from packtrain.ports import Drive, Store
from packtrain.record.folder import VoyageFolder
from packtrain.stages.load.gates import admitted_papers, expected_of, identity_of, require_admission
from packtrain.stages.load.kept import STAGE, journal_folder, kit_of
from packtrain.training.event_relay import write_events
from packtrain.volume.discover import Expected, groups_of, look_at
from packtrain.volume.far import Looked, look, on_host
from packtrain.volume.fleet import Mounted
from packtrain.volume.kit_files import copy_kit
from packtrain.volume.metadata import Metadata
from packtrain.volume.reader import Loading
from packtrain.volume.shares import EVENTS_NAME, ShareRead, read_share, share_folder, share_journal

_TELL_SECONDS: Final = 1.0

OpenDrives = Callable[[Sequence[Path], Sink], tuple[list[Drive], Sink]]
"""Opens the drives at these paths, and returns with them the sink that adds to progress how far each is."""


@dataclass(frozen=True, slots=True)
class Here:
    """What every job knows: it is sent by pickle, so the functions are those of modules.

    Attributes:
        host: the name that the mapper gave it.
        root: the voyage folder.
        open_drives, open_store: how drives and store are opened.
    """

    host: str
    root: Path
    open_drives: OpenDrives
    open_store: Callable[[], Store]


@dataclass(frozen=True, slots=True)
class LookJob:
    """Look what is mounted: paths, or patterns of them, absolute."""

    here: Here
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gives: the drives, and which patterns something was at."""

    looked: Looked
    matched: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Read groups from the drives at these paths; the rest is as of `load`."""

    here: Here
    paths: tuple[Path, ...]
    groups: tuple[int, ...]
    keep_owner: bool
    verify_files: bool
    scratch: Path | None


@dataclass(frozen=True, slots=True)
class ReadEnd:
    """What became of a share: what was read, or why it stopped. An error of one host does not stop the others."""

    read: ShareRead | None
    error: PacktrainError | None = None


@dataclass(frozen=True, slots=True)
class KitJob:
    """Copy the kit in force, if the drives at these paths have it whole, to `destination`."""

    here: Here
    paths: tuple[Path, ...]
    left: bool
    destination: Path


def look_on_host(job: LookJob) -> Seen:
    """Return what is mounted on this host of what was asked for."""
    folder = VoyageFolder(job.here.root)
    paths: dict[tuple[int, int], Path] = {}
    matched: set[str] = set()
    for pattern in job.patterns:
        is_pattern = glob.has_magic(pattern)
        for text in sorted(glob.glob(pattern)) if is_pattern else [pattern]:  # noqa: PTH207 - absolute, of one host
            path = Path(text)
            # A mount point that nothing is mounted at matches as well.
            if not path.is_dir() or (is_pattern and not any(path.iterdir())):
                continue
            matched.add(pattern)
            status = path.stat()
            paths.setdefault((status.st_dev, status.st_ino), path)
    drives, _ = job.here.open_drives(list(paths.values()), discard)
    return Seen(look(job.here.host, drives, folder.trust(), _expected(folder)), frozenset(matched))


def read_on_host(job: ReadJob) -> ReadEnd:
    """Read a share of the load; its journal and what it tells lie in the folder of this host."""
    try:
        return ReadEnd(_read(job))
    except PacktrainError as error:
        return ReadEnd(None, on_host(job.here.host, error))


def kit_on_host(job: KitJob) -> tuple[bool, tuple[str, ...]]:
    """Return whether the kit stands in its place now, and the damage seen."""
    folder = VoyageFolder(job.here.root)
    drives, _ = job.here.open_drives(job.paths, discard)
    expected = _expected(folder)
    mounted = [look_at(drive, folder.trust(), expected, []) for drive in drives]
    kit = kit_of(folder)
    if job.left:
        from packtrain.diligence.kit_chain import chain_of

        kit = chain_of(folder)[0].kit
    return copy_kit(kit, mounted, job.destination) if kit is not None else (False, ())


def _read(job: ReadJob) -> ShareRead:
    folder = VoyageFolder(job.here.root)
    require_admission(folder)
    admitted = admitted_papers(folder)
    expected = expected_of(folder, admitted)
    trust = folder.trust()
    main_journal = journal_folder(folder) / "journal.jsonl"
    events = share_folder(main_journal, job.here.host) / EVENTS_NAME
    drives, sink = job.here.open_drives(job.paths, _seldom(write_events(events, discard)))
    found: dict[str, Mounted] = {}
    for drive in drives:
        item = look_at(drive, trust, expected, [])
        found[item.record.planned_uuid] = item
    mounted = [found[planned.uuid] for planned in admitted.plan.drives if planned.uuid in found]
    loading = Loading(
        admitted.plan,
        {**(expected.groups or {}), **groups_of(mounted, trust, expected.groups or {})},
        mounted,
        identity_of(folder, admitted),
        job.here.open_store(),
        share_journal(main_journal, job.here.host),
        sink,
        STAGE,
        Metadata(keep_owner=job.keep_owner),
        [],
        job.verify_files,
        job.scratch,
        kept=main_journal.parent,
    )
    return read_share(loading, job.groups)


def _expected(folder: VoyageFolder) -> Expected:
    require_admission(folder)
    return expected_of(folder, admitted_papers(folder))


def _seldom(sink: Sink) -> Sink:
    """Return a sink that passes progress on once a second: it is read over a network."""
    told_at = 0.0

    def take(event: Event) -> None:
        nonlocal told_at
        if isinstance(event, Progress) and event.done_bytes < event.total_bytes:
            now = time.monotonic()
            if now - told_at < _TELL_SECONDS:
                return
            told_at = now
        if not isinstance(event, DriveNamed):
            sink(event)

    return take


def absolute(pattern: str) -> str:
    """Return a path or pattern as every host understands it."""
    return os.path.abspath(Path(pattern).expanduser())  # noqa: PTH100 - resolve would follow links of this host


def paths_by_host(fleet_locations: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Return the paths of drives by host, of locations as `far` spells them."""
    found: dict[str, list[Path]] = {}
    for location in fleet_locations:
        host, _, rest = location.partition(":/")
        found.setdefault(host, []).append(Path(f"/{rest}"))
    return {host: tuple(paths) for host, paths in found.items()}
