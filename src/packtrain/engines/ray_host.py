"""What Ray starts on a host of a training: an actor around `HostAgent`, and one around `HostFolder` beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, cast

from packtrain.engines.host_agent import HostAgent
from packtrain.engines.host_folder import HostFolder
from packtrain.engines.ray_cluster import ENVIRONMENT, library, one_line
from packtrain.ports import HostPlaces
from packtrain.training.checkpoint_copies.cuts import CutFile

_SET_BY_RAY: Final = ("OMP_NUM_THREADS",)
_CHUNK_SECONDS: Final = 60.0  # for a peer to send 4 MiB


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


class RayHostFolder:
    """The actor of a host's own folder. Its calls run beside each other: it gives bytes away while it fetches some.

    Args:
        places: of the run, on this host.
    """

    def __init__(self, places: HostPlaces) -> None:
        os.environ.update(ENVIRONMENT)
        self._folder = HostFolder(places)

    def call(self, name: str, *arguments: object) -> object:
        """Do what a link asks: see `HostFolder.call`."""
        return self._folder.call(name, *arguments)

    def pull(self, file: CutFile, peer: Any) -> None:
        """Fetch a file from the actor of another host, without the driver between.

        Raises:
            OSError: see `HostFolder.fetch`; ConnectionError where the peer does not answer.
        """
        ray = library()

        def read(sha256: str, offset: int, most_bytes: int) -> bytes:
            try:
                asked = peer.call.remote("read_chunk", sha256, offset, most_bytes)
                return cast("bytes", ray.get(asked, timeout=_CHUNK_SECONDS))
            except ray.exceptions.RayError as error:
                raise ConnectionError(f"a peer gave nothing: {one_line(error)}") from None

        self._folder.fetch(file, read)
