"""The reference program on two hosts with a folder each: one is lost with its disk, and the training goes on."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from copies_hosts import Host
from packtrain.training.checkpoint_copies.driver import CheckpointCopies
from packtrain.training.checkpoints import weights_of
from reference_runs import Workers, steps
from tiny_dataset import make_tiny_dataset

pytestmark = [pytest.mark.needs_torch, pytest.mark.cluster]

FIRST, LAST = "step-00000003", "step-00000006"


def run(data: Path, folders: Sequence[Path], num_steps: int) -> list[int]:
    """Train to a step, with one worker on each host; return the steps that were made."""
    workers = Workers(len(folders), data, folders, num_steps, "--checkpoint-every", "3")
    assert workers.wait() == [0] * len(folders), workers.words()
    return steps(workers.output)


def test_the_loss_of_a_host_and_its_disk_changes_no_bit_of_the_weights(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_tiny_dataset(data, num_tables=4, num_images=4, num_clips=2)
    network: dict[str, Host] = {}
    hosts = {name: Host(tmp_path, name, network) for name in "ab"}
    copies = CheckpointCopies(hosts, 1, settle_seconds=0)
    assert not copies.before_attempt(("a", "b")).failed
    assert run(data, [hosts["a"].checkpoints, hosts["b"].checkpoints], 3) == [1, 2, 3]
    # Each has the tensors of its own worker, and its place in the data; one has the list of them all.
    assert "__1_0.distcp" not in hosts["a"].seen(FIRST)
    assert {"__1_0.distcp", "position.json"} == hosts["b"].seen(FIRST).keys()
    copies.look()
    assert copies.wait().counted == FIRST

    # The host of rank 0 goes, with its disk; a new one comes, and is rank 1.
    hosts["a"].is_on = False
    copies.lose("a")
    hosts["a"].wipe()
    copies.join("c", Host(tmp_path, "c", network))
    ready = copies.before_attempt(("b", "c"))
    assert (ready.entry, ready.failed) == (FIRST, {})
    alone = tmp_path / "alone"
    shutil.copytree(network["c"].checkpoints, alone)
    assert run(data, [hosts["b"].checkpoints, network["c"].checkpoints], 6) == [4, 5, 6]
    last = copies.finish(tmp_path / "voyage")
    assert last == tmp_path / "voyage" / LAST

    # One folder that both see: what the program did before there were hosts with folders of their own.
    shared = tmp_path / "shared"
    shared.mkdir()
    assert run(data, [shared, shared], 6) == [1, 2, 3, 4, 5, 6]
    assert weights_of(last) == weights_of(shared / LAST)

    # With one worker from the same cut, and from the cut that the undisturbed run left.
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(shared / FIRST, undisturbed / FIRST)
    assert run(data, [alone], 6) == run(data, [undisturbed], 6) == [4, 5, 6]
    assert weights_of(alone / LAST) == weights_of(undisturbed / LAST)


def test_workers_go_on_from_the_newest_checkpoint_that_all_of_them_have(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_tiny_dataset(data, num_tables=4, num_images=4, num_clips=2)
    shared = tmp_path / "shared"
    assert run(data, [shared], 6) == [1, 2, 3, 4, 5, 6]
    shutil.copytree(shared / FIRST, tmp_path / "behind" / FIRST)
    # What names a shard that is on no host any more is no checkpoint either.
    shutil.copytree(shared / FIRST, shared / "step-00000005")
    (shared / "step-00000005" / "__0_0.distcp").unlink()
    assert run(data, [shared, tmp_path / "behind"], 6) == [4, 5, 6]
