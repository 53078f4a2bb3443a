"""The batch script of a training job."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

from packtrain.ports import TrainingJob

LOG_NAME: Final = "slurm.log"
_TIME_CHECK_SECONDS: Final = 60  # Slurm looks at time limits so often: its warning may come as much too late


def job_script(place: Path, job: TrainingJob, token: str, python: str) -> str:
    """Return the batch script. Options that are given to `sbatch` itself stand over those in it.

    Args:
        place: the job's folder.
        job: what to run.
        token: of this submission.
        python: interpreter that has packtrain, on every host.
    """
    hosts = job.hosts
    most = f"-{hosts.most}" if hosts.most is not None else ""
    warned_seconds = int(job.grace_seconds) + _TIME_CHECK_SECONDS
    options = (
        f"--nodes={hosts.least}{most}",
        "--exclusive",
        "--mem=0",
        "--open-mode=append",
        f"--signal=B:USR1@{warned_seconds}",
        # From the job's folder, which sbatch is told as a word of its own: what a folder above it is called, with
        # blanks, quotes, "%" or "\\", is then nothing that Slurm reads as anything else.
        f"--output={os.path.relpath(job.log_folder / LOG_NAME, place)}",
    )
    lines = "\n".join(f"#SBATCH {option}" for option in options)
    command = f"exec {shlex.quote(python)} -m packtrain run-attempt {shlex.quote(str(place))} {token}"
    return f"#!/bin/sh\n{lines}\n# One attempt, each time that Slurm starts this job.\n{command}\n"
