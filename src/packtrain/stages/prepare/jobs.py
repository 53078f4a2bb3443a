"""The units of work of a run, whether their sources are files or shards that are adopted."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.dataset.adopt.survey import ShardSurvey
from packtrain.dataset.adopt.unit import slice_shards
from packtrain.dataset.work_units import ReadJob, slice_sources
from packtrain.stages.prepare.ground import Given


def read_jobs(given: Given, target_bytes: int) -> Iterator[ReadJob]:
    """Yield the job of every unit, of files or of shards."""
    units, recipe = given.places.units, given.recipe
    if isinstance(given.seen, ShardSurvey):
        yield from slice_shards(given.seen.shards(), given.sources, recipe, units, target_bytes)
        return
    for unit in slice_sources(given.seen.files(), recipe, target_bytes):
        yield ReadJob(unit, given.sources, recipe, units, withdrawn=given.withdrawn.digests)
