"""Where units of work of `prepare`, and shares of a `load`, are run: on this machine, by Ray, by Slurm."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from packtrain import durable
from packtrain.events import Sink
from packtrain.record.folder import VoyageFolder

if TYPE_CHECKING:
    from packtrain.engines.shared_folders import SharedFolders
    from packtrain.ports import JobMapper, Store


@contextlib.contextmanager
def open_mapper(folder: VoyageFolder, engine: str | None, num_workers: int | None, sink: Sink) -> Iterator[JobMapper]:
    """Yield what runs the units of work of a voyage.

    Args:
        folder: the consignor's voyage folder.
        engine: "local", "ray" or "slurm"; without it, what voyage.toml says.
        num_workers: how many units are worked on at once; without it, as many as the engine has room for.
        sink: takes what the engine has to tell.

    Raises:
        MissingDependency, ClusterUnreachable, HostUnfit: the engine cannot take work.
    """
    sources, section = folder.voyage_file().sources, folder.voyage_file().prepare
    engine = engine or section.engine
    if engine == "local" or (sources is not None and sources.form == "folder"):  # carried as it is: there are no units
        from packtrain.engines.processes import ProcessMapper

        with ProcessMapper(num_workers if num_workers is not None else os.cpu_count() or 1) as mapper:
            yield mapper
        return
    with _shared(folder) as shared:
        if engine == "ray":
            from packtrain.engines.ray import open_ray

            with open_ray(section.ray_address, num_workers, shared, sink) as mapper:
                yield mapper
        else:
            from packtrain.engines.slurm import open_slurm

            place = folder.work / "prepare" / "array"
            with open_slurm(place, section.slurm_arguments, num_workers, shared, sink) as mapper:
                yield mapper


@contextlib.contextmanager
def open_hosts(folder: VoyageFolder, engine: str, store: Store, sink: Sink) -> Iterator[JobMapper]:
    """Yield what runs a load on the hosts of a site, each of which was found to see voyage folder and store.

    Args:
        folder: the consignee's voyage folder.
        engine: "ray" or "slurm".
        store: where the cargo goes.
        sink: takes what the engine has to tell.

    Raises:
        MissingDependency, ClusterUnreachable, HostUnfit: the engine cannot take work.
    """
    from packtrain.engines.shared_folders import shared_folders

    site = folder.voyage_file().site
    work = folder.work / "load"
    staging = store.staging_folder()
    # A file of this run, so that a host that has a store of its own under the same name is found out.
    witness = staging / f"hosts-{secrets.token_hex(8)}"
    durable.write_bytes(witness, b"")
    try:
        with shared_folders(work / "probes", [witness], ()) as shared:
            if engine == "ray":
                from packtrain.engines.ray import open_ray

                with open_ray(site.ray_address, None, shared, sink, "load") as mapper:
                    yield mapper
            else:
                from packtrain.engines.slurm import open_slurm

                with open_slurm(work / "array", site.slurm_arguments, None, shared, sink, "load") as mapper:
                    yield mapper
    finally:
        witness.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            staging.rmdir()


def _shared(folder: VoyageFolder) -> contextlib.AbstractContextManager[SharedFolders]:
    from packtrain.dataset.work_units import LIBRARIES
    from packtrain.engines.shared_folders import shared_folders

    sources = folder.voyage_file().sources
    paths = [path for text in sources.paths if (path := folder.resolve(text)).exists()] if sources else []
    return shared_folders(folder.work / "prepare" / "hosts", paths, LIBRARIES)
