"""How the driver reaches the hosts of a run: what Ray, Slurm and a simulation each do in their own way.

The driver asks the `HostAgent` of a host by name of its method; nothing here waits for a host, and an answer that never
comes is a matter of hosts_engine.py. Hosts have keys: one that left and joined anew has another key, and the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from packtrain.engines.host_folder import HostFolderLink
from packtrain.ports import HostPlaces


@dataclass(frozen=True, slots=True)
class HostThere:
    """A host that is there: its key, and the address by which others reach it, which is its name too."""

    key: str
    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        key: of the host.
        question: its number, as `ask` returned it.
        body: what the method returned.
        error: what it raised; None where it returned.
        is_gone: the agent is no more, and answers nothing again.
    """

    key: str
    question: int
    body: object = None
    error: BaseException | None = None
    is_gone: bool = False


class HostLinks(Protocol):
    """Links to the hosts of a cluster.

    Attributes:
        name: of the engine.
    """

    name: str

    def present(self) -> Sequence[HostThere]:
        """Return the hosts that are there, in an order that stays. It never waits: this may be some seconds old.

        Raises:
            ClusterUnreachable: the cluster itself has been gone for too long.
        """
        ...

    def join(self, host: HostThere, silent_seconds: float) -> None:
        """Have an agent started on a host; questions may be asked at once. One that is there is ended first."""
        ...

    def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
        """Have what keeps checkpoints started on a host that was joined, and return the link to it.

        It is reached beside the agent, and by its peers under their addresses; it ends with the agent, and calls that
        are out then raise ConnectionError.
        """
        ...

    def leave(self, key: str) -> None:
        """End the agent of a host, if it can be reached; its answers are dropped."""
        ...

    def ask(self, key: str, method: str, *arguments: object) -> int:
        """Put a question to the agent of a host; return its number. An agent answers in the order it is asked."""
        ...

    def answers(self, timeout_seconds: float) -> Sequence[Answer]:
        """Return the answers that came in, waiting at most so long for the first."""
        ...
