"""What a forecast is asked: sizes, rates, risks, delays. Every assumption has a name and a default with its reason."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Final

from packtrain.erasure.placement import Survival

_RANGE: Final = re.compile(
    r"\s*(\d+(?:\.\d+)?)(?:\s*\.\.\s*(\d+(?:\.\d+)?))?(?:\s*\.\.\s*(\d+(?:\.\d+)?))?\s*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Days:
    """A duration in days that is not known exactly: at least, most likely, at most."""

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.likely <= self.high < math.inf:
            raise ValueError(f"not in order: {self.low}, {self.likely}, {self.high} days")

    @classmethod
    def parse(cls, text: str) -> Days:
        """Return the range that "3", "2..5" or "2..3..7" names; of two numbers the middle is taken as likely.

        Raises:
            ValueError: the text is no such range.
        """
        match = _RANGE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a number of days: {text!r} (write 3, 2..5 or 2..3..7)")
        numbers = [float(part) for part in match.groups() if part is not None]
        low, high = numbers[0], numbers[-1]
        return cls(low, numbers[1] if len(numbers) == 3 else (low + high) / 2, high)

    def draw(self, rng: random.Random) -> float:
        """Return one possible duration: a triangle, because three numbers are all that is known."""
        return rng.triangular(self.low, self.high, self.likely) if self.low < self.high else self.low


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the way whose time no machine decides: `name` says who does what."""

    name: str
    days: Days


@dataclass(frozen=True, slots=True)
class Risks:
    """How likely a drive or a case is lost on one voyage.

    Attributes:
        yearly_failure: of one drive. 1.5 %: the order of what large operators of ordinary drives publish each year.
        transit: of one drive, extra, for one trip. Assumed: no public statistic of drives in transit is known.
        case_loss: of one case as a whole: lost, seized, dropped, drowned. Assumed.
    """

    yearly_failure: float = 0.015
    transit: float = 0.005
    case_loss: float = 0.002

    def __post_init__(self) -> None:
        if not all(0 <= value < 1 for value in (self.yearly_failure, self.transit, self.case_loss)):
            raise ValueError("a risk is a part of 1, and less than it")

    def drive_loss(self, days: float) -> float:
        """Return the probability that one drive, by itself, does not give its bytes back after so many days."""
        return 1 - (1 - self.yearly_failure) ** (days / 365) * (1 - self.transit)


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a forecast is made from.

    Attributes:
        total_bytes: of the cargo.
        num_drives, num_cases: drives are spread over the cases as evenly as can be.
        pack_bays, load_bays: drives mounted at once, at home and at the site.
        survive: what no loss up to it may cost anything.
        drive_bytes: capacity of a drive, or None: then the forecast says what it must be.
        write_rate, read_rate: bytes a second of one drive, averaged over its whole surface. 180 MB/s: a 3.5 inch hard
            disk gives about 250 outside and half of it inside.
        source_rate: bytes a second at which the cargo can be read, or None: no limit.
        store_rate: bytes a second at which the site's store takes it, or None: no limit.
        cores: processors of the packing machine; the loading one is taken to be like it.
        pack_cpu_seconds_per_gb, load_cpu_seconds_per_gb: processor time for each 10**9 bytes of cargo, see
            docs/benchmarks.md ("packtrain measure" will put the machine's own in their place).
        swap_minutes: to change the drives between two waves.
        link_rate: bits a second of the network, or None: there is none.
        link_free: the part of it that may be used.
        before: legs before packing, the same for both ways (preparing the data).
        legs: legs between packing and loading.
    """

    total_bytes: int
    num_drives: int
    num_cases: int
    pack_bays: int
    load_bays: int
    survive: Survival
    drive_bytes: int | None = None
    write_rate: float = 180e6
    read_rate: float = 180e6
    source_rate: float | None = None
    store_rate: float | None = None
    cores: int = 16
    pack_cpu_seconds_per_gb: float = 2.5
    load_cpu_seconds_per_gb: float = 2.5
    swap_minutes: float = 15.0
    link_rate: float | None = None
    link_free: float = 1.0
    risks: Risks = Risks()
    before: tuple[Leg, ...] = ()
    legs: tuple[Leg, ...] = (Leg("hand over, transport, admit", Days(2, 4, 10)),)

    def __post_init__(self) -> None:
        if self.total_bytes < 1 or self.num_drives < 1 or not 1 <= self.num_cases <= self.num_drives:
            raise ValueError(
                "there must be bytes, drives, and no more cases than drives"
                f" (found {self.total_bytes} bytes, {self.num_drives} drives, {self.num_cases} cases)"
            )
        if min(self.pack_bays, self.load_bays, self.cores) < 1 or not 0 < self.link_free <= 1:
            raise ValueError("there must be bays and cores, and a free part of the link above 0, up to 1")
        rates = (self.write_rate, self.read_rate, self.source_rate, self.store_rate, self.link_rate)
        if any(rate is not None and rate <= 0 for rate in rates):
            raise ValueError("a rate must be above 0")

    @property
    def case_of(self) -> dict[str, str]:
        """Return the case of each drive by label: "A1", "A2" in case "A", and so on."""
        names = [_case_name(number) for number in range(self.num_cases)]
        members: dict[str, str] = {}
        for number in range(self.num_drives):
            case = names[number % self.num_cases]
            members[f"{case}{number // self.num_cases + 1}"] = case
        return members


def _case_name(number: int) -> str:
    letters = chr(ord("A") + number % 26)
    return letters if number < 26 else _case_name(number // 26 - 1) + letters
