"""The Ray engine on a Ray of this machine: workers that die, errors, jobs taken as there is room."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dying_jobs import Job, healed, refuse, work
from packtrain.engines.ray import RayMapper, open_ray
from packtrain.engines.shared_folders import shared_folders
from packtrain.errors import ClusterUnreachable, MissingDependency, NothingToCarry, VoyageFileError, WorkerCrashed
from source_parts import ignore

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = [pytest.mark.cluster, pytest.mark.skipif(not HAS_RAY, reason="ray is not installed (the extra cluster)")]


@pytest.fixture(scope="module")
def mapper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayMapper]:
    """Return a mapper over a Ray of this machine with two CPUs."""
    folder = tmp_path_factory.mktemp("ray")
    tests = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    with shared_folders(folder / "hosts", [], ["msgspec"]) as shared, open_ray("", 2, shared, ignore) as found:
        yield found


class TestOnARayOfThisMachine:
    pytestmark = needs_ray

    def test_every_job_gives_its_result(self, mapper: RayMapper) -> None:
        found = mapper.map(work, (Job(number) for number in range(20)))
        assert sorted(result for _, result in found) == [n * n for n in range(20)]

    def test_jobs_are_taken_as_there_is_room(self, mapper: RayMapper) -> None:
        taken: list[int] = []

        def jobs() -> Iterator[Job]:
            for number in range(1000):
                taken.append(number)
                yield Job(number)

        running = mapper.map(work, jobs())
        next(running)
        running.close()
        assert len(taken) <= 8

    def test_a_job_that_kills_its_worker_is_changed_and_takes_no_other_with_it(self, mapper: RayMapper) -> None:
        jobs = [Job(number, dies=number in (2, 5)) for number in range(8)]
        found = dict(mapper.map(work, jobs, healed))
        assert sorted(found.values()) == [n * n for n in range(8)]
        assert not any(job.dies for job in found)

    def test_a_job_whose_worker_was_killed_from_outside_is_tried_again(self, mapper: RayMapper, tmp_path: Path) -> None:
        jobs = [Job(1), Job(2, deaths=tmp_path / "deaths", lives=2), Job(3)]
        assert sorted(result for _, result in mapper.map(work, jobs)) == [1, 4, 9]

    def test_a_job_that_kills_every_worker_is_an_error_in_words(self, mapper: RayMapper) -> None:
        with pytest.raises(WorkerCrashed, match="again and again"):
            list(mapper.map(work, [Job(1, dies=True)]))

    def test_an_error_of_ours_comes_through_with_all_its_fields(self, mapper: RayMapper) -> None:
        with pytest.raises(NothingToCarry) as caught:
            list(mapper.map(refuse, [Job(1)]))
        assert (caught.value.what, caught.value.where, caught.value.hint) == ("nothing here", "a place", "look")

    def test_an_error_of_the_system_comes_through_as_itself(self, mapper: RayMapper) -> None:
        with pytest.raises(FileNotFoundError):
            list(mapper.map(os.stat, [Path("/no/such/file")]))


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    if HAS_RAY:
        pytest.skip("ray is installed")
    with (
        shared_folders(tmp_path / "hosts", [], []) as shared,
        pytest.raises(MissingDependency) as caught,
        open_ray("", None, shared, ignore),
    ):
        pass
    assert "packtrain[cluster]" in str(caught.value.hint)


@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed (the extra cluster)")
@pytest.mark.parametrize(
    ("address", "error"), [("ray://127.0.0.1:10001", VoyageFileError), ("127.0.0.1:1", ClusterUnreachable)]
)
@pytest.mark.cluster
def test_an_address_that_is_no_head_is_an_error_in_words(tmp_path: Path, address: str, error: type[Exception]) -> None:
    with (
        shared_folders(tmp_path / "hosts", [], []) as shared,
        pytest.raises(error),
        open_ray(address, 1, shared, ignore),
    ):
        pass
