"""How likely a drive or a case is lost on one voyage, alone or together with others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Risks:
    """The chances of loss that a forecast reckons with.

    Attributes:
        yearly_failure: of one drive. 1.5 %: the order of what large operators of ordinary drives publish each year.
        transit: of one drive, extra, for one trip. Assumed: no public statistic of drives in transit is known.
        case_loss: of one case as a whole: lost, seized, dropped, drowned. Assumed.
        cases_together: how many cases go in one vehicle or by one hand; 1: each goes its own way.
        together_part: the part of `case_loss` that takes all cases of a vehicle at once. Assumed.
        bad_batch: that the drives are of a bad batch, all of them. 0: not reckoned with.
        batch_factor: how many times likelier a drive of a bad batch is lost. Assumed.
    """

    yearly_failure: float = 0.015
    transit: float = 0.005
    case_loss: float = 0.002
    cases_together: int = 1
    together_part: float = 0.5
    bad_batch: float = 0.0
    batch_factor: float = 10.0

    def __post_init__(self) -> None:
        parts = (self.yearly_failure, self.transit, self.case_loss, self.bad_batch)
        if not all(0 <= value < 1 for value in parts) or not 0 <= self.together_part <= 1:
            raise ValueError("a risk is a part of 1, and less than it")
        if self.cases_together < 1 or not 1 <= self.batch_factor <= 1000:
            raise ValueError("one case or more travels together, and a bad batch is 1 to 1000 times as likely lost")

    def drive_loss(self, days: float) -> float:
        """Return the probability that one drive, by itself, does not give its bytes back after so many days."""
        return 1 - (1 - self.yearly_failure) ** (days / 365) * (1 - self.transit)

    def of_bad_batch(self, drive_loss: float) -> float:
        """Return the same of a drive of a bad batch."""
        return min(1.0, drive_loss * self.batch_factor)

    @property
    def shared_loss(self) -> float:
        """The probability that a vehicle is lost with all its cases."""
        return self.case_loss * self.together_part if self.cases_together > 1 else 0.0

    @property
    def own_loss(self) -> float:
        """The probability that a case is lost by itself; with `shared_loss` it makes `case_loss`."""
        return (self.case_loss - self.shared_loss) / (1 - self.shared_loss)
