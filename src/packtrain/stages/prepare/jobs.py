"""The units of work of a run, whether their sources are files or shards that are adopted."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.dataset.adopt.survey import ShardSurvey
from packtrain.dataset.adopt.unit import AdoptJob, adopt_unit, slice_shards, without_the_sample_it_died_of
from packtrain.dataset.unit_reader import read_unit
from packtrain.dataset.work_units import ReadJob, UnitReceipt, slice_sources, without_the_source_it_died_of
from packtrain.stages.prepare.ground import Given


def read_jobs(given: Given, target_bytes: int) -> Iterator[ReadJob]:
    """Yield the job of every unit, of files or of shards."""
    units, recipe = given.places.units, given.recipe
    if isinstance(given.seen, ShardSurvey):
        yield from slice_shards(given.seen.shards(), given.sources, recipe, units, target_bytes)
        return
    for unit in slice_sources(given.seen.files(), recipe, target_bytes):
        yield ReadJob(unit, given.sources, recipe, units, withdrawn=given.withdrawn.digests)


def run_job(job: ReadJob) -> UnitReceipt:
    """Do one unit, in whatever process this is; see `read_unit` and `adopt_unit` for errors."""
    return adopt_unit(job) if isinstance(job, AdoptJob) else read_unit(job)


def after_crash(job: ReadJob) -> ReadJob | None:
    """Return the job without what its process died of, or None if that is not known."""
    return without_the_sample_it_died_of(job) if isinstance(job, AdoptJob) else without_the_source_it_died_of(job)
