"""What all that map jobs must do. An adapter's test subclasses MapperContract and gives a mapper of two workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dying_jobs import Job, healed, refuse, work
from packtrain.errors import NothingToCarry, WorkerCrashed
from packtrain.ports import JobMapper

_MOST_AHEAD = 8
"""Jobs that two workers may have at most before the first result is taken."""


class MapperContract:
    """The contract; the fixture `mapper` gives a mapper of two workers."""

    def test_every_job_gives_its_result(self, mapper: JobMapper) -> None:
        found = mapper.map(work, (Job(number) for number in range(20)))
        assert sorted(result for _, result in found) == [n * n for n in range(20)]

    def test_no_job_gives_nothing(self, mapper: JobMapper) -> None:
        assert list(mapper.map(work, [])) == []

    def test_jobs_are_taken_as_there_is_room(self, mapper: JobMapper) -> None:
        taken: list[int] = []

        def jobs() -> Iterator[Job]:
            for number in range(1000):
                taken.append(number)
                yield Job(number)

        running = mapper.map(work, jobs())
        next(running)
        running.close()
        assert len(taken) <= _MOST_AHEAD

    def test_a_job_that_kills_its_worker_is_changed_and_takes_no_other_with_it(self, mapper: JobMapper) -> None:
        jobs = [Job(number, dies=number in (2, 5)) for number in range(8)]
        found = dict(mapper.map(work, jobs, healed))
        assert sorted(found.values()) == [n * n for n in range(8)]
        assert not any(job.dies for job in found)

    def test_a_job_whose_worker_was_killed_from_outside_is_tried_again(self, mapper: JobMapper, tmp_path: Path) -> None:
        jobs = [Job(1), Job(2, deaths=tmp_path / "deaths", lives=2), Job(3)]
        assert sorted(result for _, result in mapper.map(work, jobs)) == [1, 4, 9]

    def test_a_job_that_kills_every_worker_is_an_error_in_words(self, mapper: JobMapper) -> None:
        with pytest.raises(WorkerCrashed, match="without a word"):
            list(mapper.map(work, [Job(1, dies=True)]))

    def test_an_error_of_ours_comes_through_with_all_its_fields(self, mapper: JobMapper) -> None:
        with pytest.raises(NothingToCarry) as caught:
            list(mapper.map(refuse, [Job(1)]))
        assert (caught.value.what, caught.value.where, caught.value.hint) == ("nothing here", "a place", "look")

    def test_an_error_of_the_system_comes_through_as_itself(self, mapper: JobMapper) -> None:
        with pytest.raises(FileNotFoundError):
            list(mapper.map(os.stat, [Path("/no/such/file")]))
