"""What Ray starts on a host of a training: an actor around `HostAgent`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from packtrain.engines.host_agent import HostAgent
from packtrain.engines.ray_cluster import ENVIRONMENT

_SET_BY_RAY: Final = ("OMP_NUM_THREADS",)


class RayHost:
    """The actor of one host.

    Args:
        address: of the host.
        silent_seconds: see `HostAgent`.
    """

    def __init__(self, address: str, silent_seconds: float) -> None:
        os.environ.update(ENVIRONMENT)
        # Ray gives an actor that reserved no CPU one thread; the workers are to have what the host's Ray was started
        # with.
        entries = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        started_with = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
        for name in _SET_BY_RAY:
            if (value := started_with.get(name.encode())) is not None:
                os.environ[name] = value.decode()
            else:
                os.environ.pop(name, None)
        self._agent = HostAgent(address, silent_seconds)

    def call(self, name: str, *arguments: object) -> object:
        """Do what the driver asks: see `HostAgent.call`."""
        return self._agent.call(name, *arguments)
