"""Slurm's own commands: whether they are here, and how they are asked. Both Slurm engines call them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from packtrain.errors import MissingDependency

ENDED: Final = frozenset(
    ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
)
"""States after which Slurm does nothing more with a job."""

SILENT_SECONDS: Final = 600.0
"""Of a controller that does not answer, before we give up: it can be restarted on the way, and jobs run on."""

POLLS_ENDED: Final = 2
"""So often a job is asked for before it counts as ended: what it wrote last may arrive after the word of its end."""

_COMMAND_SECONDS: Final = 60
_OF_THE_CLUSTER: Final = frozenset(("SLURM_CLUSTERS", "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT"))
_STRONGER_THAN_THE_SCRIPT: Final = frozenset(
    ("SBATCH_ARRAY_INX", "SBATCH_CLUSTERS", "SBATCH_SIGNAL", "SBATCH_TEST_ONLY", "SBATCH_WAIT")
)


def require_commands(names: Sequence[str]) -> None:
    """Return if these commands are on PATH.

    Raises:
        MissingDependency: one is not.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise MissingDependency(
            "the commands of Slurm are not here",
            expected=", ".join(names),
            found=f"no {', '.join(missing)}",
            hint="run this on a host that submits jobs (Debian package: slurm-client)",
        )


def call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm to its end; one that does not answer within a minute has failed."""
    return _run(command, {**os.environ, "LC_ALL": "C"})


def submit(options: Sequence[str], script: Path, withheld: Collection[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run `sbatch`; see `call`. The job has this process's environment, but nothing of a job that it may run in.

    That environment goes over the controller and lies on its disk: `withheld` names variables that are left out.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in _STRONGER_THAN_THE_SCRIPT
        and name not in withheld
        and (name in _OF_THE_CLUSTER or not name.startswith("SLURM_"))
    }
    return _run(["sbatch", "--parsable", "--export=ALL", *options, str(script)], own)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_COMMAND_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} did not answer within {_COMMAND_SECONDS} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]}: {error.strerror}")


def last_line(text: str) -> str:
    """Return the last line that says something, cut to what a message has room for."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "without a word")[:300]
