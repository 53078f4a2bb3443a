"""Run on every host at once: how fast all sum up their gradients, then halves of them, then pairs, to find who is slow.

Groups of one level are measured at the same time, as they share nothing but the network: with 300 hosts there are seven
levels of halves and five rounds of pairs. In each round a host is paired with another partner; whoever is slow with
all of them is slow itself. Step lines tell how far it is.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

MIB = 1 << 20
ROUNDS_OF_PAIRS = 5
_MOST_BYTES = 4096
_MOST_NAME_BYTES = 255
_MOST_SECONDS = 1e9


def halves(places: list[int]) -> list[list[list[int]]]:
    """Return the levels below all hosts: their halves, the halves of those, and so on, down to two or three."""
    levels: list[list[list[int]]] = []
    groups = [places]
    while any(len(group) > 3 for group in groups):
        groups = [part for group in groups for part in _half(group)]
        levels.append(groups)
    return levels


def _half(group: list[int]) -> list[list[int]]:
    if len(group) <= 3:
        return [group]
    middle = (len(group) + 1) // 2
    return [group[:middle], group[middle:]]


def pairs(places: list[int]) -> list[list[list[int]]]:
    """Return rounds of pairs: in each of them a host has another partner; with an odd number one has none."""
    if len(places) < 2:
        return []
    seats: list[int | None] = [*places, *([None] if len(places) % 2 else [])]
    rounds: list[list[list[int]]] = []
    for _ in range(min(ROUNDS_OF_PAIRS, len(seats) - 1)):
        across = zip(seats[: len(seats) // 2], reversed(seats[len(seats) // 2 :]), strict=True)
        rounds.append([[one, other] for one, other in across if one is not None and other is not None])
        # The first stays, the others move up by one: the way of tournaments.
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return rounds


def times_of(told: bytes, places: list[int]) -> dict[str, float]:
    """Return the times that the first host of a group told.

    Raises:
        ValueError: it told something else; it is named.
    """
    try:
        found = json.loads(told[:_MOST_BYTES])
        times = {part: float(found[part]) for part in ("seconds", "short_seconds")}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        times = {"seconds": math.nan}
    if not all(0 <= value < _MOST_SECONDS for value in times.values()):
        raise ValueError(f"the host of node rank {places[0]} tells no time: {told[:100]!r}")
    return times


class Reduction:
    """One process of the measurement."""

    def __init__(self, torch: Any, given: argparse.Namespace) -> None:
        dist = self._dist = torch.distributed
        self._torch = torch
        self._rank, local_rank, self._world, on_host = (
            int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        )
        self._patience = timedelta(seconds=given.patience)
        with_cuda = given.device == "cuda"
        self._device = torch.device("cuda", local_rank) if with_cuda else torch.device("cpu")
        if with_cuda:
            torch.cuda.set_device(self._device)
        self.backend = "nccl" if with_cuda else "gloo"
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        self._store = dist.TCPStore(address, port, self._world, self._rank == 0, timeout=self._patience)
        # Ranks of a host follow each other. On one host each rank is a place: its accelerators are what may differ.
        self._of_place = 1 if given.each_rank or on_host == self._world else on_host
        self.places = list(range(self._world // self._of_place))
        self._place = self._rank // self._of_place
        self._rounds = given.rounds
        self._num_measured = 0

    def measure(self, groups: list[list[int]], num_bytes: int) -> list[dict[str, Any]]:
        """Return seconds of a sum and of a short one in each group; all processes call it with the same groups."""
        self._num_measured += 1
        name = f"measure-{self._num_measured}"
        own = next((number for number, group in enumerate(groups) if self._place in group), None)
        if own is not None:
            ranks = [place * self._of_place + each for place in groups[own] for each in range(self._of_place)]
            found = self._in_group(f"{name}-{own}", ranks, num_bytes)
            if self._rank == ranks[0]:
                self._store.set(f"{name}/{own}", json.dumps(found))
        results: list[dict[str, Any]] = []
        for number, group_places in enumerate(groups):
            self._store.wait([f"{name}/{number}"], self._patience)
            results.append({"places": group_places, **times_of(self._store.get(f"{name}/{number}"), group_places)})
        if self._rank == 0:
            print(json.dumps({"step": self._num_measured}), flush=True)
        return results

    def _in_group(self, name: str, ranks: list[int], num_bytes: int) -> dict[str, float]:
        if len(ranks) == 1:
            return {"seconds": 0.0, "short_seconds": 0.0}
        # A process group of its own each time, under a name of its own: `new_group` wants every process of the world.
        self._dist.init_process_group(
            self.backend,
            store=self._dist.PrefixStore(name, self._store),
            rank=ranks.index(self._rank),
            world_size=len(ranks),
            timeout=self._patience,
        )
        try:
            body = self._torch.ones(num_bytes // 4, dtype=self._torch.float32, device=self._device)
            short = self._torch.ones(2, dtype=self._torch.float32, device=self._device)
            return {"seconds": self._quickest(body), "short_seconds": self._quickest(short)}
        finally:
            self._dist.destroy_process_group()

    def _quickest(self, tensor: Any) -> float:
        self._sum(tensor)
        best = float("inf")
        for _ in range(self._rounds):
            # What is summed again and again would grow beyond all numbers.
            tensor.fill_(1.0)
            self._sum(self._torch.ones(1, device=self._device))
            started = time.perf_counter()
            self._sum(tensor)
            best = min(best, time.perf_counter() - started)
        return best

    def _sum(self, tensor: Any) -> None:
        self._dist.all_reduce(tensor)
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()

    def agree(self, name: str, value: int) -> int:
        """Return the value of rank 0."""
        if self._rank == 0:
            self._store.set(name, str(value))
        self._store.wait([name], self._patience)
        return int(self._store.get(name))

    def names(self) -> list[str]:
        """Return the name of each place."""
        if self._rank % self._of_place == 0:
            self._store.set(f"name-{self._place}", socket.gethostname())
        keys = [f"name-{place}" for place in self.places]
        self._store.wait(keys, self._patience)
        return [self._store.get(key)[:_MOST_NAME_BYTES].decode("utf-8", "replace") for key in keys]

    def close(self) -> None:
        """Leave together: the store of rank 0 must outlive everybody's last question."""
        self._store.set(f"left/{self._rank}", "")
        if self._rank == 0:
            self._store.wait([f"left/{rank}" for rank in range(self._world)], self._patience)


def main() -> None:
    """Measure all, halves, pairs; rank 0 writes the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--most-bytes", type=int, default=256 * MIB)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--each-rank", action="store_true")
    given = parser.parse_args()
    import torch

    run = Reduction(torch, given)
    names = run.names()
    everyone = [run.places]
    quick = run.measure(everyone, MIB)[0]["seconds"]
    # So much that a sum takes about a third of a second: less is mostly starting, more is waiting.
    wished = int(0.3 / max(quick, 1e-6)) * MIB
    num_bytes = run.agree("bytes", min(max(wished, MIB), given.most_bytes))
    found: dict[str, Any] = {
        "backend": run.backend,
        "bytes": num_bytes,
        "names": names,
        "all": run.measure(everyone, num_bytes)[0],
        "halves": [run.measure(groups, num_bytes) for groups in halves(run.places)],
        "pairs": [run.measure(groups, num_bytes) for groups in pairs(run.places)],
    }
    if int(os.environ["RANK"]) == 0:
        part = given.report.with_name(given.report.name + ".part")
        part.write_text(json.dumps(found))
        part.replace(given.report)
    run.close()


if __name__ == "__main__":
    main()
