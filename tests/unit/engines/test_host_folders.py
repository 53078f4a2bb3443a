"""Attempts over hosts that have folders of their own: agents and keepers in this process, over real files."""

import dataclasses
import functools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts_in_process import InProcess, job_of
from packtrain.engines import host_checkpoints
from packtrain.engines.crew import CrewOrder
from packtrain.engines.host_agent import HostProof
from packtrain.engines.host_folder import HostFolder, HostFolderLink, ResultFiles, is_result_path
from packtrain.engines.host_links import HostThere
from packtrain.engines.many_hosts import run_on_hosts
from packtrain.errors import ClusterUnreachable, DriveFull, TrainingFailed
from packtrain.events import Event, Notice, TrainingStep, discard
from packtrain.ports import HostPlaces, HostsWanted, TrainingJob
from packtrain.training.checkpoint_copies.driver import CheckpointCopies

WANTED = HostsWanted(wait_seconds=0.5, silent_seconds=2.0)

COUNTING = """
out = pathlib.Path(sys.argv[2])
def newest():
    return max((int(path.stem[5:]) for path in ckpt.glob("step-*.txt")), default=0)
(out / f"began-{rank}").write_text(str(newest()))
def save(step):
    part = ckpt / f".step-{step:04}.txt"
    part.write_text(f"weights of step {step}")
    part.rename(ckpt / f"step-{step:04}.txt")
step = newest()
while step < 12:
    step += 1
    if rank == 0:
        if step % 4 == 0:
            save(step)
        say(step)
    time.sleep(PAUSE)
if rank == 0:
    (out / "weights.txt").write_text((ckpt / f"step-{step:04}.txt").read_text())
    (out / "deep").mkdir(exist_ok=True)
    (out / "deep" / "table.bin").write_bytes(b"x" * 5_000_000)
    if not (out / "leads-away").is_symlink():
        (out / "leads-away").symlink_to("/etc/passwd")
"""


class Apart(InProcess):
    """Hosts that see a folder of their own at the path that all call the same: here, one of their name below it."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.folders: dict[str, HostFolder] = {}

    def on(self, address: str, places: HostPlaces) -> HostPlaces:
        """Return where the folder of a host really lies."""
        folder = places.folder / address
        command = tuple(re.sub(re.escape(str(places.folder)), str(folder), word) for word in places.command)
        return HostPlaces(folder, command, places.results)

    def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
        folder = self.folders[host.address] = HostFolder(self.on(host.address, places))

        def reached(address: str) -> HostFolder:
            if self.folders.get(address) is None or any(key.endswith(address[-1]) for key in self.silent):
                raise ConnectionError(f"{address} does not answer")
            return self.folders[address]

        def call(name: str, *arguments: object) -> object:
            if reached(host.address) is not folder:
                raise ConnectionError(f"{host.address} was given up")
            if name == "pull":
                file, peer = arguments
                return folder.fetch(file, reached(str(peer)).read_chunk)  # type: ignore[arg-type]
            return folder.call(name, *arguments)

        return HostFolderLink(call)

    def leave(self, key: str) -> None:
        super().leave(key)
        address = next((host.address for host in self.hosts if host.key == key), "")
        if (folder := self.folders.pop(address, None)) is not None:
            folder.close()

    def ask(self, key: str, method: str, *arguments: object) -> int:
        address = next((host.address for host in self.hosts if host.key == key), "")
        return super().ask(key, method, *(self._there(address, each) for each in arguments))

    def _there(self, address: str, argument: object) -> object:
        match argument:
            case CrewOrder(job=TrainingJob(host_places=HostPlaces() as places)) as order:
                there = self.on(address, places)
                job = dataclasses.replace(
                    order.job,
                    command=there.command,
                    checkpoints=there.checkpoints,
                    log_folder=there.logs,
                    host_places=there,
                )
                return dataclasses.replace(order, job=job)
            case HostProof(places=HostPlaces() as places) as proof:
                return dataclasses.replace(proof, places=self.on(address, places))
            case _:
                return argument


@pytest.fixture
def three() -> Iterator[Apart]:
    """Return links to three hosts with folders of their own."""
    links = Apart(3)
    yield links
    for agent in links.agents.values():
        agent.close()
    for folder in links.folders.values():
        folder.close()


def job_apart(tmp_path: Path, body: str, wanted: HostsWanted = WANTED, **more: int) -> TrainingJob:
    folder = tmp_path / "disks" / "run"
    places = HostPlaces(folder, (), tmp_path / "results")
    command = ("train.py", str(places.checkpoints), str(places.results_there))
    wanted = dataclasses.replace(wanted, host_folder=tmp_path / "disks")
    job = job_of(tmp_path, body, wanted, **more)
    return dataclasses.replace(job, host_places=dataclasses.replace(places, command=command))


def host_folder(tmp_path: Path, number: int) -> Path:
    return tmp_path / "disks" / "run" / f"127.0.0.{number}"


def test_checkpoints_and_results_come_home_from_hosts_that_share_nothing(three: Apart, tmp_path: Path) -> None:
    events: list[Event] = []
    run = run_on_hosts(three, job_apart(tmp_path, COUNTING.replace("PAUSE", "0")), events.append)
    assert [step.step for step in run.steps] == list(range(1, 13))
    assert (tmp_path / "checkpoints" / "step-0012.txt").read_text() == "weights of step 12"
    assert (tmp_path / "results" / "weights.txt").read_text() == "weights of step 12"
    assert (tmp_path / "results" / "deep" / "table.bin").read_bytes() == b"x" * 5_000_000
    assert not os.path.lexists(tmp_path / "results" / "leads-away")
    assert any("1 result below" in event.text for event in events if isinstance(event, Notice))
    # Nobody else wrote where the driver keeps its own.
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["attempt-1-hosts.log", "attempts.jsonl"]
    assert (host_folder(tmp_path, 1) / "logs" / "attempt-1-rank-0.log").exists()


def test_a_lost_rank_0_and_its_disk_cost_no_more_than_the_steps_since_the_copy(
    three: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_checkpoints, "_LOOK_SECONDS", 0.1)
    quick = functools.partial(CheckpointCopies, settle_seconds=0.1)
    monkeypatch.setattr(host_checkpoints, "CheckpointCopies", quick)
    kept = host_folder(tmp_path, 2) / "copies" / "objects"

    def sink(event: Event) -> None:
        # When another host has the first checkpoint, the one that wrote it goes, in the middle of the steps behind it.
        if isinstance(event, TrainingStep) and event.attempt == 1 and event.step >= 6 and list(kept.glob("*")):
            three.silence("127.0.0.1")

    job = job_apart(tmp_path, COUNTING.replace("PAUSE", "0.4 if world == 3 else 0"))
    run = run_on_hosts(three, job, sink)
    first, second = run.attempts
    assert first.lost_host == "127.0.0.1"
    assert second.hosts == ("127.0.0.2", "127.0.0.3")
    assert second.resumed_from in ("step-0004.txt", "step-0008.txt")
    began = int(second.resumed_from[5:9])
    assert [step.step for step in run.steps if step.attempt == 2] == list(range(began + 1, 13))
    assert (host_folder(tmp_path, 3) / "results" / "began-1").read_text() == str(began)
    assert (tmp_path / "results" / "weights.txt").read_text() == "weights of step 12"


def test_the_same_command_goes_on_from_what_hosts_hold_and_numbers_its_attempts_on(
    three: Apart, tmp_path: Path
) -> None:
    ending = COUNTING.replace("PAUSE", "0").replace("say(step)", "say(step); step == 10 and sys.exit(3)")
    with pytest.raises(TrainingFailed) as caught:
        run_on_hosts(three, job_apart(tmp_path, ending, max_restarts=0), discard)
    assert caught.value.where == f"127.0.0.1:{tmp_path}/disks/run/logs/attempt-1-rank-0.log"
    links = Apart(3)
    try:
        run = run_on_hosts(links, job_apart(tmp_path, COUNTING.replace("PAUSE", "0")), discard)
    finally:
        for agent in links.agents.values():
            agent.close()
    assert [(each.attempt, each.resumed_from) for each in run.attempts] == [(2, "step-0004.txt")]
    # The one behind it bears no mark and came right before the end: nobody can say that it is whole.
    assert [step.step for step in run.steps] == list(range(5, 13))


def test_a_host_that_cannot_take_the_checkpoint_is_set_aside_and_the_others_go_on(three: Apart, tmp_path: Path) -> None:
    # Another process keeps checkpoints in its folder.
    job = job_apart(tmp_path, COUNTING.replace("PAUSE", "0"))
    assert job.host_places is not None

    class Refusing(Apart):
        def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
            link = super().folder(host, places)
            if host.address == "127.0.0.2":

                def refuse(name: str, *arguments: object) -> object:
                    raise OSError(5, "Input/output error")

                return HostFolderLink(refuse)
            return link

    links = Refusing(3)
    events: list[Event] = []
    try:
        run = run_on_hosts(links, job, events.append)
    finally:
        for agent in links.agents.values():
            agent.close()
    assert run.attempts[0].hosts == ("127.0.0.1", "127.0.0.3")
    said = [event.text for event in events if isinstance(event, Notice)]
    assert "host 127.0.0.2 was not ready 3 times in a row: it takes no part any more" in said


def test_two_processes_never_keep_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.engines.host_folder._LOCK_SECONDS", 0.3)
    places = HostPlaces(tmp_path / "disk", (), tmp_path / "results")
    first, second = HostFolder(places), HostFolder(places)
    first.call("inventory")
    with pytest.raises(OSError, match="each host needs a folder of its own"):
        second.call("inventory")
    first.close()
    second.call("inventory")
    second.close()


def test_results_that_lead_elsewhere_are_not_taken(tmp_path: Path) -> None:
    places = HostPlaces(tmp_path / "disk", (), tmp_path / "results")
    folder = HostFolder(places)
    places.results_there.mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (places.results_there / "away").symlink_to(tmp_path / "secret")
    for path in ("../../secret/key", "/etc/passwd", "away/key", "away", "", "."):
        with pytest.raises(OSError):
            folder.call("read_result", path, 0, 100)
        assert path in ("away/key", "away") or not is_result_path(path)
    # A link that lies here, where results go, is not followed either.
    (places.results_there / "away").unlink()
    (places.results_there / "away").mkdir()
    (places.results_there / "away" / "key").write_text("of the host")
    places.results.mkdir()
    (places.results / "away").symlink_to(tmp_path / "secret")
    assert HostFolderLink(folder.call).bring_results(places.results) == 1
    assert (tmp_path / "secret" / "key").read_text() == "secret"


def test_results_that_have_no_room_are_refused_before_a_byte_is_brought(tmp_path: Path) -> None:
    asked: list[str] = []

    def call(name: str, *arguments: object) -> object:
        asked.append(name)
        return ResultFiles((("small", 4), ("endless", 2**60)), 0)

    with pytest.raises(DriveFull) as caught:
        HostFolderLink(call).bring_results(tmp_path / "results")
    assert caught.value.hint
    assert asked == ["results"]
    assert list((tmp_path / "results").iterdir()) == []


def test_results_that_were_brought_before_need_no_room_of_their_own_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = HostPlaces(tmp_path / "disk", (), tmp_path / "results")
    places.results_there.mkdir(parents=True)
    for name in "abc":
        (places.results_there / name).write_bytes(bytes(100))
    link = HostFolderLink(HostFolder(places).call)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("packtrain.durable.shutil.disk_usage", lambda folder: usage._replace(free=299))
    with pytest.raises(DriveFull):
        link.bring_results(places.results)
    monkeypatch.setattr("packtrain.durable.shutil.disk_usage", lambda folder: usage._replace(free=300))
    assert link.bring_results(places.results) == 0
    monkeypatch.setattr("packtrain.durable.shutil.disk_usage", lambda folder: usage._replace(free=100))
    assert link.bring_results(places.results) == 0


def test_what_cannot_be_brought_is_a_verdict(tmp_path: Path) -> None:
    job = job_apart(tmp_path, COUNTING.replace("PAUSE", "0"))

    class Deaf(Apart):
        def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
            link = super().folder(host, places)

            def call(name: str, *arguments: object) -> object:
                if name == "results":
                    raise ConnectionError("gone")
                return link._call(name, *arguments)  # pyright: ignore[reportPrivateUsage]

            return HostFolderLink(call)

    links = Deaf(1)
    try:
        with pytest.raises(ClusterUnreachable, match="could not be brought here") as caught:
            run_on_hosts(links, job, discard)
    finally:
        for agent in links.agents.values():
            agent.close()
    assert caught.value.hint
