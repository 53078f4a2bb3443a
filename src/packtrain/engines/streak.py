"""How often in a row a run may fail: the one rule of all engines."""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.engines.attempt import Outcome


@dataclass(frozen=True, slots=True)
class Streak:
    """The attempts that failed in a row without getting further.

    Attributes:
        num_failed: how many.
        furthest: the last step that any attempt reached, -1 before the first.
    """

    num_failed: int = 0
    furthest: int = -1

    def after(self, outcome: Outcome, reached: int, *, is_taken_away: bool = False) -> Streak:
        """Return it after one attempt more, which was not done.

        Who got further starts the count anew. One that only saved, as it was asked to, did not fail if it got further;
        if it did not, it counts, or a limit of time that is too short for a step would have no end.

        Args:
            outcome: how it ended.
            reached: its last step, -1 without one.
            is_taken_away: a scheduler gave its hosts to others: nobody failed.
        """
        is_failure = outcome != "saved" and not is_taken_away
        if reached > self.furthest:
            return Streak(int(is_failure), reached)
        return Streak(self.num_failed + int(not is_taken_away), self.furthest)

    def is_too_long(self, max_restarts: int) -> bool:
        """Return whether no further attempt is made, where so many may fail in a row and be made again."""
        return self.num_failed > max_restarts
