"""The goals of `make bench-cluster`, and the way of its figures to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GOALS: Final[Mapping[str, str]] = {
    "hangs": "0",
    "worker_kill_seconds": "",
    "host_kill_seconds": "",
    "power_off_seconds": "at most 30",
    "false_failovers": "0",
    "leader_loss_seconds": "",
    "head_loss_seconds": "at most 60",
    "form_300_hosts_seconds": "",
}
