"""The crews of an attempt on many hosts, each behind the agent of its host. See `attempt.Crews`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from packtrain.engines.crew import MISFIT, CrewNews, CrewOrder, misfit
from packtrain.engines.host_links import Answer
from packtrain.engines.roster import GONE, Member, Roster
from packtrain.events import HostsAwaited, Sink

_MOST_POLL_SECONDS: Final = 1.0
_ENDING_TURN_SECONDS: Final = 0.05
_POLLS_A_SILENCE: Final = 8
_SHORT_GRACE_SECONDS: Final = 3.0
_TOLD_SECONDS: Final = 3.0  # of waiting for the end of workers, before it is told
_START_SECONDS: Final = 10.0  # before it is told for whose workers we wait
_ENDING_SECONDS: Final = 60.0  # for a host to kill its workers; they then hang in the kernel


class RemoteCrews:
    """The crews of one attempt, on members of a roster.

    Args:
        roster: the members; those of this attempt that are lost meanwhile are told in `news`.
        orders: what each member does, in rank order.
        silent_seconds: the patience with a host.
        resumed_from: the checkpoint that they begin from, "" where nobody knows.
        meanwhile: called again and again while the attempt goes on; what it raises ends the run.
        sink: takes `HostsAwaited`.
    """

    short_grace_seconds = _SHORT_GRACE_SECONDS

    def __init__(
        self,
        roster: Roster,
        orders: Sequence[tuple[Member, CrewOrder]],
        silent_seconds: float,
        resumed_from: str,
        meanwhile: Callable[[], None],
        sink: Sink,
    ) -> None:
        self.hosts = tuple(member.host.address for member, _ in orders)
        self.resumed_from = resumed_from
        self._roster = roster
        self._orders = orders
        self._attempt = orders[0][1].attempt
        self._poll_seconds = min(_MOST_POLL_SECONDS, silent_seconds / _POLLS_A_SILENCE)
        self._silent_seconds = silent_seconds
        self._meanwhile = meanwhile
        self._sink = sink
        self._crews: Mapping[str, tuple[Member, CrewOrder]] = {each[0].host.key: each for each in orders}
        self._latest: dict[str, CrewNews] = {}
        self._num_seen = dict.fromkeys(self._crews, 0)
        self._fresh: list[CrewNews] = []
        self._lost: set[str] = set()
        self._begun = time.monotonic()
        self._ending_since = math.inf
        self._told: tuple[tuple[str, ...], str] = ((), "")
        roster.when_lost.append(self._when_lost)

    def start(self) -> None:
        """Have the workers started; ids and failures are told in `news`."""
        for member, order in self._orders:
            self._roster.ask(member, "begin", order, then=self._begun_there)

    def news(self, timeout_seconds: float) -> Sequence[CrewNews]:
        """Return what came in.

        Raises:
            PacktrainError: what `meanwhile` raises; not while the attempt is being ended.
        """
        if self._ending_since == math.inf:
            self._meanwhile()
        self._poll()
        self._roster.turn(timeout_seconds)
        self._tell_whom_we_wait_for()
        fresh, self._fresh = self._fresh, []
        return fresh

    def ask_to_stop(self) -> None:
        """Send SIGTERM to all workers that live."""
        self._ending_since = min(self._ending_since, time.monotonic())
        for member, _ in self._alive():
            self._roster.ask(member, "stop", self._attempt)

    def end(self) -> Sequence[CrewNews]:
        """Kill what still runs; return when every host has said so, or was lost."""
        self._ending_since = min(self._ending_since, time.monotonic())
        found: list[CrewNews] = []
        for member, _ in self._alive():
            self._roster.ask(member, "end", self._attempt)
        deadline = time.monotonic() + _ENDING_SECONDS
        while self._unended():
            found += self.news(_ENDING_TURN_SECONDS)
            if time.monotonic() > deadline:
                for member in self._unended():
                    self._lose(member, "it could not end its workers", "")
        self._tell((), "")
        self._roster.when_lost.remove(self._when_lost)
        return [*found, *self._fresh]

    # --- asking

    def _alive(self) -> list[tuple[Member, CrewOrder]]:
        return [each for key, each in self._crews.items() if key not in self._lost]

    def _unended(self) -> list[Member]:
        return [member for member, _ in self._alive() if not self._is_ended(member)]

    def _is_ended(self, member: Member) -> bool:
        latest = self._latest.get(member.host.key)
        return latest is not None and latest.is_ended

    def _poll(self) -> None:
        now = time.monotonic()
        poll_seconds = _ENDING_TURN_SECONDS if self._ending_since < math.inf else self._poll_seconds
        for key, (member, _) in self._crews.items():
            if key not in self._lost and not member.is_busy and now - member.asked >= poll_seconds:
                self._roster.ask(member, "report", self._attempt, self._num_seen[key], then=self._reported)

    def _begun_there(self, answer: Answer) -> None:
        if answer.error is not None:
            self._lose(self._crews[answer.key][0], "it could not start its workers", str(answer.error))

    def _reported(self, answer: Answer) -> None:
        member, order = self._crews[answer.key]
        news = answer.body
        if not isinstance(news, CrewNews):
            self._lose(member, GONE, str(answer.error or ""))
            return
        if fault := misfit(news, order.first_rank, order.job.num_workers):
            self._lose(member, MISFIT, fault)
            return
        self._latest[answer.key] = news
        self._num_seen[answer.key] += len(news.steps)
        self._fresh.append(news)
        if news.lost:
            # Its agent is well: it may take part in the next attempt.
            self._lost.add(answer.key)

    def _lose(self, member: Member, reason: str, detail: str) -> None:
        self._lost.add(member.host.key)
        self._fresh.append(CrewNews(self._crews[member.host.key][1].first_rank, lost=reason, detail=detail))
        self._roster.lose(member, reason)

    def _when_lost(self, member: Member, reason: str) -> None:
        key = member.host.key
        if key in self._crews and key not in self._lost:
            self._lost.add(key)
            self._fresh.append(CrewNews(self._crews[key][1].first_rank, lost=reason))

    # --- telling

    def _tell_whom_we_wait_for(self) -> None:
        alive = [member for member, _ in self._alive()]
        silent = [each for each in alive if self._roster.silence_seconds(each) > self._silent_seconds / 2]
        unstarted = [each for each in alive if not (news := self._latest.get(each.host.key)) or not news.pids]
        if silent:
            self._tell_members(silent, "an answer")
        elif time.monotonic() > self._ending_since + _TOLD_SECONDS and (unended := self._unended()):
            self._tell_members(unended, "its workers to end")
        elif unstarted and self._ending_since == math.inf and time.monotonic() - self._begun > _START_SECONDS:
            self._tell_members(unstarted, "its workers to start")
        else:
            self._tell((), "")

    def _tell_members(self, members: Sequence[Member], what: str) -> None:
        self._tell(tuple(member.host.address for member in members), what)

    def _tell(self, hosts: tuple[str, ...], what: str) -> None:
        if (hosts, what) != self._told:
            self._told = (hosts, what)
            self._sink(HostsAwaited(self._attempt, hosts, what))
