"""Programs on all nodes of a Slurm cluster that are free and fit: what looks at the nodes themselves is run by this."""

from __future__ import annotations

import contextlib
import functools
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from packtrain.engines.slurm import states_of_nodes
from packtrain.engines.slurm_commands import call
from packtrain.engines.slurm_place import Place
from packtrain.engines.slurm_training import SlurmEngine
from packtrain.errors import HostUnfit
from packtrain.events import Sink
from packtrain.ports import TrainingJob, TrainingRun

_COMPLETING_SECONDS: Final = 60.0
"""For Slurm to have a node free again that ended something just now."""
_FREE: Final = frozenset(("idle", "completing"))
_ASK_SECONDS: Final = 5.0


class AllNodes:
    """Runs a program on all nodes that are free, and on none that was found unfit. See `ports.Engine`.

    Args:
        place: folder of the job.
        arguments: more options for `sbatch`.
        unfit: the nodes to leave out, by name; it grows while this is used.
        sink: takes what is told of jobs.

    Raises:
        MissingDependency: Slurm's commands are not here.
        ClusterUnreachable: Slurm does not answer.
    """

    name = "slurm"

    def __init__(self, place: Path, arguments: Sequence[str], unfit: Mapping[str, HostUnfit], sink: Sink) -> None:
        self._place = Place(place)
        self._unfit = unfit
        self._arguments = tuple(arguments)
        # Drawn: a job of an earlier command is never followed. It would stand in the way, and is ended.
        self._open = functools.partial(SlurmEngine, place, run_inputs={"command": secrets.token_hex(8)}, sink=sink)
        self._open(arguments).end_other_job()

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end, on `job.hosts.least` nodes or all that are free, and on no more than `most`.

        Raises:
            TrainingFailed: as `SlurmEngine.run`; or Slurm did not start the job for `job.hosts.wait_seconds`.
            ClusterUnreachable, HostUnfit, WorkerStalled: see `SlurmEngine.run`.
        """
        num_nodes = max(self._num_free(), job.hosts.least)
        if job.hosts.most is not None:
            num_nodes = min(num_nodes, job.hosts.most)
        # Exactly so many: all that are free, not those alone that Slurm can give at once.
        hosts = replace(job.hosts, least=num_nodes, most=num_nodes)
        names = ",".join(sorted(self._unfit))
        arguments = (*self._arguments, *([f"--exclude={names}"] if names else ()))
        with self._not_waiting_longer(job.hosts.wait_seconds):
            return self._open(arguments).run(replace(job, hosts=hosts), sink)

    def _num_free(self) -> int:
        """Return how many nodes are free, once those have settled that ended something just now."""
        deadline = time.monotonic() + _COMPLETING_SECONDS
        while True:
            found = states_of_nodes(self._arguments)
            free = [state for name, state in found.items() if state in _FREE and name not in self._unfit]
            if "completing" not in free or time.monotonic() > deadline:
                return len(free)
            time.sleep(1.0)

    @contextlib.contextmanager
    def _not_waiting_longer(self, seconds: float) -> Iterator[None]:
        """Cancel the job where Slurm leaves it waiting for so long: a node that died is never free again."""
        has_ended = threading.Event()

        def watch() -> None:
            waiting_since: float | None = None
            while not has_ended.wait(_ASK_SECONDS):
                job_id = self._place.known_id()
                if not job_id.isdigit():
                    continue
                state = call(["squeue", "--noheader", f"--jobs={job_id}", "--format=%T"]).stdout.strip()
                if state != "PENDING":
                    waiting_since = None
                elif waiting_since is None:
                    waiting_since = time.monotonic()
                elif time.monotonic() > waiting_since + seconds:
                    call(["scancel", "--state=PENDING", job_id])

        thread = threading.Thread(target=watch, name="a job that waits", daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_ended.set()
            thread.join()
