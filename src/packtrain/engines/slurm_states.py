"""States and reasons of Slurm, in words for people."""

from __future__ import annotations

from typing import Final

_STANDING_STILL: Final = {
    "BadConstraints": "no host fits: look at slurm_arguments (BadConstraints)",
    "DependencyNeverSatisfied": "waits for another that can never end well",
    "JobHeldAdmin": "is held: ask the site, or scontrol release {}",
    "JobHeldUser": "is held: scontrol release {}",
    "PartitionNodeLimit": "asks for more hosts than its partition gives (PartitionNodeLimit)",
    "PartitionTimeLimit": "asks for more time than its partition gives (PartitionTimeLimit)",
    "REQUEUE_HOLD": "is held: scontrol release {}",
    "SPECIAL_EXIT": "is held: scontrol release {}",
    "STOPPED": "is stopped by the site",
    "SUSPENDED": "is suspended by the site",
    # Of a controller that died before it had written down that the job runs.
    "launch_failed_requeued_held": "Slurm holds after a start that failed: sinfo -R names nodes that are drained, then "
    "scontrol release {}",
}
"""States and reasons that end by nobody's leaving a host alone: what the job does, for people."""

_WHY: Final = {
    "CANCELLED": "it was cancelled",
    "COMPLETED": "it is gone without a verdict",
    "FAILED": "its batch script ended without a verdict",
    "JobLaunchFailure": "it did not start on its first node, or was killed there; slurm.log and slurmd.log say why",
    "NODE_FAIL": "a node failed, and Slurm did not start it again",
    "OUT_OF_MEMORY": "a host had not memory enough",
    "PREEMPTED": "another job took its place, and Slurm did not start it again",
    "TIMEOUT": "its time ran out before it could save",
}


def stands_still(job_id: str, state: str, reason: str) -> str:
    """Return what a job does that waits for somebody's hand, to be put behind "which"; "" of any other."""
    return (_STANDING_STILL.get(state) or _STANDING_STILL.get(reason.replace(" ", "_"), "")).format(job_id)


def ended_in_words(state: str, reason: str) -> str:
    """Return why Slurm ended a job."""
    return _WHY.get(reason) or _WHY.get(state, state.lower().replace("_", " "))
