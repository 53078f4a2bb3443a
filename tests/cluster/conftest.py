"""The Slurm that the tests of `train` share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counting_program import PROGRAM
from netns_hosts import until
from packtrain.record.folder import VoyageFolder
from site_parts import site_after_load, write_program
from slurm_node import SlurmNode, slurm_node, why_no_slurm
from slurm_parts import set_training


@pytest.fixture(scope="module")
def whole_cluster() -> Iterator[SlurmNode]:
    """Return a controller and three nodes; skip where there can be none."""
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)
    with slurm_node(3, cred_expire=30) as found:
        yield found


@pytest.fixture
def slurm(whole_cluster: SlurmNode) -> Iterator[SlurmNode]:
    """Return the cluster, with no job before and none after."""
    nodes = dict.fromkeys(whole_cluster.nodes, "idle")
    until(lambda: whole_cluster.states() == nodes, 90, f"idle nodes: {whole_cluster.states()}")
    yield whole_cluster
    whole_cluster.run("scancel", "--user=root")


@pytest.fixture
def voyage(tmp_path: Path) -> VoyageFolder:
    """Return a site after `load`, with a program of 40 steps on two hosts."""
    folder = site_after_load(tmp_path)["consignee"]
    write_program(folder, PROGRAM)
    set_training(folder)
    return folder
