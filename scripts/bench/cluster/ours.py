"""The same faults under `packtrain train` with the Ray engine: the real command, on a real loaded voyage folder."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.cluster.faults import (
    HANG_SECONDS,
    HEAD_LOSS,
    HOST_KILL,
    LEADER_LOSS,
    NOT_MEASURED,
    POWER_OFF,
    WORKER_KILL,
    Outcome,
    campaign,
    in_words,
    one_line,
    say,
    strike,
    summary,
)
from bench.cluster.ray_sessions import OverRay
from bench.cluster.sessions import MANY_STEPS, PROGRAM
from bench.prepare.work import Figures, Work, fresh
from packtrain.ports import ATTEMPTS_NAME
from ray_hosts import QUICK, ray_hosts
from site_parts import site_after_load, write_program

NUM_WORKER_HOSTS: Final = 3
_BURNERS_A_HOST: Final = 2


@dataclass
class Packtrain(OverRay):
    """`packtrain train`, in a voyage folder that all hosts see.

    Attributes:
        program: what is trained.
    """

    program: Path = field(default=PROGRAM, kw_only=True)

    def start_command(self) -> None:
        """Make the voyage folder where there is none, and start the command: the same again after a verdict."""
        if not (self.folder / "voyage").exists():
            self._make_voyage()
        argv = [sys.executable, "-m", "packtrain", "train", str(self._voyage)]
        self.start_on(self.driver, "train", argv, self.cluster.environment)

    @property
    def _voyage(self) -> Path:
        return self.folder / "voyage" / "consignee"

    def _make_voyage(self) -> None:
        folder = site_after_load(self.folder / "voyage")["consignee"]
        write_program(folder, self.program.read_text("utf-8"))
        trace = f"--trace {self.trace.path} --ckpt {{checkpoints}} --steps {{steps}}"
        # Not site_parts.write_training: the engine and its hosts belong to the same [site].
        (folder.root / "voyage.toml").write_text(
            f"{(folder.root / 'voyage.toml').read_text()}\n"
            f'[training]\nprogram = "program"\ncommand = "train.py {trace} --checkpoint-every 5"\n'
            f"steps = {MANY_STEPS}\nworkers = 1\nmax_restarts = 20\n"
            f'[site]\nstore = "store"\nengine = "ray"\nray_address = "{self.cluster.address}"\n'
            "[site.hosts]\nleast = 1\n"
        )

    def attempts(self) -> list[dict[str, Any]]:
        """Return the records of the attempts that ended."""
        path = self._voyage / "logs" / "train" / ATTEMPTS_NAME
        return [json.loads(line) for line in path.read_text().split("\n") if line] if path.exists() else []


@contextlib.contextmanager
def session_of(
    folder: Path,
    *,
    is_head_apart: bool = False,
    num_worker_hosts: int = NUM_WORKER_HOSTS,
    program: Path = PROGRAM,
    settings: Mapping[str, str] = QUICK,
) -> Iterator[Packtrain]:
    """Yield a run that is not started; afterwards nothing of it is left.

    Args:
        is_head_apart: the command runs on a host of its own and not on the head.
    """
    with fresh(folder) as place, ray_hosts(1 + is_head_apart + num_worker_hosts) as cluster:
        cluster.environment |= settings
        driver = cluster.hosts.hosts[int(is_head_apart)]
        session = Packtrain(cluster.hosts, place, cluster=cluster, driver=driver, program=program)
        try:
            yield session
        finally:
            session.end()


def faults(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Faults one after the other in one run, where it goes on; then the loss of the head in a run of its own."""
    place = work.folder / "ours"
    # Ray gives its own processes 30 s, and the first ones are read from a disk that may be slow and cold.
    with contextlib.suppress(AssertionError), ray_hosts(1) as cluster:
        cluster.start(cluster.hosts.hosts[0])
    to_hosts = [WORKER_KILL, HOST_KILL, LEADER_LOSS] * work.repeats + [POWER_OFF] * work.scaled(10, 1)
    ended: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def noting() -> Iterator[Packtrain]:
        with session_of(place) as session:
            try:
                yield session
            finally:
                ended.extend(session.attempts())

    outcomes = campaign("packtrain", to_hosts, noting)
    false = len(ended) - sum(not outcome.verdict.startswith(NOT_MEASURED) for outcome in outcomes)
    head, again = _head_lost(place)
    if head.verdict.startswith(NOT_MEASURED):
        head, again = _head_lost(place)
    found = summary([*outcomes, head])
    return {
        "hangs": float(sum(each["hangs"] for each in found.values())),
        **{f"{fault}_seconds": found[fault]["seconds"] for fault in (WORKER_KILL, HOST_KILL, POWER_OFF, LEADER_LOSS)},
        "false_failovers": float(max(0, false)),
        "head_loss_seconds": head.seconds if head.verdict_seconds is None else head.verdict_seconds,
        "head_loss_again_seconds": again.get("command_to_step_seconds"),
    }, {
        "packtrain": found,
        "again_on_a_new_head": again,
        "reasons": dict(Counter(record["reason"] for record in ended)),
        "settings": dict(QUICK),
    }


def _head_lost(place: Path) -> tuple[Outcome, dict[str, Any]]:
    """Take the head away, wait for the verdict, then start Ray anew everywhere and give the same command."""
    try:
        with session_of(place, is_head_apart=True, num_worker_hosts=NUM_WORKER_HOSTS - 1) as session:
            session.start()
            if not session.wait_for_steps():
                raise RuntimeError(f"no first step: {session.verdict()}")
            fault_at = time.monotonic()
            outcome = strike(session, HEAD_LOSS, HANG_SECONDS)
            say(f"packtrain: {in_words(outcome)}")
            if not outcome.verdict:
                return outcome, {}
            again: dict[str, Any] = {"workers_left_running": len(session.workers())}
            # What a person does: Ray is stopped on every host and started anew.
            for host in session.hosts.hosts:
                session.hosts.kill_host(host)
            session.hosts.power_on(session.cluster.head)
            session.lost.clear()
            session.start_cluster()
            command_at = time.monotonic()
            session.start_command()
            found = session.trace.wait_for_recovery(command_at, HANG_SECONDS, session.is_over)
            if found is None:
                return outcome, {**again, "verdict": session.verdict()}
            again |= {"command_to_step_seconds": found.seconds, "steps_lost": found.steps_lost}
            again["fault_to_step_seconds"] = round(command_at - fault_at + found.seconds, 1)
            say(f"packtrain: the same command on a new head: next step after {found.seconds} s")
            return outcome, again
    except (AssertionError, OSError, RuntimeError) as error:
        say(f"packtrain: {HEAD_LOSS} could not be measured: {one_line(error)}")
        return Outcome(HEAD_LOSS, verdict=f"{NOT_MEASURED}: {one_line(error)}"), {}


def steady(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Nothing happens, or nothing but that the cores are busy: every attempt that ends is a false failover."""
    undisturbed, loaded = work.scaled(120, 20), work.scaled(60, 20)
    with session_of(work.folder / "steady") as session:
        session.start()
        if not session.wait_for_steps():
            raise RuntimeError(f"no first step: {session.verdict()}")
        say(f"steady: {undisturbed} s undisturbed")
        first = _steps_in(session, undisturbed)
        ended = [len(session.attempts())]
        say(f"steady: {loaded} s with {_BURNERS_A_HOST} busy processes on every host")
        with _busy(session):
            second = _steps_in(session, loaded)
        ended.append(len(session.attempts()) - ended[0])
        records = session.attempts()
    return {
        "false_failovers_undisturbed": float(ended[0]),
        "false_failovers_loaded": float(ended[1]),
        "steps_per_second_undisturbed": round(first / undisturbed, 2),
        "steps_per_second_loaded": round(second / loaded, 2),
    }, {"undisturbed_seconds": undisturbed, "loaded_seconds": loaded, "attempts_that_ended": records}


def _steps_in(session: Packtrain, seconds: float) -> int:
    before = time.monotonic()
    end = before + seconds
    while time.monotonic() < end and not session.is_over():
        time.sleep(0.5)
    return sum(step.at > before for step in session.trace.steps())


@contextlib.contextmanager
def _busy(session: Packtrain) -> Iterator[None]:
    burners: Sequence[subprocess.Popen[str]] = [
        session.hosts.start_in(host, [sys.executable, "-c", "while True: pass"])
        for host in session.hosts.hosts
        for _ in range(_BURNERS_A_HOST)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait(20)
