"""Inspecting, wired: what `inspect` needs of the world, and the look at one host that other hosts import."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packtrain.documents.inspection import Finding
from packtrain.errors import HostUnfit, PacktrainError
from packtrain.events import Sink, discard
from packtrain.ports import HostsWanted
from packtrain.record.folder import VoyageFolder
from packtrain.training.site.accelerators import look_at_accelerators
from packtrain.training.site.machine import HostTask, look_at_interfaces, look_at_machine, look_at_names
from packtrain.training.site.seen import Seen, figure
from packtrain.units import MIB, format_bytes, format_rate

if TYPE_CHECKING:
    from packtrain.documents.measurement import MeasuredFolder
    from packtrain.engines.shared_folders import SharedFolders
    from packtrain.ports import JobMapper
    from packtrain.stages.inspect import Wanted, World

_RATE_BYTES: Final = 2048 * MIB
"""Written and read at most; less where the time is over before."""
_OWN_FOLDER: Final = ".packtrain-inspection"


def engine_of(folder: VoyageFolder, engine: str | None) -> str:
    """Return the engine by its name: the one that is asked for, or that of voyage.toml."""
    return engine or folder.voyage_file().site.engine


def wanted_of(folder: VoyageFolder, num_hosts: int | None, seconds: float, python: Path | None) -> Wanted:
    """Return what is inspected; `num_hosts` takes the place of what [site.hosts] says."""
    from packtrain.stages.inspect import Wanted

    section = folder.voyage_file().site.hosts
    hosts = HostsWanted(
        least=num_hosts or section.least,
        most=num_hosts or section.most,
        wait_seconds=section.wait_seconds,
        silent_seconds=section.silent_seconds,
        host_folder=Path(section.folder) if section.folder is not None else None,
        checkpoint_copies=section.checkpoint_copies,
    )
    return Wanted(python or Path(sys.executable), hosts, seconds)


@contextlib.contextmanager
def open_world(folder: VoyageFolder, engine: str | None, sink: Sink) -> Iterator[World]:
    """Yield engine and mapper by which the site's hosts are reached.

    Raises:
        MissingDependency, ClusterUnreachable: the engine cannot take work.
    """
    from packtrain.stages.inspect import World

    name, site = engine_of(folder, engine), folder.voyage_file().site
    unfit: dict[str, HostUnfit] = {}

    def note(error: HostUnfit) -> None:
        unfit.setdefault(error.where or "unnamed", error)

    if name == "ray":
        from packtrain.engines.ray import open_ray
        from packtrain.engines.ray_training import RayEngine

        def open_hosts(shared: SharedFolders) -> contextlib.AbstractContextManager[JobMapper]:
            return open_ray(site.ray_address, None, shared, sink, "inspect", note)

        mapper = _over_hosts(folder, open_hosts)
        yield World(RayEngine(site.ray_address, note), look_at_host, mapper, unfit)
    elif name == "slurm":
        from packtrain.engines.slurm import open_slurm
        from packtrain.engines.slurm_nodes import AllNodes

        # Beside the folder of reports, which each inspection begins anew: by what lies here a job is found again.
        place = (folder.work / "inspect-slurm").absolute()

        def open_nodes(shared: SharedFolders) -> contextlib.AbstractContextManager[JobMapper]:
            return open_slurm(place / "array", site.slurm_arguments, None, shared, sink, "inspect", note)

        mapper = _over_hosts(folder, open_nodes)
        yield World(AllNodes(place / "job", site.slurm_arguments, unfit, sink), look_at_host, mapper, unfit)
    else:
        from packtrain.engines.local import LocalEngine

        yield World(LocalEngine(), look_at_host, None, unfit)


def _over_hosts(
    folder: VoyageFolder, open_mapper: Callable[[SharedFolders], contextlib.AbstractContextManager[JobMapper]]
) -> Callable[[], contextlib.AbstractContextManager[JobMapper]]:
    """Return what opens a mapper whose hosts have to see the voyage folder, and to have our versions."""

    @contextlib.contextmanager
    def opened() -> Iterator[JobMapper]:
        from packtrain.engines.shared_folders import shared_folders

        with (
            shared_folders(folder.work / "inspection" / "probes", (), ()) as shared,
            open_mapper(shared) as mapper,
        ):
            yield mapper

    return opened


def look_at_host(task: HostTask) -> tuple[Finding, ...]:
    """Return what is found of the host that this runs on.

    Args:
        task: what is asked of it.
    """
    seen = Seen(platform.node() or "unnamed")
    parts: dict[str, Callable[[], None]] = {
        "machine": lambda: look_at_machine(seen, task),
        "name": lambda: look_at_names(seen, task),
        "interfaces": lambda: look_at_interfaces(seen),
        **{f"folder {folder}": functools.partial(_look_at_folder, seen, task, Path(folder)) for folder in task.folders},
        "accelerators": lambda: look_at_accelerators(seen, task),
    }
    for name, look in parts.items():
        try:
            look()
        except Exception as error:  # noqa: BLE001 - a driver or /proc that surprises us ends no look at other hosts
            told = f"looking at it ended with {type(error).__name__}: {error}"
            seen.bad(name, told, "this host is another than any that was met so far: look there yourself")
    return tuple(seen.findings)


def _look_at_folder(seen: Seen, task: HostTask, folder: Path) -> None:
    """Note the room of a folder's file system, and how fast it takes files and gives them back."""
    from packtrain.devices.bench import MachineBench

    promised, room = task.promised, f"room, {folder.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        medium = MachineBench().medium(folder)
    except (OSError, PacktrainError) as error:
        seen.bad(room, f"{folder}: {error}", f"mount it, or make it: mkdir -p {folder}", asked="a folder to write in")
        return
    seen.judged(
        room,
        f"{format_bytes(medium.free_bytes)} of {format_bytes(medium.size_bytes)} free, {medium.file_system}",
        "make room, or name another folder in [site]",
        [figure("free", medium.free_bytes, "bytes")],
        is_good=not medium.is_read_only and (promised.free_bytes is None or medium.free_bytes >= promised.free_bytes),
        asked=f"{format_bytes(promised.free_bytes)} or more" if promised.free_bytes is not None else "",
        is_promised=promised.free_bytes is not None,
    )
    found = _measure(folder, task.seconds)
    rate_name, wanted = f"rate, {folder.name}", promised.disk_mb_per_second
    asked = f"{wanted:g} MB/s or more, both ways" if wanted is not None else ""
    if isinstance(found, str) or found.write is None or found.read is None:
        why = found if isinstance(found, str) else found.problem
        seen.not_shown(rate_name, why or "nothing was measured", asked=asked, is_promised=wanted is not None)
        return
    write, read = found.write.bytes_per_second, found.read.bytes_per_second
    how = "from memory: no disk lies below it" if found.readback == "memory" else "past the page cache"
    seen.judged(
        rate_name,
        f"{format_rate(write)} written and synced, {format_rate(read)} read {how}",
        "ask the provider for the disks that were promised, or look at what else writes there: iostat -x 1",
        [figure("write", write, "byte/s"), figure("read", read, "byte/s")],
        is_good=wanted is None or min(write, read) >= wanted * 1e6,
        asked=asked,
        is_promised=wanted is not None,
    )


def _measure(folder: Path, seconds: float) -> MeasuredFolder | str:
    """Return rates of a folder by files of our own, which are gone at the end; or why there are none."""
    import shutil

    from packtrain.devices.bench import MachineBench
    from packtrain.devices.directory import DirectoryDrive
    from packtrain.stages.measure.drives import Asked
    from packtrain.stages.measure.folders import measure_store

    # Drawn: hosts that were cloned have one name, and look at one shared folder at the same time.
    own = folder / f"{_OWN_FOLDER}-{secrets.token_hex(8)}"
    try:
        own.mkdir(exist_ok=True)
        asked = Asked(_RATE_BYTES, seconds, os.cpu_count() or 1)
        bench = MachineBench()
        with bench.hold(own):
            return measure_store(own, DirectoryDrive, bench, asked, discard, is_exact=False)
    except PacktrainError as error:
        return error.message
    except OSError as error:
        return f"{own}: {error.strerror}"
    finally:
        shutil.rmtree(own, ignore_errors=True)
