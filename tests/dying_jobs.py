"""Jobs for tests of the engines that map them; worker processes import them from here."""

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from packtrain.errors import NothingToCarry


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker shall do: return its number, or die at it (as often as `lives` says, counted in a file)."""

    number: int
    dies: bool = False
    deaths: Path | None = None
    lives: int = 1


def work(job: Job) -> int:
    """Return the square of a job's number, unless it dies."""
    if job.dies:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.deaths is not None:
        with job.deaths.open("a") as stream:
            stream.write("x")
        if job.deaths.stat().st_size <= job.lives:
            os.kill(os.getpid(), signal.SIGKILL)
    return job.number**2


def refuse(job: Job) -> int:
    """Raise an error of ours, with all its fields, at any job but number 0."""
    if job.number:
        raise NothingToCarry("nothing here", where="a place", hint="look")
    return work(job)


def healed(job: Job) -> Job | None:
    """Return the job without what it dies of."""
    return replace(job, dies=False) if job.dies else None


def sleep_and_tell(path: Path) -> int:
    """Write this worker's process id, then sleep far too long."""
    path.write_text(str(os.getpid()))
    time.sleep(300)
    return 0
