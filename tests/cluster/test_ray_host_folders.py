"""`train --engine ray` on hosts that share no folder of the run: hosts and their disks go, and nothing is lost."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from counting_program import PROGRAM, weights_after
from netns_hosts import Host, until
from ray_faults import RayTraining, kill_host, make_training, power_off, workers_on
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


@contextlib.contextmanager
def apart(tmp_path: Path, steps: int, num_hosts: int = 3, copies: int = 1) -> Iterator[tuple[RayTraining, list[Host]]]:
    """Yield a training that was not started, and its hosts, which see a disk of their own at one path."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with ray_hosts(num_hosts + 1) as cluster:
        workers = cluster.hosts.hosts[1:]
        lines = f'folder = "{disk}"\nleast = 2\ncheckpoint_copies = {copies}'
        training = make_training(cluster, tmp_path / "v", steps=steps, slow=0.15, hosts=lines)
        write_program(training.folder, NAMED)
        voyage = training.folder.root / "voyage.toml"
        voyage.write_text(voyage.read_text().replace("--slow 0.15", "--slow 0.15 --save-every 10"))
        for place in (training.folder.root / name for name in ("work/checkpoints", "work/results", "logs/train")):
            place.mkdir(parents=True, exist_ok=True)
            for host in workers:
                host.hide(place)
        for host in cluster.hosts.hosts:
            own = disk_of(tmp_path, host)
            own.mkdir()
            host.bind(own, disk)
            cluster.start(host, num_cpus=0 if host is cluster.head else 1)
        yield training, workers
    # Nothing of the run was on a folder that hosts share.
    assert not list(disk.iterdir())


def disk_of(tmp_path: Path, host: Host) -> Path:
    return tmp_path / f"disk-of-{host.number}"


def wait_for_a_copy(training: RayTraining, disk: Path) -> None:
    def is_there() -> bool:
        training.must_live()
        return bool(list(disk.glob("*/copies/objects/*")))

    until(is_there, 150, "a copy on another host")


def must_end_well(training: RayTraining, steps: int) -> None:
    code, said = training.finish()
    assert code == 0, said
    assert training.weights() == weights_after(steps)
    newest = max((training.folder.work / "checkpoints").glob("step-*.json"))
    assert json.loads(newest.read_text()) == weights_after(steps)


def step_of(entry: str) -> int:
    return int(entry.removeprefix("step-").removesuffix(".json"))


def test_a_lost_rank_0_and_its_disk_are_gone_through_with_copies_on_other_hosts(tmp_path: Path) -> None:
    with apart(tmp_path, steps=200) as (training, workers):
        first = workers[0]
        training.start()
        wait_for_a_copy(training, disk_of(tmp_path, workers[1]))
        assert training.seconds_to_next_step(lambda: power_off(training.cluster, first)) < 60
        must_end_well(training, 200)
        lost, went_on = training.attempts()
        assert lost["lost_host"] == first.address
        assert went_on["hosts"] == [host.address for host in workers[1:]]
        assert step_of(went_on["resumed_from"]) >= 10
        first_step = next(step for attempt, step, *_ in training.steps() if attempt == went_on["attempt"])
        assert first_step == step_of(went_on["resumed_from"]) + 1


def test_a_killed_driver_and_a_host_that_went_meanwhile_cost_what_was_not_copied(tmp_path: Path) -> None:
    with apart(tmp_path, steps=120) as (training, workers):
        training.start()
        wait_for_a_copy(training, disk_of(tmp_path, workers[1]))
        assert training.process is not None
        training.process.kill()
        training.process.communicate()
        until(lambda: not [pid for host in workers for pid in workers_on(host)], 30, "the end of the workers")
        power_off(training.cluster, workers[0])
        training.start()
        must_end_well(training, 120)
        (went_on,) = training.attempts()
        # The attempt that nobody noted has its number all the same.
        assert went_on["attempt"] == 2
        assert step_of(went_on["resumed_from"]) >= 10


def test_two_hosts_at_once_and_one_more_while_the_others_are_formed_cost_nothing_with_two_copies(
    tmp_path: Path,
) -> None:
    with apart(tmp_path, steps=300, num_hosts=5, copies=2) as (training, workers):
        training.start()
        # What rank 0 saves goes to the two hosts behind it.
        wait_for_a_copy(training, disk_of(tmp_path, workers[2]))
        # The same command once more, meanwhile, is refused and disturbs nothing.
        second = training.cluster.packtrain("train", str(training.folder.root), "--json")
        assert second.returncode == 13, second.stderr
        for host in workers[:2]:
            power_off(training.cluster, host)
        # What ended is noted as the next attempt begins to be formed.
        until(training.attempts, 60, "the end of the first attempt")
        kill_host(training.cluster, workers[3])
        must_end_well(training, 300)
        first, *_, last = training.attempts()
        assert first["lost_host"] in {host.address for host in workers[:2]}
        assert last["hosts"] == [workers[2].address, workers[4].address]
        assert step_of(last["resumed_from"]) >= 10


def test_hosts_that_are_all_new_go_on_from_what_the_end_brought_to_the_voyage_folder(tmp_path: Path) -> None:
    with apart(tmp_path, steps=40, num_hosts=2) as (training, workers):
        training.start()
        must_end_well(training, 40)
        for host in workers:
            for folder in disk_of(tmp_path, host).iterdir():
                shutil.rmtree(folder)
        voyage = training.folder.root / "voyage.toml"
        voyage.write_text(voyage.read_text().replace("steps = 40", "steps = 60"))
        training.start()
        must_end_well(training, 60)
        assert training.attempts()[-1]["resumed_from"] == "step-000040.json"
        assert [step for attempt, step, *_ in training.steps() if attempt == 2] == list(range(41, 61))
