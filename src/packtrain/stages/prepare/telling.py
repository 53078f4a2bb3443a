"""What the run says at its end: numbers for the receipt, and notices for the person who waited."""

from __future__ import annotations

from packtrain.dataset.kinds.registry import KIND_NAMES
from packtrain.dataset.reasons import DUPLICATE, FILTER, NEAR_DUPLICATE, WITHDRAWN
from packtrain.dataset.recipe import split_names
from packtrain.dataset.selection import Selection, totals
from packtrain.documents.data_scan import DataScan
from packtrain.documents.dataset import Dataset, SampleCount
from packtrain.events import Notice
from packtrain.stages.prepare.ground import STAGE, Given
from packtrain.stages.prepare.reading import Read
from packtrain.units import counted

_WHERE = "packtrain look --rejects says which and why"


def sample_counts(selection: Selection, read: Read) -> list[SampleCount]:
    """Return how many samples of each kind are kept, and why others are not; without kinds of which none was seen."""
    kept: dict[str, int] = {}
    for count in selection.splits():
        kept[count.kind] = kept.get(count.kind, 0) + count.num_samples
    drops = selection.drops()
    by_reason = {reason: totals(drops, reason) for reason in (FILTER, DUPLICATE, NEAR_DUPLICATE, WITHDRAWN)}
    return [
        SampleCount(
            kind=kind,
            num_samples=kept.get(kind, 0),
            num_rejects=read.num_rejects.get(kind, 0),
            num_filtered=by_reason[FILTER].get(kind, 0),
            num_duplicates=by_reason[DUPLICATE].get(kind, 0),
            num_near_duplicates=by_reason[NEAR_DUPLICATE].get(kind, 0),
            num_withdrawn=by_reason[WITHDRAWN].get(kind, 0),
        )
        for kind in KIND_NAMES
        if kind in kept or kind in read.num_rejects or any(kind in each for each in by_reason.values())
    ]


def numbers(given: Given, document: Dataset, read: Read) -> dict[str, int]:
    """Return the counts of the receipt."""
    found = {
        "samples_prepared": document.num_samples,
        "rejects": sum(count.num_rejects for count in document.counts),
        "filtered": sum(count.num_filtered for count in document.counts),
        "duplicates": sum(count.num_duplicates for count in document.counts),
        "near_duplicates": sum(count.num_near_duplicates for count in document.counts),
        "withdrawn": sum(count.num_withdrawn for count in document.counts),
        "unread_files": given.seen.num_unread,
        "frames_left_over": read.left_over,
        "sources": document.num_sources,
        "source_bytes": document.source_bytes,
        "dataset_bytes": sum(file.bytes for file in (*document.shards, *document.files)),
        "miniature_samples": sum(shard.num_samples for shard in document.miniature_shards),
        "shards": len(document.shards),
        "units": len(read.units),
        "units_reused": read.num_reused,
    }
    for split in sorted({shard.split for shard in document.shards}):
        found[f"{split}_samples"] = sum(shard.num_samples for shard in document.shards if shard.split == split)
    for count in document.counts:
        found[f"{count.kind}_samples"] = count.num_samples
        found[f"{count.kind}_rejects"] = count.num_rejects
        found[f"{count.kind}_duplicates"] = count.num_duplicates
        found[f"{count.kind}_bytes"] = sum(s.bytes for s in document.shards if s.kind == count.kind)
    return found


def tell(
    given: Given,
    document: Dataset,
    read: Read,
    scan: DataScan,
    *,
    num_bounded: int,
    num_unnamed: int | None,
    groups: tuple[int, float],
) -> None:
    """Say what was set aside, dropped and found, where to look at it, and what it may mean."""

    def warn(text: str) -> None:
        given.sink(Notice(STAGE, text, is_warning=True))

    seen = given.seen
    num_rejects = sum(count.num_rejects for count in document.counts)
    if num_rejects:
        named = "; ".join(
            f"{each.path}{f' {each.place}' if each.place else ''}: {each.error.rstrip('.')}"
            for each in read.first_rejects
        )
        warn(f"set aside: {counted(num_rejects, 'input')}, first {named}; {_WHERE}")
    if seen.num_unread:
        first = ", ".join(seen.first_unread)
        warn(f"of no type that packtrain prepares: {counted(seen.num_unread, 'file')}, first {first}; {_WHERE}")
    if seen.num_other_kinds:
        given.sink(Notice(STAGE, f"{seen.num_other_kinds} files are of kinds that the recipe leaves out"))
    _tell_drops(given, document)
    _tell_splits(given, document, num_unnamed, groups)
    if num_bounded:
        warn(
            f"near-duplicates: {counted(num_bounded, 'crowd')} of samples that look alike was too large to compare all"
            " pairs: a few copies may be left, and may be on both sides of a split"
        )
    if read.left_over:
        given.sink(Notice(STAGE, f"{read.left_over} frames at the ends of clips fill no sample"))
    if scan.num_findings:
        kinds = ", ".join(f"{each.looks_for} ({each.num_findings})" for each in scan.detectors if each.num_findings)
        warn(f"the data scan found what looks personal: {kinds}: documents/data-scan.json says in which columns")


def _tell_drops(given: Given, document: Dataset) -> None:
    reasons = {
        "by filters": sum(count.num_filtered for count in document.counts),
        "as near-duplicates": sum(count.num_near_duplicates for count in document.counts),
        "since their source was withdrawn": sum(count.num_withdrawn for count in document.counts),
    }
    told = ", ".join(f"{number} {reason}" for reason, number in reasons.items() if number)
    if told:
        given.sink(Notice(STAGE, f"dropped: {told}; packtrain look --drops has a line for each"))
    for count in document.counts:
        if count.num_samples == 0 and count.num_filtered:
            text = f"no {count.kind} is left: filters dropped {count.num_filtered:,}; see [[prepare.filter]]"
            given.sink(Notice(STAGE, text, is_warning=True))


def _tell_splits(given: Given, document: Dataset, num_unnamed: int | None, groups: tuple[int, float]) -> None:
    """Say how many samples each split has: groups are whole, so that shares are not those of the recipe."""
    if len(split_names(given.recipe)) == 1:
        return
    total = max(document.num_samples, 1)
    parts: list[str] = []
    for name in split_names(given.recipe):
        number = sum(shard.num_samples for shard in document.shards if shard.split == name)
        asked = f", asked {getattr(given.recipe.splits, name):.1%}" if name != "train" else ""
        parts.append(f"{name} {number} ({number / total:.1%}{asked})")
        if number == 0:
            text = f"split {name} has no sample: there are too few groups for it; see group_by in [prepare.splits]"
            given.sink(Notice(STAGE, text, is_warning=True))
    whole = f"{counted(groups[0], 'group')}, the largest with {groups[1]:.1%} of the samples"
    given.sink(Notice(STAGE, f"splits: {', '.join(parts)}; {whole}"))
    if num_unnamed:
        is_all = num_unnamed == sum(
            each.num_samples + each.num_filtered + each.num_duplicates + each.num_near_duplicates + each.num_withdrawn
            for each in document.counts
        )
        what = "matches no source" if is_all else f"does not match the sources of {counted(num_unnamed, 'sample')}"
        text = f"group_pattern {what}: each of these sources is a group of its own"
        given.sink(Notice(STAGE, text, is_warning=is_all))
