"""Faults on hosts of our own making, and how long each launcher takes to its next step."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.cluster.sessions import Session, kill

WORKER_KILL: Final = "worker_kill"
HOST_KILL: Final = "host_kill"
POWER_OFF: Final = "power_off"
LEADER_LOSS: Final = "leader_loss"
HEAD_LOSS: Final = "head_loss"
FAULTS: Final[Mapping[str, str]] = {
    WORKER_KILL: "SIGKILL of the worker of the last rank",
    HOST_KILL: "SIGKILL of all processes of the host of the last rank; its kernel resets the connections",
    POWER_OFF: "the cable of the host of the last rank, then its processes: nobody is told",
    LEADER_LOSS: "the same with the host of rank 0",
    HEAD_LOSS: "the same with the host of Ray's head, or of torchrun's rendezvous",
}
HANG_SECONDS: Final = 120.0
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault.

    Attributes:
        seconds: to the first step of new workers; None where there was none.
        world_before, world: workers before and after.
        steps_lost: made again.
        hangs: neither a step nor an end within the limit.
        verdict: how the run ended, where it ended; with the seconds from the fault.
    """

    fault: str
    seconds: float | None = None
    world_before: int = 0
    world: int = 0
    steps_lost: int = 0
    hangs: bool = False
    verdict: str = ""
    verdict_seconds: float | None = None


def say(text: str) -> None:
    """Tell what is being done."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def one_line(error: Exception) -> str:
    """Return what an error says in its last line, which is the one that a traceback in it ends with."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    return lines[-1][:300] if lines else repr(error)[:300]


def campaign(
    label: str,
    faults: Sequence[str],
    open_session: Callable[[], AbstractContextManager[Session]],
    limit_seconds: float = HANG_SECONDS,
) -> list[Outcome]:
    """Let faults happen to runs, one after the other; a run that got over one meets the next.

    What goes wrong with the measuring itself is tried once more, and then costs that fault's figure and no more.
    """
    outcomes: list[Outcome] = []
    pending = list(faults)
    num_tries = 0
    while pending:
        num_pending = len(pending)
        try:
            with open_session() as session:
                _suffer(label, session, pending, outcomes, limit_seconds)
        except (AssertionError, OSError, RuntimeError, TimeoutError, ValueError, LookupError) as error:
            say(f"{label}: {', '.join(pending[:1])} could not be measured: {one_line(error)}")
            num_tries = num_tries + 1 if num_pending == len(pending) else 1
            if num_tries > 1:
                outcomes += [Outcome(fault, verdict=f"{NOT_MEASURED}: {one_line(error)}") for fault in pending[:1]]
                pending = pending[1:]
                num_tries = 0
    return outcomes


def _suffer(label: str, session: Session, pending: list[str], outcomes: list[Outcome], limit_seconds: float) -> None:
    started = time.monotonic()
    session.start()
    if not session.wait_for_steps():
        raise RuntimeError(f"no first step: {session.verdict()}")
    say(f"{label}: first steps after {time.monotonic() - started:.1f} s")
    while pending:
        outcome = strike(session, pending[0], limit_seconds)
        outcomes.append(outcome)
        pending.pop(0)
        say(f"{label}: {in_words(outcome)}")
        if not session.goes_on or outcome.seconds is None:
            return
        if pending:
            session.revive()
            if not session.wait_for_steps():
                return


def strike(session: Session, fault: str, limit_seconds: float) -> Outcome:
    """Let one fault happen, and wait for what becomes of it."""
    world, at = _let_happen(session, fault)
    found = session.trace.wait_for_recovery(at, limit_seconds, session.is_over)
    if found is not None:
        return Outcome(fault, found.seconds, world, found.world, found.steps_lost)
    seconds = round(time.monotonic() - at, 1)
    if session.is_over():
        return Outcome(fault, None, world, verdict=session.verdict(), verdict_seconds=seconds)
    return Outcome(fault, None, world, hangs=True)


def _let_happen(session: Session, fault: str) -> tuple[int, float]:
    """Return how many workers there were, and when it happened."""
    workers = session.workers()
    assert workers, "no worker is found"
    head = session.hosts.hosts[0]
    pid, lost = workers[max(workers)]
    if fault == LEADER_LOSS:
        lost = workers[0][1]
    elif fault == HEAD_LOSS:
        lost = head
    elif lost is head:
        # torchrun gives the last rank to any host: that of its rendezvous is another fault.
        lost = next(host for _, host in workers.values() if host is not head)
    at = time.monotonic()
    if fault == WORKER_KILL:
        kill(pid)
        return len(workers), at
    if fault == HOST_KILL:
        session.hosts.kill_host(lost)
    else:
        session.hosts.power_off(lost)
    session.lost.append(lost)
    return len(workers), at


def in_words(outcome: Outcome) -> str:
    """Return an outcome as a line says it."""
    if outcome.hangs:
        return f"{outcome.fault}: hangs"
    if outcome.seconds is None:
        after = "" if outcome.verdict_seconds is None else f"the run ended after {outcome.verdict_seconds} s: "
        return f"{outcome.fault}: {after}{outcome.verdict}"
    return (
        f"{outcome.fault}: next step after {outcome.seconds} s, workers {outcome.world_before} -> {outcome.world}, "
        f"{outcome.steps_lost} steps made again"
    )


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return, by fault: median and all seconds, hangs, ends, and every outcome."""
    found: dict[str, Any] = {}
    for fault in dict.fromkeys(outcome.fault for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.fault == fault]
        seconds = [outcome.seconds for outcome in of if outcome.seconds is not None]
        found[fault] = {
            "seconds": round(statistics.median(seconds), 2) if seconds else None,
            "each": seconds,
            "runs": len(of),
            "hangs": sum(outcome.hangs for outcome in of),
            "ended": [outcome.verdict for outcome in of if outcome.verdict],
            "outcomes": [asdict(outcome) for outcome in of],
        }
    return found
