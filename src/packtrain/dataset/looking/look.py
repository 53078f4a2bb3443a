"""What a person is shown of a prepared data set: plain records between those who read and the page that draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.documents.dataset import SampleCount

PAGE_BYTES: Final = 8_000_000
NUM_SAMPLES: Final = 48
PAGE_NAME: Final = "look.html"
"""Below work/, where `withdraw` removes it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What whoever looks has asked for.

    Attributes:
        num_samples: of each kind, on its contact sheet.
        seed: of the lot; None for the recipe's.
        page_bytes: how long the page may become.
    """

    num_samples: int = NUM_SAMPLES
    seed: int | None = None
    page_bytes: int = PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Thumb:
    """One small picture, or why there is none.

    Attributes:
        payload: a WebP file; empty where `error` says why.
        width, height: in pixels.
        at_seconds: of a frame of a clip, when it is shown; None for images.
    """

    payload: bytes
    width: int = 0
    height: int = 0
    error: str = ""
    at_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample to look at: an image, the strip of a clip, or a block of a table, of which there is no picture.

    Attributes:
        key: "" of a source beside the sample that was made of it.
        facts: what else is known, in words: "size", "pixels", "value".
        thumbs: one of an image, several of a clip, none of a table.
    """

    key: str
    kind: str
    source: str
    facts: tuple[tuple[str, str], ...]
    thumbs: tuple[Thumb, ...]

    @property
    def num_bytes(self) -> int:
        """Return how much of the page its pictures take."""
        return sum(len(thumb.payload) for thumb in self.thumbs)


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """Samples of one kind that were drawn by lot.

    Attributes:
        num_samples: of this kind in the data set.
        num_drawn: by lot; what is not in `shown` had no room on the page.
    """

    kind: str
    num_samples: int
    num_drawn: int
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Making:
    """A sample beside what it was made of."""

    before: Shown
    after: Shown


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column of a table.

    Attributes:
        number: from 1.
        name: "" where it is not shown, since a table without a header has a value there.
        num_filled, num_distinct: cells that are not empty, and how many different ones.
        is_number: most filled cells read as numbers; `bars` then counts these, else the lengths of the texts.
        least, most, mean: of the numbers; "" where values are not shown.
        top: the most frequent texts, shortened, with their counts; none where values are not shown.
        bars: counts in classes of equal width.
        findings: what the data scan found in it.
    """

    number: int
    name: str
    num_filled: int
    num_distinct: int
    is_number: bool = False
    least: str = ""
    most: str = ""
    mean: str = ""
    top: tuple[tuple[str, int], ...] = ()
    bars: tuple[int, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableProfile:
    """One table of a source.

    Attributes:
        sheet: its name, "" where the form of the file has none.
        num_rows, num_read: kept rows, and those of them from the beginning that were looked at.
        columns: the first of `num_columns`.
        error: why it could not be read.
    """

    source: str
    sheet: str
    num_rows: int
    num_read: int
    num_columns: int
    columns: tuple[ColumnProfile, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How one measure is spread, over all samples that were read and over those that are kept.

    Attributes:
        edges: of the classes, one more than there are classes.
        before, after: samples a class.
        least, most: of all that were read.
    """

    kind: str
    measure: str
    least: float
    most: float
    is_logarithmic: bool
    edges: tuple[float, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DropCount:
    """How many samples of a kind one rule dropped."""

    kind: str
    reason: str
    rule: str
    num_samples: int


@dataclass(frozen=True, slots=True)
class FilterDrops:
    """Samples that one filter dropped: those next to its limit, and those farthest from it."""

    count: DropCount
    nearest: tuple[Shown, ...]
    farthest: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Copies:
    """A sample that is kept, and the copies of it that were dropped; `first_sources` are some of their sources."""

    kept: Shown
    num_dropped: int
    num_sources: int
    first_sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The first of `num_rows` rows that one block of a table has and another has not, in some of its columns."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_rows: int
    num_columns: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample that was dropped, and the one that was kept since they look alike.

    Attributes:
        value, limit: what was measured of the two (a distance, or the share in common), and what is allowed; None where
            nothing was.
        differ: of two blocks of tables the rows in which they differ, where these may be shown.
    """

    dropped: Shown
    kept: Shown
    rule: str
    value: float | None
    limit: float | None
    differ: tuple[Grid, Grid] | None = None


@dataclass(frozen=True, slots=True)
class RejectRow:
    """One input, or part of one, that was set aside."""

    path: str
    kind: str
    stage: str
    place: str
    error: str
    bytes: int


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """Rejects with the same error but for the numbers in it.

    Attributes:
        error: with "#" for each number.
        num_bytes: what is known of their lengths, in sum.
        rows: the first of them.
    """

    kind: str
    stage: str
    error: str
    num_rejects: int
    num_bytes: int
    rows: tuple[RejectRow, ...]


@dataclass(slots=True)
class Look:
    """All that the page shows.

    Attributes:
        recipe: SHA-256; `recipe_text` as voyage.toml spells it, or why that is not shown.
        seed: of the lot by which samples were drawn.
        splits: samples by kind and split.
        with_values: whether cells of tables are shown; `without_because` says why not.
        num_tables, num_measures, num_reject_groups: of which those shown may be the first few.
        notes: what a reader has to know before the page is believed.
        page_bytes: what was allowed; `num_left_out` pictures had no room.
    """

    name: str
    recipe: str
    recipe_text: str
    seed: int
    num_sources: int
    source_bytes: int
    counts: Sequence[SampleCount]
    splits: Mapping[tuple[str, str], int]
    page_bytes: int
    with_values: bool = True
    without_because: str = ""
    drops: list[DropCount] = field(default_factory=list[DropCount])
    sheets: list[ContactSheet] = field(default_factory=list[ContactSheet])
    makings: list[Making] = field(default_factory=list[Making])
    tables: list[TableProfile] = field(default_factory=list[TableProfile])
    num_tables: int = 0
    histograms: list[Histogram] = field(default_factory=list[Histogram])
    num_measures: int = 0
    filters: list[FilterDrops] = field(default_factory=list[FilterDrops])
    copies: list[Copies] = field(default_factory=list[Copies])
    pairs: list[Pair] = field(default_factory=list[Pair])
    rejects: list[RejectGroup] = field(default_factory=list[RejectGroup])
    num_reject_groups: int = 0
    num_rejects: int = 0
    notes: list[str] = field(default_factory=list[str])
    num_left_out: int = 0

    @property
    def num_rules(self) -> int:
        """Return how many filters dropped anything."""
        return sum(1 for count in self.drops if count.reason == "filter")

    @property
    def num_copied(self) -> int:
        """Return how many samples were exact copies of one that is kept."""
        return sum(count.num_samples for count in self.drops if count.reason == "duplicate")

    @property
    def num_pairs(self) -> int:
        """Return how many samples were dropped since they look like another."""
        return sum(count.num_samples for count in self.drops if count.reason == "near-duplicate")
