"""Hosts for tests of copies of checkpoints: keepers over real folders, and a transport that can be cut."""

from __future__ import annotations

import shutil
from pathlib import Path

from packtrain.engines.host_folder import HostFolderLink
from packtrain.training.checkpoint_copies.cuts import Cut, CutFile, HeldEntry, HostFiles, Inventory, ReadChunk
from packtrain.training.checkpoint_copies.driver import CheckpointCopies
from packtrain.training.checkpoint_copies.keeper import Keeper


class Host:
    """One host: a folder of its own, and a keeper that others reach while it is on.

    Attributes:
        budget: how many more chunks it gives away before it is off; None for any number.
    """

    def __init__(self, root: Path, name: str, network: dict[str, Host], *, is_store: bool = False) -> None:
        self.name, self.root, self.network = name, root / name, network
        self.checkpoints = self.root / "checkpoints"
        self.is_on, self.is_store = True, is_store
        self.budget: int | None = None
        self.root.mkdir(parents=True, exist_ok=True)
        self.restart()
        network[name] = self

    def restart(self) -> None:
        """Begin with a keeper that remembers nothing, over the folder as it is."""
        self.is_on = True
        self.budget = None
        self.keeper = Keeper(None if self.is_store else self.checkpoints, self.root / "copies")

    def wipe(self) -> None:
        """Lose the disk."""
        shutil.rmtree(self.root)
        self.root.mkdir()

    def save(self, entry: str, files: dict[str, bytes]) -> None:
        """Save as a program does: under a hidden name, then renamed."""
        part = self.checkpoints / f".{entry}.part"
        for path, payload in files.items():
            target = part / path if path else part
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(payload)
        shutil.rmtree(self.checkpoints / entry, ignore_errors=True)
        part.rename(self.checkpoints / entry)

    def seen(self, entry: str) -> dict[str, bytes]:
        """Return what the program finds under a name."""
        path = self.checkpoints / entry
        if path.is_file():
            return {"": path.read_bytes()}
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}

    def inventory(self) -> Inventory:
        return self._reached().inventory()

    def digests(self, entry: HeldEntry) -> tuple[str, ...]:
        return self._reached().digests(entry)

    def adopt(self, cut: Cut) -> None:
        self._reached().adopt(cut)

    def pull(self, file: CutFile, peer: str) -> None:
        self._reached().fetch(file, self.network[peer].read_chunk)

    def read_chunk(self, sha256: str, offset: int, most_bytes: int) -> bytes:
        if self.budget is not None:
            self.budget -= 1
            if self.budget < 0:
                self.is_on = False
        return self._reached().read_chunk(sha256, offset, most_bytes)

    def install(self, cut: Cut | None, attempt: str) -> None:
        self._reached().install(cut, attempt)

    def prove(self, digests: frozenset[str], *, is_anew: bool = False) -> frozenset[str]:
        return self._reached().prove(digests, is_anew=is_anew)

    def push(self, file: CutFile, read: ReadChunk) -> None:
        HostFolderLink(lambda name, *arguments: getattr(self._reached(), name)(*arguments)).push(file, read)

    def retain(self, digests: frozenset[str]) -> None:
        self._reached().retain(digests)

    def _reached(self) -> Keeper:
        if not self.is_on:
            raise ConnectionError(f"{self.name} does not answer")
        return self.keeper


class Cluster:
    """Hosts, and the driver of their copies."""

    def __init__(self, root: Path, names: str = "abc", copies: int = 1, *, store: bool = False) -> None:
        self.network: dict[str, Host] = {}
        self.hosts = [Host(root, name, self.network) for name in names]
        self.num_copies, self.home = copies, root / "home"
        self.stores: dict[str, HostFiles] = {"store": Host(root, "store", self.network, is_store=True)} if store else {}
        self.begin_anew(names)

    def begin_anew(self, names: str) -> None:
        """Take a driver that remembers nothing, as the same command has, over keepers that remember nothing."""
        for name in names:
            self[name].restart()
        reached: dict[str, HostFiles] = {name: self[name] for name in names}
        self.copies = CheckpointCopies(reached, self.num_copies, self.stores, settle_seconds=0, home=self.home)

    def __getitem__(self, name: str) -> Host:
        return self.network[name]

    def start(self, names: str = "abc") -> str:
        """Make hosts ready, which must succeed; return what they have."""
        ready = self.copies.before_attempt(tuple(names))
        assert not ready.failed, ready.failed
        return ready.entry

    def save(self, step: int, names: str = "abc", salt: str = "") -> None:
        """Save a distributed checkpoint."""
        for rank, name in enumerate(names):
            self[name].save(f"step-{step:08d}", dcp(step, rank, num_ranks=len(names), salt=salt))

    def round(self, step: int = 0) -> str:
        """Have copies made; return what counts."""
        self.copies.look(step)
        return self.copies.wait().counted

    def lose(self, name: str) -> None:
        """Lose a host."""
        self[name].is_on = False
        self.copies.lose(name)


def dcp(step: int, rank: int, *, num_ranks: int, salt: str = "") -> dict[str, bytes]:
    """Return one host's part of a distributed checkpoint, one rank a host; the mark is on the first one's."""
    shards = {f"__{rank}_0.distcp": f"shard {step} {rank} {salt}".encode() * 50}
    named = b"".join(b"X\x0c__%d_0.distcp" % number for number in range(num_ranks))
    mark = {".metadata": b"\x80\x04" + named + salt.encode()} if rank == 0 else {}
    return {**shards, **mark, "position.json": f'{{"step": {step}}}'.encode()}
