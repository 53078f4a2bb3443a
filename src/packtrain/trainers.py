"""Which engine runs the training program: on this machine, or on the hosts of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder

if TYPE_CHECKING:
    from packtrain.ports import Engine


_SLURM_FOLDER: Final = "train-slurm"


def open_trainer(folder: VoyageFolder, engine: str | None, run_inputs: Mapping[str, str], sink: Sink) -> Engine:
    """Return what starts the workers of a voyage. What an earlier command left running otherwise is ended.

    Args:
        folder: the consignee's voyage folder.
        engine: "local", "ray" or "slurm"; without it, what voyage.toml says.
        run_inputs: digests of what the training is a function of.
        sink: takes what the engine has to tell before the run begins.

    Raises:
        MissingDependency, ClusterUnreachable: the engine cannot take work.
    """
    site = folder.voyage_file().site
    if (engine or site.engine) == "slurm":
        from packtrain.engines.slurm_training import SlurmEngine

        trainer = SlurmEngine((folder.work / _SLURM_FOLDER).absolute(), site.slurm_arguments, run_inputs, sink)
        trainer.end_other_job()
        return trainer
    if (engine or site.engine) == "ray":
        from packtrain.engines.ray_training import RayEngine

        return RayEngine(site.ray_address)
    from packtrain.engines.local import LocalEngine

    return LocalEngine()


def tell_of_job_out(folder: VoyageFolder, sink: Sink) -> None:
    """Warn of a job that goes on under Slurm while the command that would follow it is refused."""
    place = (folder.work / _SLURM_FOLDER).absolute()
    if not place.exists():
        return
    from packtrain.engines.slurm_training import job_out

    if job_id := job_out(place):
        text = f"job {job_id} of an earlier command is still in Slurm, and goes on: it is not ended by this refusal; "
        text += f'"scancel --batch --signal=USR2 {job_id}" has it save and end, "scancel {job_id}" ends it at once'
        sink(Notice("train", text, is_warning=True))
