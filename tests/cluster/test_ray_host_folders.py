"""`train --engine ray` on hosts that share no folder of the run: a host and its disk go, and nothing is lost."""

import json
from pathlib import Path

import pytest

from counting_program import PROGRAM, weights_after
from netns_hosts import until
from ray_faults import make_training, power_off
from ray_hosts import ray_hosts, why_no_cluster
from site_parts import write_program

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

# Names with steps in them, so that more than one is kept.
NAMED = PROGRAM.replace(
    'saved = pathlib.Path(given.ckpt) / "state.json"',
    'found = sorted(pathlib.Path(given.ckpt).glob("step-*.json"))\nsaved = found[-1] if found else pathlib.Path("/no")',
).replace("def save():\n", "def save():\n    saved = pathlib.Path(given.ckpt) / f\"step-{state['step']:06}.json\"\n")


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no such hosts; asked when a test is run, for asking makes a host."""
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)


def test_a_lost_rank_0_and_its_disk_are_gone_through_with_copies_on_other_hosts(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with ray_hosts(4) as cluster:
        workers = cluster.hosts.hosts[1:]
        first = workers[0]
        training = make_training(
            cluster,
            tmp_path / "v",
            steps=200,
            slow=0.15,
            hosts=f'folder = "{disk}"\nleast = 2',
        )
        write_program(training.folder, NAMED)
        voyage = training.folder.root / "voyage.toml"
        voyage.write_text(voyage.read_text().replace("--slow 0.15", "--slow 0.15 --save-every 10"))
        shared = [training.folder.root / name for name in ("work/checkpoints", "work/results", "logs/train")]
        for host in cluster.hosts.hosts:
            own = tmp_path / f"disk-of-{host.number}"
            own.mkdir()
            host.bind(own, disk)
        for place in shared:
            place.mkdir(parents=True, exist_ok=True)
        for host in workers:
            host.hidden += shared
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=0 if host is cluster.head else 1)
        training.start()
        others = tmp_path / f"disk-of-{workers[1].number}"
        until(lambda: _must(training) and list(others.glob("*/copies/objects/*")), 150, "a copy on another host")
        assert training.seconds_to_next_step(lambda: power_off(cluster, first)) < 120
        code, said = training.finish()
        assert code == 0, said
        lost, went_on = training.attempts()
        assert lost["lost_host"] == first.address
        assert went_on["hosts"] == [host.address for host in workers[1:]]
        began = int(went_on["resumed_from"].removeprefix("step-").removesuffix(".json"))
        assert began >= 10
        assert next(step for attempt, step, *_ in training.steps() if attempt == went_on["attempt"]) == began + 1
        assert training.weights() == weights_after(200)
        newest = max((training.folder.work / "checkpoints").glob("step-*.json"))
        assert json.loads(newest.read_text()) == weights_after(200)
        # Nothing of the run was on a folder that hosts share.
        assert not list(disk.iterdir())


def _must(training: object) -> bool:
    training.must_live()  # type: ignore[attr-defined]
    return True
