"""What of a prepared data set is shown: drawn by lot, or nearest to a limit; bounded by numbers and by the page's size.

The same data set, seed and bounds choose the same, whatever machine looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from packtrain.dataset.looking import samples
from packtrain.dataset.looking.blocks import differing
from packtrain.dataset.looking.look import (
    ContactSheet,
    Copies,
    DropCount,
    FilterDrops,
    Look,
    Making,
    Pair,
    RejectGroup,
    Wanted,
)
from packtrain.dataset.looking.profiles import Allowed, profiles
from packtrain.dataset.looking.room import Part, Room
from packtrain.dataset.looking.set_tables import Row, SetTables
from packtrain.dataset.looking.spread import histograms
from packtrain.dataset.looking.where import Where
from packtrain.documents.dataset import Dataset

PICTURED: Final = ("image", "clip")
_MOST_MAKINGS: Final = 8
_MOST_RULES: Final = 30
_NEXT_TO_A_LIMIT: Final = 6
_MOST_COPIED: Final = 12
_NAMES_OF_COPIES: Final = 3
_MOST_PAIRS: Final = 24
_MOST_REJECT_GROUPS: Final = 30
_ROWS_OF_A_GROUP: Final = 10


def look_at(
    where: Where,
    dataset: Dataset,
    recipe_text: str,
    allowed: tuple[Allowed, str],
    wanted: Wanted,
    seed: int,
    tell: Callable[[str], None] = lambda _: None,
) -> Look:
    """Return what is shown of a prepared data set.

    Args:
        where: what lies where.
        dataset: its document.
        recipe_text: as voyage.toml spells it, or why it is not shown.
        allowed: whose values may be shown, and why none may (see `profiles.allowed_by`).
        wanted: how much is shown.
        seed: of the lot by which samples and tables are drawn.
        tell: takes what is done now, in words.

    Raises:
        duckdb.Error: a table of the data set is not there, or is none.
    """
    with SetTables(where) as tables:
        look = Look(
            name=dataset.name,
            recipe=dataset.recipe,
            recipe_text=recipe_text,
            seed=seed,
            num_sources=dataset.num_sources,
            source_bytes=dataset.source_bytes,
            counts=dataset.counts,
            splits=tables.splits(),
            page_bytes=wanted.page_bytes,
            with_values=allowed[0].values,
            without_because=allowed[1],
            drops=tables.drop_counts(),
        )
        _note_what_is_not_so(tables, where, dataset, look)
        room = Room(wanted.page_bytes)
        kinds = [kind for kind in PICTURED if any(found == kind for found, _ in look.splits)]
        # Drops and pairs first: there are few of them, and they are what a person has to decide on.
        tell("choosing what was dropped, and pairs")
        _look_at_drops(tables, where, look, room, allowed[0])
        for number, kind in enumerate(kinds):
            tell(f"drawing {kind}s by lot")
            # What the first sheet leaves is for the second, and a little for what they were made of.
            _add_sheet(tables, where, look, room.part(0.9 / (len(kinds) - number)), kind, wanted.num_samples)
        tell("profiling tables")
        look.tables, look.num_tables = profiles(tables, where, allowed[0], seed)
        tell("counting what was measured")
        look.histograms, look.num_measures = histograms(tables)
        _look_at_rejects(tables, look)
        look.num_left_out = room.num_left_out
    return look


def _note_what_is_not_so(tables: SetTables, where: Where, dataset: Dataset, look: Look) -> None:
    if where.sources is None:
        look.notes.append("A source path of voyage.toml is not there: what is a source file itself cannot be shown.")
    if tables.number("SELECT count(*) FROM read_samples") == 0:
        look.notes.append(
            "What the units read is not there any more (work/prepare/units):"
            " there is no before, and no picture of what was dropped."
        )
    elif left := tables.num_unaccounted():
        look.notes.append(
            f"{left:,} samples were read since and are neither kept nor dropped: run packtrain prepare to its end."
        )
    listed = sum(look.splits.values())
    if listed != dataset.num_samples:
        look.notes.append(
            f"index.parquet lists {listed:,} samples and dataset.json {dataset.num_samples:,}:"
            " run packtrain prepare again."
        )


def _add_sheet(tables: SetTables, where: Where, look: Look, part: Part, kind: str, num_samples: int) -> None:
    rows = tables.drawn(kind, num_samples, look.seed)
    total = sum(number for (found, _), number in look.splits.items() if found == kind)
    # By lot first, so that a full page leaves out what was drawn last; then in the order of the keys.
    shown = sorted(part.fill(partial(samples.kept, where), rows), key=lambda each: each.key)
    look.sheets.append(ContactSheet(kind, total, len(rows), tuple(shown)))
    look.makings += _makings(where, rows, part)


def _makings(where: Where, rows: Iterable[Row], part: Part) -> list[Making]:
    """Return a few samples beside their sources, each source once."""
    made: list[Making] = []
    seen: set[str] = set()
    for row in rows:
        if len(made) == _MOST_MAKINGS:
            break
        if row["source"] in seen:
            continue
        found = samples.making(where, row)
        if found is not None and part.takes(found.before, found.after):
            seen.add(row["source"])
            made.append(found)
    return made


def _look_at_drops(tables: SetTables, where: Where, look: Look, room: Room, allowed: Allowed) -> None:
    rules = [count for count in look.drops if count.reason == "filter"]
    part = room.part(0.25)
    look.filters = [_filter_drops(tables, where, rule, part) for rule in rules[:_MOST_RULES]]
    part = room.part(0.15)
    for row in tables.copied(_MOST_COPIED, _NAMES_OF_COPIES):
        shown = samples.read(where, row)
        if part.takes(shown):
            look.copies.append(Copies(shown, row["num_dropped"], row["num_sources"], tuple(row["first_sources"])))
    part = room.part(0.3)
    for kind in dict.fromkeys(count.kind for count in look.drops if count.reason == "near-duplicate"):
        for pair in tables.near_pairs(kind, _MOST_PAIRS):
            both = samples.read(where, pair.dropped), samples.read(where, pair.kept)
            if part.takes(*both):
                differ = differing(where, pair.dropped, pair.kept, allowed) if kind == "table" else None
                look.pairs.append(Pair(*both, pair.rule, pair.value, pair.limit, differ))


def _filter_drops(tables: SetTables, where: Where, rule: DropCount, part: Part) -> FilterDrops:
    nearest = tables.filtered(rule, _NEXT_TO_A_LIMIT, farthest=False)
    near_keys = {row["key"] for row in nearest}
    farthest = [row for row in tables.filtered(rule, _NEXT_TO_A_LIMIT, farthest=True) if row["key"] not in near_keys]
    read = partial(samples.read, where)
    return FilterDrops(
        rule,
        tuple(part.fill(read, nearest)),
        tuple(part.fill(read, farthest)),
    )


def _look_at_rejects(tables: SetTables, look: Look) -> None:
    look.num_rejects = tables.number("SELECT count(*) FROM rejects")
    look.num_reject_groups = tables.num_reject_groups()
    look.rejects = [
        RejectGroup(
            kind=group["kind"],
            stage=group["stage"],
            error=group["form"],
            num_rejects=group["num"],
            num_bytes=int(group["num_bytes"] or 0),
            rows=tuple(tables.rejects_of(group, _ROWS_OF_A_GROUP)),
        )
        for group in tables.reject_groups(_MOST_REJECT_GROUPS)
    ]
