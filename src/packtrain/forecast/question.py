"""What a forecast is asked: sizes, rates, risks, delays. Every assumption has a name and a default with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from packtrain.erasure.placement import DriveSpec, Placement, Survival
from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.fleet import even_cases
from packtrain.forecast.prices import Prices
from packtrain.forecast.risks import Risks
from packtrain.units import format_bytes

MOST_BYTES: Final = 10**18
MOST_RATE: Final = 1e15
"""No drive, store or network gives a petabyte, or a petabit, a second: a number beyond it is a slip of the pen."""
DEFAULT_LEG: Final = Leg("hand over, travel, admit", Days(2, 4, 10))
CUSTOMS: Final = "customs"
NO_MORE_IS_KNOWN: Final = Risks()
NOTHING_IS_PRICED: Final = Prices()


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a forecast is made from.

    Attributes:
        total_bytes: of the cargo.
        num_drives, num_cases: drives are spread over the cases as evenly as can be.
        pack_bays, load_bays: drives mounted at once on one host, at home and at the site.
        survive: what no loss up to it may cost anything.
        pack_hosts, load_hosts: machines that write, or read, at the same time.
        drive_bytes: capacity of a drive, or None: then the forecast says what it must be.
        drives: the drives of a voyage, with their cases and real sizes; () where they are only counted.
        placed: the groups that were chosen already, of `drives`.
        write_rate, read_rate: bytes a second of one drive, averaged over its whole surface. 180 MB/s: a 3.5 inch hard
            disk gives about 250 outside and half of it inside.
        is_read_back: each drive is read once more after it was written.
        source_rate: bytes a second at which the cargo can be read, or None: no limit.
        store_rate: bytes a second at which the site's store takes it, or None: no limit.
        cores, load_cores: processors of one packing machine, and of one that loads.
        pack_core_seconds_per_gb, load_core_seconds_per_gb: seconds of one core for each 10**9 bytes of cargo: of
            many cores, each takes its part. See docs/benchmarks.md.
        swap_minutes: to change the drives between two waves.
        link_rate: bits a second of the network, or None: there is none.
        link_free: the part of it that may be used.
        before: legs before packing, the same for both ways (preparing the data).
        legs: legs between packing and loading; customs, where it is crossed, is one of them.
        training: from the day the data is there to the last step, or None: not told.
        results_bytes: what comes home, 0: nothing was told.
        results_by: the way home; None: over the link where there is one.
        measured: name of a field -> when and where it was measured.
        given: names of fields, and of risks, that a person gave.
    """

    total_bytes: int
    num_drives: int
    num_cases: int
    pack_bays: int
    load_bays: int
    survive: Survival
    pack_hosts: int = 1
    load_hosts: int = 1
    drive_bytes: int | None = None
    drives: tuple[DriveSpec, ...] = ()
    placed: Placement | None = None
    write_rate: float = 180e6
    read_rate: float = 180e6
    is_read_back: bool = True
    source_rate: float | None = None
    store_rate: float | None = None
    cores: int = 16
    load_cores: int = 16
    pack_core_seconds_per_gb: float = 2.5
    load_core_seconds_per_gb: float = 2.5
    swap_minutes: float = 15.0
    link_rate: float | None = None
    link_free: float = 1.0
    risks: Risks = NO_MORE_IS_KNOWN
    prices: Prices = NOTHING_IS_PRICED
    before: tuple[Leg, ...] = ()
    legs: tuple[Leg, ...] = (DEFAULT_LEG,)
    training: Days | None = None
    results_bytes: int = 0
    results_by: Literal["link", "drives"] | None = None
    measured: dict[str, str] = field(default_factory=dict[str, str])
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.total_bytes < 1 or self.num_drives < 1 or not 1 <= self.num_cases <= self.num_drives:
            raise ValueError(
                "there must be bytes, drives, and no more cases than drives"
                f" (found {self.total_bytes} bytes, {self.num_drives} drives, {self.num_cases} cases)"
            )
        if max(self.total_bytes, self.results_bytes) > MOST_BYTES:
            raise ValueError(f"a forecast must be of at most {format_bytes(MOST_BYTES)}")
        if self.drive_bytes is not None and self.drive_bytes < 1:
            raise ValueError("a drive must hold something")
        if min(self.pack_bays, self.load_bays, self.cores, self.load_cores, self.pack_hosts, self.load_hosts) < 1:
            raise ValueError("there must be bays, cores and hosts")
        if not 0 < self.link_free <= 1:
            raise ValueError("there must be a free part of the link, above 0 and up to 1")
        rates = (self.write_rate, self.read_rate, self.source_rate, self.store_rate, self.link_rate)
        if any(rate is not None and not 1 <= rate <= MOST_RATE for rate in rates):
            raise ValueError("a rate must be at least 1 a second, and at most 10^15")
        if self.results_by == "link" and self.link_rate is None:
            raise ValueError("results over the link: there must be a link for that")

    @property
    def case_of(self) -> dict[str, str]:
        """Return the case of each drive by label."""
        if self.drives:
            return {drive.label: drive.case for drive in self.drives}
        return even_cases(self.num_drives, self.num_cases)

    @property
    def capacity_of(self) -> dict[str, int]:
        """Return what each drive holds; all the same where their size is part of the answer."""
        if self.drives:
            return {drive.label: drive.capacity_bytes for drive in self.drives}
        return dict.fromkeys(self.case_of, self.drive_bytes or 10**12)

    @property
    def link_bits(self) -> float | None:
        """The free bits a second of the network."""
        return None if self.link_rate is None else self.link_rate * self.link_free

    @property
    def home_by(self) -> Literal["link", "drives"]:
        """The way that results take."""
        return self.results_by or ("drives" if self.link_rate is None else "link")
