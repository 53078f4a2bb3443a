"""Hosts that are processes of this machine: a mapper for bound jobs, whose hosts can lose power."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from packtrain.engines.processes import ProcessMapper
from packtrain.errors import PacktrainError
from packtrain.ports import LostHost

J = TypeVar("J")
R = TypeVar("R")


class HostProcesses(ProcessMapper):
    """Each job is a process of its own, with its own process group; those of a name are a host.

    Args:
        names: of the hosts.
        dies: called in the process of a host before its job, by the host's name; it may let the process end.
    """

    def __init__(self, *names: str, dies: dict[str, Callable[[], object]] | None = None) -> None:
        super().__init__(0)
        self.names = names
        self.dies = dies or {}

    def hosts(self) -> tuple[str, ...]:
        return self.names

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        context = multiprocessing.get_context("spawn")
        running: dict[Connection, tuple[str, J, Any]] = {}
        for host, job in jobs:
            if host not in self.names:
                yield host, job, LostHost(host, "it is not there")
                continue
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(theirs, run, job, self.dies.get(host)))
            process.start()
            theirs.close()
            running[ours] = host, job, process
        try:
            while running:
                for ours in wait(list(running)):
                    assert isinstance(ours, Connection)
                    host, job, process = running.pop(ours)
                    try:
                        result, error = ours.recv()
                    except EOFError:
                        yield host, job, LostHost(host, "it lost power")
                        continue
                    finally:
                        process.join()
                    if error is not None:
                        raise error
                    yield host, job, result
        finally:
            for _, _, process in running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                process.join()


def _work(answer: Connection, run: Callable[[Any], Any], job: Any, dies: Callable[[], object] | None) -> None:
    if dies is not None:
        dies()
    try:
        answer.send((run(job), None))
    except (PacktrainError, OSError) as error:
        answer.send((None, error))


class InTurn(HostProcesses):
    """The same hosts without processes: for what needs none."""

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        for host, job in jobs:
            yield host, job, run(job) if host in self.names else LostHost(host, "it is not there")


def at(**hosts: Sequence[object]) -> list[str]:
    """Return the places of drives as `load --engine` takes them: at(h1=[path], h2=[path])."""
    return [f"{host}:{path}" for host, paths in hosts.items() for path in paths]
