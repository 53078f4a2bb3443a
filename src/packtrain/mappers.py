"""Where the units of work of `prepare` are run: on this machine, on a Ray cluster, in arrays of Slurm."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from packtrain.events import Sink
from packtrain.record.folder import VoyageFolder

if TYPE_CHECKING:
    from packtrain.engines.shared_folders import SharedFolders
    from packtrain.ports import JobMapper


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


def _shared(folder: VoyageFolder) -> contextlib.AbstractContextManager[SharedFolders]:
    from packtrain.dataset.work_units import LIBRARIES
    from packtrain.engines.shared_folders import shared_folders

    sources = folder.voyage_file().sources
    paths = [path for text in sources.paths if (path := folder.resolve(text)).exists()] if sources else []
    return shared_folders(folder.work / "prepare" / "hosts", paths, LIBRARIES)
