"""The batch script of a training job."""

from __future__ import annotations

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
    )
    lines = "\n".join(f"#SBATCH {option}" for option in options)
    command = f"exec {shlex.quote(python)} -m packtrain run-attempt {shlex.quote(str(place))} {token}"
    return f"#!/bin/sh\n{lines}\n# One attempt, each time that Slurm starts this job.\n{command}\n"


def folder_options(place: Path, log: Path) -> list[str]:
    """Return the options of `sbatch` that name the job's folder and its log.

    They are words of its command line: in the script Slurm would read quotes and backslashes its own way.
    """
    # In the name of a log "%" stands for something, unless it is doubled, or a backslash stands anywhere.
    name = str(log)
    name = name.replace("\\", "\\\\") if "\\" in name else name.replace("%", "%%")
    return [f"--chdir={place}", f"--output={name}"]
