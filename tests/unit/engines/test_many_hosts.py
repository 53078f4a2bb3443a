"""Attempts over hosts behind `HostLinks`: real agents in this process, that can be lost, silenced and added."""

import dataclasses
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts_in_process import InProcess, job_of
from packtrain.digest import sha256_tree
from packtrain.engines.crew import MISFIT, CrewNews, CrewOrder, CrewStep, misfit
from packtrain.engines.host_agent import HostAgent, HostProof
from packtrain.engines.host_links import HostThere
from packtrain.engines.many_hosts import run_on_hosts
from packtrain.engines.shared_folders import versions_here
from packtrain.errors import ClusterUnreachable, HostUnfit, TrainingFailed
from packtrain.events import Event, HostLost, Notice, TrainingStep, WorkerLost, WorkersStarted, discard
from packtrain.ports import HostPlaces, HostsWanted
from packtrain.training.kit_steps import attempts_of


@pytest.fixture
def three() -> Iterator[InProcess]:
    """Return links to three hosts."""
    links = InProcess(3)
    yield links
    for agent in links.agents.values():
        agent.close()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


WANTED = HostsWanted(wait_seconds=0.5, silent_seconds=2.0)


def test_ranks_go_over_all_hosts_and_find_rank_0(three: InProcess, tmp_path: Path) -> None:
    body = """
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    (ckpt / f"env-{rank}").write_text(" ".join(os.environ[name] for name in names))
    say(1)
    """
    events: list[Event] = []
    run = run_on_hosts(three, job_of(tmp_path, body, WANTED, num_workers=2), events.append)
    found = [(tmp_path / "checkpoints" / f"env-{rank}").read_text().split() for rank in range(6)]
    assert [words[:5] for words in found] == [[str(r), str(r % 2), "6", "2", "127.0.0.1"] for r in range(6)]
    assert len({words[5] for words in found}) == 1
    started = next(event for event in events if isinstance(event, WorkersStarted))
    assert started.hosts == run.attempts[0].hosts == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert len(set(started.pids)) == 6
    assert [step.step for step in run.steps] == [1]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_silent_host_is_lost_and_the_others_go_on_while_its_workers_are_killed(
    three: InProcess, tmp_path: Path, lost: int
) -> None:
    body = """
    say(world)
    if world == 3:
        time.sleep(600)
    """
    pids: dict[int, tuple[int, ...]] = {}
    alive_when_formed: list[bool] = []
    events: list[Event] = []

    def sink(event: Event) -> None:
        events.append(event)
        if isinstance(event, TrainingStep) and event.step == 3:
            three.silence(f"127.0.0.{lost}")
        if isinstance(event, WorkersStarted):
            if event.attempt == 2:
                alive_when_formed.append(is_running(pids[1][lost - 1]))
            pids[event.attempt] = event.pids

    run = run_on_hosts(three, job_of(tmp_path, body, WANTED), sink)
    # The lease ran out before the driver formed anew: nobody writes beside the second attempt.
    assert alive_when_formed == [False]
    others = tuple(f"127.0.0.{number}" for number in (1, 2, 3) if number != lost)
    assert [attempt.hosts for attempt in run.attempts] == [("127.0.0.1", "127.0.0.2", "127.0.0.3"), others]
    assert run.attempts[0].lost_host == f"127.0.0.{lost}"
    assert [event.host for event in events if isinstance(event, HostLost)] == [f"127.0.0.{lost}"]
    assert run.attempts[0].reason == f"the host of rank {lost - 1} was lost: it did not answer for 2 s"
    # Provenance takes an engine's words alone, and so must know them.
    assert [each.reason for each in attempts_of(tmp_path / "logs")] == [each.reason for each in run.attempts]


def test_a_killed_worker_is_named_though_the_first_exit_was_an_echo_of_it(three: InProcess, tmp_path: Path) -> None:
    body = """
    say(1)
    if not (ckpt / "second").exists():
        if rank == 1:
            time.sleep(0.5)
            (ckpt / "second").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(1 if rank == 0 else 0)
    """
    events: list[Event] = []
    run = run_on_hosts(three, job_of(tmp_path, body, WANTED), events.append)
    lost = next(event for event in events if isinstance(event, WorkerLost))
    assert (lost.rank, lost.host) == (1, "127.0.0.2")
    assert run.attempts[0].reason == "rank 1 was killed by SIGKILL"
    # It is restarted in place.
    assert run.attempts[1].hosts == run.attempts[0].hosts


def test_fewer_hosts_than_the_least_are_a_verdict(three: InProcess, tmp_path: Path) -> None:
    wanted = dataclasses.replace(WANTED, least=4)
    with pytest.raises(ClusterUnreachable, match="3 hosts can run the program") as caught:
        run_on_hosts(three, job_of(tmp_path, "say(1)", wanted), discard)
    assert caught.value.hint


def test_no_more_hosts_are_taken_than_the_most(three: InProcess, tmp_path: Path) -> None:
    run = run_on_hosts(three, job_of(tmp_path, "say(1)", dataclasses.replace(WANTED, most=2)), discard)
    assert run.attempts[0].hosts == ("127.0.0.1", "127.0.0.2")


def test_a_host_that_joins_meanwhile_takes_part_in_the_next_attempt(three: InProcess, tmp_path: Path) -> None:
    body = """
    say(world)
    if world == 3:
        until("joined")
        sys.exit(1)
    """

    def sink(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 3:
            three.hosts = [*three.hosts, HostThere("key-4", "127.0.0.4")]
            (tmp_path / "checkpoints" / "joined").touch()

    run = run_on_hosts(three, job_of(tmp_path, body, WANTED), sink)
    assert run.attempts[-1].hosts == ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")


def test_a_host_without_the_interpreter_is_unfit(three: InProcess, tmp_path: Path) -> None:
    job = dataclasses.replace(job_of(tmp_path, "say(1)", WANTED), python=tmp_path / "no-python")
    with pytest.raises(HostUnfit, match="interpreter") as caught:
        run_on_hosts(three, job, discard)
    assert caught.value.hint


def test_a_host_with_another_program_is_unfit(three: InProcess, tmp_path: Path) -> None:
    job = job_of(tmp_path, "say(1)", WANTED)

    class Changing(InProcess):
        def join(self, host: HostThere, silent_seconds: float) -> None:
            super().join(host, silent_seconds)
            (job.program_folder / "train.py").write_text("another")

    links = Changing(1)
    with pytest.raises(HostUnfit, match="another program"):
        run_on_hosts(links, job, discard)


def test_a_program_that_changed_after_it_was_held_against_the_kit_is_not_the_one_that_hosts_are_held_against(
    three: InProcess, tmp_path: Path
) -> None:
    job = job_of(tmp_path, "say(1)", WANTED)
    job = dataclasses.replace(job, program=sha256_tree(job.program_folder))
    (job.program_folder / "train.py").write_text("another")
    with pytest.raises(HostUnfit, match="another program") as caught:
        run_on_hosts(three, job, discard)
    assert job.program[:12] in str(caught.value.expected)


def test_a_program_that_always_fails_ends_with_the_last_words_of_its_worker(three: InProcess, tmp_path: Path) -> None:
    body = "sys.exit('no such layer') if rank == 2 else time.sleep(600)"
    with pytest.raises(TrainingFailed) as caught:
        run_on_hosts(three, job_of(tmp_path, body, WANTED, max_restarts=0), discard)
    assert caught.value.where == str(tmp_path / "logs" / "attempt-1-rank-2.log")
    assert caught.value.found == "no such layer"


def test_workers_of_an_agent_that_hears_nothing_are_killed_by_its_leash(three: InProcess, tmp_path: Path) -> None:
    job = job_of(tmp_path, "time.sleep(600)", WANTED)
    agent = HostAgent("127.0.0.1", 1.0)
    try:
        port = agent.call("reserve_port")
        assert isinstance(port, int)
        agent.call("begin", CrewOrder(job, 1, port, 1))
        deadline = time.monotonic() + 20
        news = agent.call("report", 1, 0)
        while not (isinstance(news, CrewNews) and news.pids) and time.monotonic() < deadline:
            time.sleep(0.02)
            news = agent.call("report", 1, 0)
        assert isinstance(news, CrewNews)
        (pid,) = news.pids
        assert is_running(pid)
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_running(pid)
        found = agent.call("report", 1, 0)
        # The thread of the agent that looks may come later than this one.
        while isinstance(found, CrewNews) and found.exit_codes == (None,) and time.monotonic() < deadline + 20:
            time.sleep(0.02)
            found = agent.call("report", 1, 0)
        assert isinstance(found, CrewNews)
        assert found.exit_codes == (-signal.SIGKILL,)
    finally:
        agent.close()


@pytest.mark.parametrize(
    "news",
    [
        CrewNews(0),
        CrewNews(-2),
        CrewNews(2, exit_codes=(0, 0, 0)),
        CrewNews(2, pids=(1,)),
        CrewNews(2, words=("a", "b", "c")),
        CrewNews(2, steps=(CrewStep(9, 0.1, 8, 0.0),)),
    ],
)
def test_news_that_are_not_those_of_the_crew_are_told_apart(news: CrewNews) -> None:
    assert misfit(news, 2, 2)
    assert not misfit(CrewNews(2, (1, 2), exit_codes=(None, 0)), 2, 2)
    assert not misfit(CrewNews(2, lost="it could not start its workers"), 2, 2)


def test_a_host_whose_news_are_not_those_of_its_workers_is_lost(three: InProcess, tmp_path: Path) -> None:
    class Lying(InProcess):
        def ask(self, key: str, method: str, *arguments: object) -> int:
            number = super().ask(key, method, *arguments)
            for place, answer in enumerate(self._answers):
                if answer.key == "key-2" and isinstance(answer.body, CrewNews):
                    self._answers[place] = dataclasses.replace(
                        answer, body=dataclasses.replace(answer.body, exit_codes=(0, 0, 0))
                    )
            return number

    links, events = Lying(2), list[Event]()
    run = run_on_hosts(links, job_of(tmp_path, "say(1)\nif world == 2:\n    time.sleep(600)", WANTED), events.append)
    assert [attempt.hosts for attempt in run.attempts] == [("127.0.0.1", "127.0.0.2"), ("127.0.0.1",)]
    assert run.attempts[0].lost_host == "127.0.0.2"
    assert run.attempts[0].reason == "the host of rank 1 was lost: what it told does not fit its workers"
    assert [event.reason for event in events if isinstance(event, HostLost)] == [f"{MISFIT}: 3 exit codes of 1"]
    assert [each.reason for each in attempts_of(tmp_path / "logs")] == [each.reason for each in run.attempts]


def test_a_folder_of_a_hosts_own_is_nobody_elses(tmp_path: Path) -> None:
    old, new = tmp_path / "disk" / "old", tmp_path / "disk" / "new"
    old.mkdir(parents=True, mode=0o755)
    agent = HostAgent("127.0.0.1", 1.0)
    try:
        for folder in (old, new):
            proof = HostProof(
                None, versions_here([]), Path(sys.executable), old, sha256_tree(old), HostPlaces(folder, (), tmp_path)
            )
            agent.call("prove", proof)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        agent.close()


def test_a_host_whose_program_changed_between_two_attempts_takes_no_part_in_the_second(
    three: InProcess, tmp_path: Path
) -> None:
    # Each host has the program in its own folder: that of the second is changed while the first attempt runs.
    job = job_of(tmp_path, "say(world)\nif world == 2:\n    until('changed')\n    sys.exit(1)", WANTED)
    other = tmp_path / "other"
    shutil.copytree(job.program_folder, other)

    class Apart(InProcess):
        def ask(self, key: str, method: str, *arguments: object) -> int:
            match arguments:
                case (HostProof() as proof,) if key == "key-2":
                    arguments = (dataclasses.replace(proof, program_folder=other),)
                case _:
                    pass
            return super().ask(key, method, *arguments)

    events: list[Event] = []

    def sink(event: Event) -> None:
        events.append(event)
        if isinstance(event, TrainingStep) and event.step == 2:
            (other / "train.py").write_text("another")
            (tmp_path / "checkpoints" / "changed").touch()

    run = run_on_hosts(Apart(2), job, sink)
    assert [attempt.hosts for attempt in run.attempts] == [("127.0.0.1", "127.0.0.2"), ("127.0.0.1",)]
    told = [event.text for event in events if isinstance(event, Notice)]
    assert "host 127.0.0.2 takes no part: 127.0.0.2: this host has another program" in told[0]
