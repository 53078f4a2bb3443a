"""Any history of a cluster: after the loss of as many hosts as there are copies, what counted is still there.

Real folders and keepers; what can fail is the network, and hosts with or without their disk.
"""

import shutil
import tempfile
from itertools import combinations
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from copies_hosts import Host, dcp
from fault_parts import memory_folder
from packtrain.training.checkpoint_copies import policy
from packtrain.training.checkpoint_copies.driver import CheckpointCopies
from packtrain.training.checkpoints import newest_checkpoint

NAMES = "abcd"
SALT = "run {}"


class ClusterHistory(RuleBasedStateMachine):
    """Hosts that save, prune, copy in part, are lost, and come back with what they had.

    Attributes:
        saved: by (step, attempt): whole content of each checkpoint that the program finished on all hosts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="packtrain-copies-", dir=memory_folder()))
        self.saved: dict[tuple[str, str], dict[str, bytes]] = {}
        self.attempt: tuple[str, ...] = ()
        self.number = 0
        self.step = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize(num_copies=st.integers(1, 2))
    def begin(self, num_copies: int) -> None:
        self.num_copies = num_copies
        self.network: dict[str, Host] = {}
        self.hosts = {name: Host(self.root, name, self.network) for name in NAMES}
        self.copies = CheckpointCopies(self.hosts, num_copies, settle_seconds=0)
        self.restart()

    @property
    def living(self) -> list[str]:
        return [name for name in NAMES if self.hosts[name].is_on]

    def restart(self) -> None:
        """Form an attempt of all living hosts; each has the same newest checkpoint then, whole, as it was saved."""
        for name in NAMES:
            if not self.hosts[name].is_on:
                self.copies.lose(name)
        restorable = policy.newest_counted(self.inventories(self.living), self.num_copies)
        ready = self.copies.before_attempt(tuple(self.living))
        assert not ready.failed
        self.attempt = tuple(self.living)
        self.number += 1
        newest = {path.name if path else "" for path in map(newest_checkpoint, self.folders())}
        assert newest == {ready.entry}
        if ready.entry:
            held = [self.hosts[name].seen(ready.entry) for name in self.attempt]
            assert all(one == held[0] for one in held)
            assert held[0] in [content for (entry, _), content in self.saved.items() if entry == ready.entry]
            self.step = int(ready.entry[5:])
        else:
            self.step = 0
        assert restorable is None or ready.entry >= restorable.entry

    def folders(self) -> list[Path]:
        return [self.hosts[name].checkpoints for name in self.attempt]

    def inventories(self, names: list[str]) -> dict[str, policy.Inventory]:
        return {name: self.hosts[name].keeper.inventory() for name in names}

    @property
    def is_running(self) -> bool:
        return all(self.hosts[name].is_on for name in self.attempt)

    @precondition(lambda self: self.is_running)
    @rule(steps=st.integers(1, 3))
    def save(self, steps: int) -> None:
        self.step += steps
        entry = f"step-{self.step:08d}"
        whole: dict[str, bytes] = {}
        for rank, name in enumerate(self.attempt):
            part = dcp(self.step, rank, num_ranks=len(self.attempt), salt=SALT.format(self.number))
            self.hosts[name].save(entry, part)
            whole |= part
        self.saved[entry, str(self.number)] = whole

    @precondition(lambda self: self.is_running)
    @rule(steps=st.integers(1, 3), how_many=st.integers(0, 3))
    def die_while_saving(self, steps: int, how_many: int) -> None:
        step = self.step + steps
        for rank, name in list(enumerate(self.attempt))[: min(how_many, len(self.attempt) - 1)]:
            part = dcp(step, rank, num_ranks=len(self.attempt), salt=SALT.format(self.number))
            self.hosts[name].save(f"step-{step:08d}", part)
        self.restart()

    @precondition(lambda self: self.is_running)
    @rule(keep=st.integers(1, 2))
    def prune(self, keep: int) -> None:
        for folder in self.folders():
            for path in sorted(folder.glob("step-*"))[:-keep]:
                shutil.rmtree(path)

    @rule()
    def copy(self) -> None:
        self.copies.look()
        self.copies.wait()

    @rule(name=st.sampled_from(NAMES), chunks=st.integers(0, 3))
    def copy_until_a_host_is_cut_off(self, name: str, chunks: int) -> None:
        if len(self.living) > 1:
            self.hosts[name].budget = chunks
            self.copy()
            self.hosts[name].budget = None

    @rule(name=st.sampled_from(NAMES), is_noticed=st.booleans())
    def lose(self, name: str, is_noticed: bool) -> None:
        if self.living != [name]:
            self.hosts[name].is_on = False
            if is_noticed:
                self.copies.lose(name)

    @precondition(lambda self: not self.is_running)
    @rule()
    def form_again(self) -> None:
        self.restart()

    @rule(name=st.sampled_from(NAMES), with_disk=st.booleans())
    def come_back(self, name: str, with_disk: bool) -> None:
        if not self.hosts[name].is_on:
            if not with_disk:
                self.hosts[name].wipe()
            self.hosts[name].restart()
            self.copies.join(name, self.hosts[name])

    @rule()
    def lose_the_driver(self) -> None:
        reached = {name: self.hosts[name] for name in self.living}
        self.copies = CheckpointCopies(reached, self.num_copies, settle_seconds=0)
        self.restart()

    @invariant()
    def what_counts_outlives_the_loss_of_any_hosts(self) -> None:
        held = self.inventories(self.living)
        counted = policy.newest_counted(held, self.num_copies)
        if counted is None:
            return
        for lost in combinations(held, min(self.num_copies, len(held) - 1)):
            left = policy.newest_restorable({name: one for name, one in held.items() if name not in lost})
            assert left is not None
            assert left.age >= counted.age


ClusterHistory.TestCase.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyHistoryOfACluster = ClusterHistory.TestCase
