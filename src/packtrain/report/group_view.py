"""What each group still survives, as far as the record knows: stripes by columns left, what more may be lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VoyageFolder
from packtrain.report.drive_view import DriveView
from packtrain.report.load_view import LoadedGroup
from packtrain.units import counted

_MAX_GROUP_BYTES: Final = 64 << 20
_STRIPE: Final = re.compile(r"data/([0-9]{1,7})-([0-9]{1,3})\.(?:tar\.age|parity)", re.ASCII)
_GONE: Final = frozenset({"lost", "unusable", "erased"})


class _GroupHead(msgspec.Struct, frozen=True):
    """Of a group document, what is needed here; its SHA-256 stands in the signed shipment document."""

    group: int
    num_stripes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group.

    Attributes:
        k, m: columns that are enough, and how many more there are.
        num_stripes: None where the group is not closed, or its document is not here.
        drives: its labels.
        gone: of these, lost, unusable or erased.
        num_checked: drives that were looked at as a whole since they were written.
        as_of: the oldest of these looks; None where none is known.
        stripes_by_columns_left: columns left of k + m -> stripes, most columns first; empty where nothing was checked
            and nothing is known to be lost.
        margin: how many drives more may be lost, whichever they are, by what is known; negative where a stripe is lost
            already; None where no drive was checked and no damage is known: that it can be read is not known.
        worst_stripe: number of the stripe with the fewest columns left; None where none is worse than another.
        is_proven: every stripe was read and restored at the site.
        num_proven, num_provable: of a load that is under way; None outside of one.
    """

    group: int
    k: int
    m: int
    num_stripes: int | None
    drives: tuple[str, ...]
    gone: tuple[str, ...]
    num_checked: int
    as_of: str | None
    stripes_by_columns_left: tuple[tuple[int, int], ...]
    margin: int | None
    worst_stripe: int | None
    is_proven: bool = False
    num_proven: int | None = None
    num_provable: int | None = None

    @property
    def urgency(self) -> tuple[bool, int]:
        """Return what sorts groups, the one with the least left first; what is not known counts as written."""
        return self.is_proven, self.margin if self.margin is not None else self.m

    def sentence(self) -> str:
        """Return it as a person reads it."""
        name = f"group {self.group} ({self.k} + {self.m})"
        if self.is_proven:
            return f"{name}: every stripe was read and restored at the site"
        loading = (
            f"; {self.num_proven:,} of {self.num_stripes:,} stripes are restored, {self.num_provable:,} provable"
            if self.num_proven is not None and self.num_provable is not None and self.num_stripes is not None
            else ""
        )
        gone = f"; {', '.join(self.gone[:8])} gone" if self.gone else ""
        if self.num_stripes is None:
            return f"{name}: not closed yet{gone}"
        stripes = counted(self.num_stripes, "stripe")
        if self.margin is None:
            return f"{name}: {stripes}; not checked since they were written: not known{gone}{loading}"
        if self.margin < 0:
            lost = sum(count for left, count in self.stripes_by_columns_left if left < self.k)
            return f"{name}: {lost:,} of {stripes} cannot be rebuilt by what is known{gone}{loading}"
        more = f"any {counted(self.margin, 'more drive')}" if self.margin else "no more drive"
        checked = (
            f"all {len(self.drives)} drives checked"
            if self.num_checked == len(self.drives)
            else f"{self.num_checked} of {len(self.drives)} drives checked"
        )
        as_of = f", as of {self.as_of}" if self.as_of is not None else ""
        return f"{name}: {stripes}; {more} may be lost{gone}; {checked}{as_of}{loading}"


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What group views are made of.

    Attributes:
        folders: where group documents may lie.
        drives: every drive.
        bad: label -> damaged volumes, by name.
        loading: of a load that is under way, by group.
        is_loaded: a load is done: its receipt stands for every stripe.
    """

    folders: Sequence[VoyageFolder]
    drives: Sequence[DriveView]
    bad: Mapping[str, Mapping[str, int | None]]
    loading: Mapping[int, LoadedGroup]
    is_loaded: bool


def group_views(
    plan: Plan | None, shipment: Shipment | None, facts: GroupFacts, unread: list[str]
) -> tuple[GroupView, ...]:
    """Return every group of the plan, in its order; none before there is one.

    What cannot be read is put to `unread`.
    """
    if plan is None:
        return ()
    records = {shipped.group: shipped.record for shipped in shipment.groups} if shipment is not None else {}
    by_group: dict[int, list[DriveView]] = {}
    for drive in facts.drives:
        if drive.group is not None:
            by_group.setdefault(drive.group, []).append(drive)
    views: list[GroupView] = []
    for group in plan.groups:
        record = records.get(group.group)
        num_stripes = _num_stripes(facts.folders, group.group, record, unread) if record is not None else None
        drives = by_group.get(group.group, [])
        views.append(_view(group.group, group.k, group.m, num_stripes, drives, facts))
    return tuple(views)


def _num_stripes(folders: Sequence[VoyageFolder], number: int, record: str, unread: list[str]) -> int | None:
    for folder in folders:
        for path in (folder.documents / "groups" / f"{number}.json", folder.work / "load" / f"group-{number}.json"):
            payload = durable.plain_bytes(path, _MAX_GROUP_BYTES)
            if payload is None:
                continue
            if sha256_bytes(payload) != record:
                unread.append(f"{path}: not the group document that the shipment document names")
                continue
            try:
                return msgspec.json.decode(payload, type=_GroupHead).num_stripes
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                unread.append(f"{path}: {error}")
    return None


def _view(
    number: int, k: int, m: int, num_stripes: int | None, drives: Sequence[DriveView], facts: GroupFacts
) -> GroupView:
    gone = tuple(drive.label for drive in drives if drive.state in _GONE)
    looked_at = [drive.checked for drive in drives if drive.checked is not None and drive.label not in gone]
    loading = facts.loading.get(number)
    hurt: Counter[int] = Counter()
    num_unnamed = 0
    for drive in drives:
        if drive.label in gone:
            continue
        bad = facts.bad.get(drive.label, {})
        if drive.num_bad_volumes > len(bad):
            num_unnamed += 1  # which of its volumes are damaged is not known of all: every stripe may be meant
            continue
        for name in bad:
            found = _STRIPE.fullmatch(name)
            if found is not None:
                hurt[int(found[1])] += 1
    left = k + m - len(gone) - num_unnamed
    spread: Counter[int] = Counter(left - columns for columns in hurt.values())
    if num_stripes is not None and num_stripes > len(hurt):
        spread[left] += num_stripes - len(hurt)
    worst = max(hurt.items(), key=lambda item: (item[1], -item[0]), default=None)
    is_known = bool(looked_at or gone or hurt or num_unnamed)
    return GroupView(
        group=number,
        k=k,
        m=m,
        num_stripes=num_stripes,
        drives=tuple(drive.label for drive in drives),
        gone=gone,
        num_checked=len(looked_at),
        as_of=min(looked_at, default=None),
        stripes_by_columns_left=tuple(sorted(spread.items(), reverse=True)) if is_known and num_stripes else (),
        margin=left - (worst[1] if worst is not None else 0) - k if is_known else None,
        worst_stripe=worst[0] if worst is not None else None,
        is_proven=facts.is_loaded,
        num_proven=loading.stripes_proven if loading is not None and not facts.is_loaded else None,
        num_provable=loading.stripes_provable if loading is not None and not facts.is_loaded else None,
    )
