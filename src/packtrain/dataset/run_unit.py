"""The function that processes are given: one unit of work, whether its sources are files or shards that are adopted.

Workers import this module and nothing of the stage: what signs and seals would be loaded in each of them for nothing.
"""

from __future__ import annotations

from packtrain.dataset.unit_reader import read_unit
from packtrain.dataset.work_units import ReadJob, UnitReceipt, without_the_source_it_died_of


def run_unit(job: ReadJob) -> UnitReceipt:
    """Do one unit, in whatever process this is; see `read_unit` and `adopt_unit` for errors."""
    if type(job) is ReadJob:
        return read_unit(job)
    from packtrain.dataset.adopt.unit import AdoptJob, adopt_unit

    assert isinstance(job, AdoptJob)
    return adopt_unit(job)


def after_crash(job: ReadJob) -> ReadJob | None:
    """Return the job without what its process died of, or None if that is not known."""
    if type(job) is ReadJob:
        return without_the_source_it_died_of(job)
    from packtrain.dataset.adopt.unit import AdoptJob, without_the_sample_it_died_of

    assert isinstance(job, AdoptJob)
    return without_the_sample_it_died_of(job)
