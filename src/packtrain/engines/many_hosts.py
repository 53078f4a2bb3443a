"""Many hosts: which of them the next attempt is formed from, in which order, and when there are too few.

What reaches them is behind `HostLinks`; what judges an attempt is attempt.py, as on one host.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_tree
from packtrain.engines.attempt import Attempt
from packtrain.engines.attempts import run_attempts
from packtrain.engines.crew import CrewOrder
from packtrain.engines.host_agent import HostProof
from packtrain.engines.host_checkpoints import HostCheckpoints
from packtrain.engines.host_links import Answer, HostLinks
from packtrain.engines.remote_crews import RemoteCrews
from packtrain.engines.roster import GONE, Member, Roster
from packtrain.engines.shared_folders import require_host_name, require_mark, shared_folders, versions_here
from packtrain.errors import ClusterUnreachable, HostUnfit
from packtrain.events import Event, HostsAwaited, Notice, Sink
from packtrain.ports import TrainingJob, TrainingRun
from packtrain.units import counted

_PROVE_SECONDS: Final = 120.0  # for a host to start its agent and look at its folders, before the first attempt
_NEWCOMER_SECONDS: Final = 20.0  # the same, where an attempt waits for it
_REJOIN_SECONDS: Final = 5.0  # for an agent that ended while its host may well be there
_RETRY_SECONDS: Final = 10.0  # between two tries to have an agent on a host that was lost
_MOST_LOSSES: Final = 3  # in a row, of one host
_LOOK_SECONDS: Final = 5.0  # between two looks for newcomers while an attempt runs
_TOLD_SECONDS: Final = 3.0  # of waiting, before it is told for whom
_TURN_SECONDS: Final = 0.05
_UNREADY_SECONDS: Final = 1.0  # before hosts are made ready once more


def run_on_hosts(
    links: HostLinks, job: TrainingJob, sink: Sink, when_unfit: Callable[[HostUnfit], None] | None = None
) -> TrainingRun:
    """Run a program on the hosts of a cluster to its end, with a fresh attempt after each failure.

    Args:
        links: how hosts are reached.
        job: what to run.
        sink: takes events.
        when_unfit: takes each host that does not see or have what it needs; it takes no part, and nothing is raised
            for it.

    Raises:
        HostUnfit: nobody takes it, and before the first attempt a host is found that does not see or have what it
            needs.
        ClusterUnreachable: fewer hosts than `job.hosts.least` for `job.hosts.wait_seconds`, or no cluster; or hosts
            have folders of their own, and what the program ended with cannot be brought here.
        TrainingFailed, WorkerStalled: see `ports.Engine`.
    """
    with _proof_of(job) as proof:
        hosts = ManyHosts(links, job, proof, sink, when_unfit)
        try:
            run = run_attempts(job, hosts.form, hosts.take)
            hosts.bring_home(run.attempts[-1].hosts)
            return run
        finally:
            hosts.close()


class ManyHosts:
    """Forms the attempts of one run.

    Args:
        links: how hosts are reached.
        job: what to run.
        proof: what each host must see and have.
        sink: takes notices, and for which hosts the run waits.
        when_unfit: see `run_on_hosts`.
    """

    def __init__(
        self,
        links: HostLinks,
        job: TrainingJob,
        proof: HostProof,
        sink: Sink,
        when_unfit: Callable[[HostUnfit], None] | None = None,
    ) -> None:
        self._links = links
        self._job = job
        self._proof = proof
        self._sink = sink
        self._when_unfit = when_unfit
        self._roster = Roster(links, job.hosts.silent_seconds)
        self._fit: set[str] = set()
        self._unfit: set[str] = set()
        self._lost: dict[str, tuple[float, str]] = {}  # by address: when, and why
        self._num_losses: dict[str, int] = {}
        self._set_aside: set[str] = set()
        self._tried: dict[str, float] = {}
        self._looked = float("-inf")
        self._last_order: tuple[str, ...] = ()
        self._roster.when_lost.append(self._note_loss)
        self._has_begun = False
        self._told: tuple[tuple[str, ...], str] = ((), "")
        self._num_unready: dict[str, int] = {}
        self._checkpoints: HostCheckpoints | None = None
        self._job_there = job
        if (places := job.host_places) is not None:
            self._checkpoints = HostCheckpoints(job, places, self._roster, sink)
            self._job_there = replace(
                job, command=places.command, checkpoints=places.checkpoints, log_folder=places.logs
            )

    def take(self, event: Event) -> None:
        """Take an event of an attempt, and pass it on."""
        if self._checkpoints is not None:
            self._checkpoints.take(event)
        self._sink(event)

    def bring_home(self, hosts: tuple[str, ...]) -> None:
        """Bring here what a program that ended well leaves on these hosts, where they have folders of their own.

        Raises:
            ClusterUnreachable: it cannot be had.
        """
        if self._checkpoints is not None:
            self._checkpoints.bring_home(hosts)

    def form(self, number: int, previous: Attempt | None) -> RemoteCrews:
        """Return the crews of an attempt, on the hosts that are fit and answer now.

        Raises:
            HostUnfit, ClusterUnreachable: see `run_on_hosts`.
        """
        if previous is not None:
            self._blame(previous)
        while True:
            members = self._muster(number)
            resumed_from = self._make_ready(number, members)
            port = self._ask_for_port(members[0]) if resumed_from is not None else None
            if (
                resumed_from is not None
                and port is not None
                and all(member.host.key in self._roster.members for member in members)
            ):
                break
        self._has_begun = True
        self._last_order = tuple(member.host.address for member in members)
        self._note_logs(number)
        orders = [
            (
                member,
                CrewOrder(
                    self._job_there,
                    number,
                    port,
                    self._job.num_workers * len(members),
                    self._job.num_workers * place,
                    members[0].host.address,
                ),
            )
            for place, member in enumerate(members)
        ]
        return RemoteCrews(
            self._roster, orders, self._job.hosts.silent_seconds, resumed_from, self._meanwhile, self._sink
        )

    def close(self) -> None:
        """End the agents of all hosts."""
        for key in list(self._roster.members):
            self._links.leave(key)
        if self._checkpoints is not None:
            self._checkpoints.close()

    # --- with what they begin

    def _make_ready(self, number: int, members: list[Member]) -> str | None:
        """Give hosts with folders of their own what they go on from; return its name, or None where one has it not."""
        if self._checkpoints is None:
            return ""
        hosts = tuple(member.host.address for member in members)

        def tell(what: str) -> None:
            self._tell(number, hosts if what else (), what)

        ready = self._checkpoints.make_ready(hosts, tell)
        if not ready.failed:
            self._num_unready.clear()
            return ready.entry
        if any(member.host.key not in self._roster.members for member in members):
            # A loss makes those fail that were fetching from there: it says nothing of them.
            return None
        for host, reason in ready.failed.items():
            self._num_unready[host] = self._num_unready.get(host, 0) + 1
            self._sink(Notice("train", f"host {host} is not ready: {reason}", is_warning=True))
            if self._num_unready[host] >= _MOST_LOSSES:
                self._set_aside.add(host)
                text = f"host {host} was not ready {_MOST_LOSSES} times in a row: it takes no part any more"
                self._sink(Notice("train", text, is_warning=True))
        deadline = time.monotonic() + _UNREADY_SECONDS
        while time.monotonic() < deadline:
            self._roster.turn(_TURN_SECONDS)
        return None

    def _note_logs(self, number: int) -> None:
        """Tell people where the logs of an attempt lie; its number is thereby never given again (`last_attempt`)."""
        if self._checkpoints is not None:
            lines = "".join(f"{host}:{self._job_there.log_folder}\n" for host in self._last_order)
            durable.write_bytes(self._job.log_folder / f"attempt-{number}-hosts.log", lines.encode())

    # --- who takes part

    def _muster(self, number: int) -> list[Member]:
        """Return the members of an attempt in rank order, all of which have just answered."""
        wanted, begun = self._job.hosts, time.monotonic()
        answered: set[str] = set()
        for member in list(self._roster.members.values()):
            # Behind a ping: one that is gone is not waited for as long as one that looks at its program.
            self._roster.ask(member, "ping")
            self._have_prove(member, answered, max(_NEWCOMER_SECONDS, wanted.silent_seconds))
        patience = _NEWCOMER_SECONDS if self._has_begun else _PROVE_SECONDS
        while True:
            self._have_newcomers_join(answered)
            self._roster.turn(_TURN_SECONDS)
            now = time.monotonic()
            members = list(self._roster.members.values())
            ready = [each for each in members if each.host.key in self._fit & answered]
            ready = [each for each in ready if each.host.address not in self._set_aside]
            owing = [each for each in members if each.host.key in self._fit - answered]
            joining = [each for each in members if each.host.key not in self._fit]
            worth_it = [each for each in joining if now < begun + self._patience(each, patience)]
            is_full = wanted.most is not None and len(ready) >= wanted.most
            if len(ready) >= wanted.least and not owing and (is_full or not worth_it):
                self._tell(number, (), "")
                return self._in_order(ready)[: wanted.most]
            awaited = tuple(each.host.address for each in (*owing, *worth_it))
            if awaited:
                if now > begun + _TOLD_SECONDS:
                    self._tell(number, awaited, "an answer")
            elif missing := max(0, wanted.least - len(ready)):
                self._tell(number, (), f"{missing} more {'host' if missing == 1 else 'hosts'}")
            patience_seconds = max(wanted.wait_seconds, patience if worth_it else 0.0)
            if len(ready) < wanted.least and not owing and now > begun + patience_seconds:
                raise self._too_few(len(ready))

    def _too_few(self, num_ready: int) -> ClusterUnreachable:
        wanted = self._job.hosts
        return ClusterUnreachable(
            f"{counted(num_ready, 'host')} can run the program, and it is never run on fewer than {wanted.least}",
            found=f"no more joined in {wanted.wait_seconds:g} s",
            expected=f"{counted(wanted.least, 'host')} ([site.hosts] least)",
            hint="let more hosts join, or lower [site.hosts] least; then run the same command again",
        )

    def _patience(self, member: Member, patience: float) -> float:
        """Return for how long an attempt waits for a host that joins."""
        if (lost := self._lost.get(member.host.address)) is None:
            return patience
        return _REJOIN_SECONDS if lost[1] == GONE else 0.0

    def _in_order(self, members: list[Member]) -> list[Member]:
        """Return them in the order of the last attempt, with those behind it that were not in it."""
        places = {address: place for place, address in enumerate(self._last_order)}
        return sorted(members, key=lambda each: places.get(each.host.address, len(places)))

    def _meanwhile(self) -> None:
        """Let hosts that join while an attempt runs prove themselves, for the next one.

        Raises:
            ClusterUnreachable: the cluster itself is gone.
        """
        self._links.present()
        if self._checkpoints is not None:
            self._checkpoints.meanwhile()
        if time.monotonic() > self._looked + _LOOK_SECONDS:
            self._have_newcomers_join(set())

    def _have_newcomers_join(self, answered: set[str]) -> None:
        now = self._looked = time.monotonic()
        there = {member.host.address for member in self._roster.members.values()}
        for host in self._links.present():
            if host.key in self._roster.members or host.key in self._unfit or host.address in there | self._set_aside:
                continue
            lost_at, why = self._lost.get(host.address, (float("-inf"), ""))
            tried_at = self._tried.get(host.address, float("-inf"))
            if now < max(tried_at, float("-inf") if why == GONE else lost_at) + _RETRY_SECONDS:
                continue
            self._tried[host.address] = now
            self._fit.discard(host.key)
            there.add(host.address)
            self._have_prove(self._roster.join(host), answered, _PROVE_SECONDS)

    def _have_prove(self, member: Member, answered: set[str], patience_seconds: float) -> None:
        """Hold a host against what the run needs: when it joins, and before each attempt, as it may have changed."""

        def proved(answer: Answer) -> None:
            answered.add(answer.key)
            self._proved(member, answer)

        self._roster.ask(member, "prove", self._proof, then=proved, patience_seconds=patience_seconds)

    def _proved(self, member: Member, answer: Answer) -> None:
        host = member.host
        try:
            require_host_name(host.address)
            if answer.error is not None:
                raise _unfit(host.address, answer.error)
            if self._proof.shared is not None:
                require_mark(self._proof.shared, host.address)
        except HostUnfit as error:
            if self._when_unfit is not None:
                self._when_unfit(error)
            elif not self._has_begun:
                raise
            self._sink(Notice("train", f"host {host.address} takes no part: {error.message}", is_warning=True))
            self._unfit.add(host.key)
            self._roster.lose(member, "it is not fit")
        else:
            is_new = host.key not in self._fit
            self._fit.add(host.key)
            if is_new and self._checkpoints is not None:
                self._checkpoints.join(member)

    def _ask_for_port(self, member: Member) -> int | None:
        found: list[object] = []
        self._roster.ask(member, "reserve_port", then=lambda answer: found.append(answer.body))
        while not found and member.host.key in self._roster.members:
            self._roster.turn(_TURN_SECONDS)
        return found[0] if found and isinstance(found[0], int) else None

    # --- who is to blame

    def _note_loss(self, member: Member, reason: str) -> None:
        self._lost[member.host.address] = (time.monotonic(), reason)
        self._fit.discard(member.host.key)

    def _blame(self, previous: Attempt) -> None:
        """Count what was lost with whom; a host that is lost again and again is set aside, while there are others."""
        for host in previous.hosts:
            self._num_losses[host] = self._num_losses.get(host, 0) + 1 if host in previous.blamed_hosts else 0
            others = len(self._roster.members) - len(self._set_aside) - 1
            if self._num_losses[host] >= _MOST_LOSSES and others >= self._job.hosts.least:
                self._set_aside.add(host)
                text = f"host {host} was at fault {_MOST_LOSSES} times in a row: it takes no part any more"
                self._sink(Notice("train", text, is_warning=True))

    def _tell(self, number: int, hosts: tuple[str, ...], what: str) -> None:
        if (hosts, what) != self._told:
            self._told = (hosts, what)
            self._sink(HostsAwaited(number, hosts, what))


@contextlib.contextmanager
def _proof_of(job: TrainingJob) -> Iterator[HostProof]:
    """Yield what the hosts of a job are held against."""

    versions, program = versions_here([]), job.program or sha256_tree(job.program_folder)
    if job.host_places is not None:
        yield HostProof(None, versions, job.python, job.program_folder, program, job.host_places)
        return
    with shared_folders(_probes(job), (), ()) as shared:
        yield HostProof(shared, versions, job.python, job.program_folder, program)


def _probes(job: TrainingJob) -> Path:
    # Two folders below the one that hosts are told to share: the place that `require_fit` names.
    return job.log_folder / "hosts"


def _unfit(host: str, error: BaseException) -> HostUnfit:
    if isinstance(error, HostUnfit):
        return error
    return HostUnfit(
        "this host cannot run packtrain",
        where=host,
        found=str(error)[:300],
        hint="install on it what is installed here, and start its part of the cluster from that environment",
    )
