"""A task of a training job, one a host: the crew of that host, led through the job's folder by the batch process."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from types import FrameType
from typing import Final

from packtrain.digest import sha256_tree
from packtrain.engines.crew import Crew, CrewNews, CrewOrder
from packtrain.engines.network_interfaces import interface_towards
from packtrain.engines.shared_folders import require_fit
from packtrain.engines.slurm_place import JobOrder, Lines, Place, Sign, SignReader, SignWriter, Told, encode, read
from packtrain.errors import ClusterUnreachable, HostUnfit, PacktrainError, TrainingFailed

SIGN_EVERY_SECONDS: Final = 1.0
_NEWS_SECONDS: Final = 0.2
_SILENCES: Final = 3
_LEAST_SILENT_SECONDS: Final = 30.0
# Of each task, not of the job: a program that looks for Slurm itself would take the one task of a host for one worker.
_OF_THE_TASK: Final = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE")
_OF_THE_STEP: Final = ("SLURM_STEP", "SLURM_TASK", "PMI_", "PMI2_", "PMIX_")
_HINT: Final = "mount the voyage folder on every host at the same path, then run the same command again"


class _Task:
    """One task: what it hears, what it tells, and its crew once there is one."""

    def __init__(self, place: Place, order: JobOrder, attempt: int, host: int, name: str) -> None:
        self.order = order
        self.attempt = attempt
        self.host = host
        self.name = name
        self.is_asked_to_stop = False
        self._lines = Lines(place.told(attempt, host))
        self._signs = SignWriter(place.sign(attempt, host))
        self._batch = SignReader(place.batch_sign(attempt))
        self._batch.look()
        self._num_signs = 0
        self._next_sign = float("-inf")
        self._last_news: CrewNews | None = None

    def heard(self) -> Sign:
        """Give a sign of life where it is time, and return what the batch process says; "end" if it is silent."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + SIGN_EVERY_SECONDS
            self._num_signs += 1
            self._signs.write(Sign(self._num_signs, self.attempt))
            # Where it is silent for good another attempt may begin elsewhere: nobody may write checkpoints then.
            limit = max(_SILENCES * self.order.job.hosts.silent_seconds, _LEAST_SILENT_SECONDS)
            if self._batch.look() > limit:
                return Sign(0, self.attempt, "end")
        return self._batch.sign or Sign(0, self.attempt)

    def tell(self, told: Told) -> None:
        """Tell something."""
        self._lines.write(encode(told))

    def tell_news(self, news: CrewNews, *, has_ended: bool = False) -> None:
        """Tell what is new."""
        if news.steps or has_ended or news != self._last_news:
            self.tell(Told(self.name, news=news, has_ended=has_ended))
        self._last_news = news

    def run(self) -> None:
        """Wait for all to be there, then hold the crew until the end is asked for."""
        while (sign := self.heard()).word == "wait":
            if self.is_asked_to_stop:
                self.tell(Told(self.name, is_asked=True, has_ended=True))
                return
            time.sleep(_NEWS_SECONDS)
        if sign.word != "go":
            self.tell(Told(self.name, has_ended=True))
            return
        job = self.order.job
        crew = Crew(
            CrewOrder(
                job,
                self.attempt,
                sign.master_port,
                job.num_workers * sign.num_hosts,
                job.num_workers * self.host,
                sign.master_address,
                "lo" if sign.num_hosts == 1 else interface_towards(sign.master_address),
            )
        )
        is_asked = False
        try:
            crew.start()
            while (sign := self.heard()).word != "end":
                if not is_asked and sign.word == "stop":
                    is_asked = True
                    crew.ask_to_stop()
                news = crew.news(_NEWS_SECONDS)
                if not is_asked and self.is_asked_to_stop:
                    # Its workers have the signal from Slurm: twice, it would kill one that is just ending after its
                    # save. And this is told before how they ended, which is then nobody's fault.
                    is_asked = True
                    self.tell(Told(self.name, is_asked=True))
                self.tell_news(news)
                if None not in news.exit_codes:
                    time.sleep(_NEWS_SECONDS)
        finally:
            crew.end()
        self.tell_news(crew.news(0), has_ended=True)


def run_task(root: Path, attempt: int) -> None:
    """Be the task of this host: the hidden command that `srun` starts on each.

    Args:
        root: folder of the job.
        attempt: its number.
    """
    place = Place(root)
    order = read(place.order, JobOrder)
    if order is None:
        raise TrainingFailed("this host does not see the job's folder", where=str(root), hint=_HINT)
    name = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    host = _number_of_host()
    task = _Task(place, order, attempt, host, name)
    launch_address = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "")

    def note(number: int, frame: FrameType | None) -> None:
        task.is_asked_to_stop = True

    # Slurm sends it to all at once before it kills a job: workers are asked to save, and the rest comes by the folder.
    signal.signal(signal.SIGTERM, note)
    for variable in list(os.environ):
        if variable in _OF_THE_TASK or variable.startswith(_OF_THE_STEP):
            del os.environ[variable]
    try:
        require_fit(order.shared, f"{host}.{attempt}")
        _require_program(order, name)
        task.tell(Told(name, launch_address))
        task.run()
    except PacktrainError as error:
        task.tell(Told(name, launch_address, has_ended=True, error=error.to_dict()))
        raise


def _number_of_host() -> int:
    number = os.environ.get("SLURM_NODEID", "")
    if not number.isascii() or not number.isdigit():
        raise ClusterUnreachable(
            "this command is one that a job of Slurm starts",
            expected="the variable SLURM_NODEID",
            found="no job of Slurm",
            hint='run "packtrain train"; it submits the job',
        )
    return int(number)


def _require_program(order: JobOrder, host: str) -> None:
    """Return if this host has the program; it need not lie in the folder that all are known to share."""
    folder = order.job.program_folder
    found = sha256_tree(folder) if folder.is_dir() else "nothing there"
    if found != order.program:
        raise HostUnfit(
            "this host has another program",
            where=host,
            expected=f"{folder}, {order.program[:12]}",
            found=found[:14],
            hint="bring this host to what the first one has, at the same path; then run the same command again",
        )
