"""The hosts that a driver talks to: questions that are out, what came back, and which host has been silent too long.

A host is lost when a question to it has been out for its patience. That is our own heartbeat: a cluster's own check is
slow, and says nothing of the agent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from packtrain.engines.host_links import Answer, HostLinks, HostThere

GONE: Final = "what ran there for packtrain ended"
_STALL_SECONDS: Final = 0.5  # between two turns, beyond what a turn waits


@dataclass(slots=True)
class _Question:
    """A question that is out."""

    due: float
    then: Callable[[Answer], None]


@dataclass(slots=True)
class Member:
    """A host with an agent.

    Attributes:
        host: its key and address.
        asked: when it was asked last, by the monotonic clock.
    """

    host: HostThere
    asked: float = float("-inf")
    questions: dict[int, _Question] = field(default_factory=dict[int, "_Question"])

    @property
    def is_busy(self) -> bool:
        """Return whether a question to it is out."""
        return bool(self.questions)


class Roster:
    """The members of a run. One thread alone uses it.

    Args:
        links: how hosts are reached.
        silent_seconds: the patience with an ordinary question.

    Attributes:
        links: as given.
        members: by key, in the order in which they joined.
        when_lost: each is called with a member and the reason when it was lost and is no member any more.
    """

    def __init__(self, links: HostLinks, silent_seconds: float) -> None:
        self.links = links
        self.members: dict[str, Member] = {}
        self.when_lost: list[Callable[[Member, str], None]] = []
        self._silent_seconds = silent_seconds
        self._turned = time.monotonic()

    def join(self, host: HostThere) -> Member:
        """Have an agent started on a host, which is a member from now on."""
        self.links.join(host, self._silent_seconds)
        member = self.members[host.key] = Member(host)
        return member

    def ask(
        self,
        member: Member,
        method: str,
        *arguments: object,
        then: Callable[[Answer], None] = lambda answer: None,
        patience_seconds: float | None = None,
    ) -> None:
        """Put a question; `then` takes the answer in a later `turn`, unless the member is lost before."""
        if self.members.get(member.host.key) is not member:
            return
        now = time.monotonic()
        question = self.links.ask(member.host.key, method, *arguments)
        patience = self._silent_seconds if patience_seconds is None else patience_seconds
        # Answers come in order: behind one that may take long the next is late without any fault.
        due = max(now + patience, max((each.due for each in member.questions.values()), default=0.0))
        member.questions[question] = _Question(due, then)
        member.asked = now

    def turn(self, timeout_seconds: float) -> None:
        """Take the answers that are there, waiting at most so long for one, and look who is silent."""
        now = time.monotonic()
        if (stalled := now - self._turned - _STALL_SECONDS) > 0:
            # It was we who did not listen: their answers may lie here.
            for member in self.members.values():
                for question in member.questions.values():
                    question.due += stalled
        answers = self.links.answers(timeout_seconds)
        self._turned = time.monotonic()
        for answer in answers:
            member = self.members.get(answer.key)
            question = member.questions.pop(answer.question, None) if member else None
            if member is None or question is None:
                continue
            if answer.is_gone:
                self.lose(member, GONE)
            else:
                question.then(answer)
        for member in list(self.members.values()):
            if any(question.due < self._turned for question in member.questions.values()):
                self.lose(member, f"it did not answer for {self._silent_seconds:g} s")

    def lose(self, member: Member, reason: str) -> None:
        """Give a member up."""
        if self.members.pop(member.host.key, None) is not None:
            self.links.leave(member.host.key)
            for tell in self.when_lost:
                tell(member, reason)

    def silence_seconds(self, member: Member) -> float:
        """Return for how long a member has owed an answer."""
        return time.monotonic() - member.asked if member.questions else 0.0
