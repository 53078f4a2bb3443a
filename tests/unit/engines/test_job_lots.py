from collections.abc import Iterator
from pathlib import Path

import pytest

from dying_jobs import Job, refuse, work
from packtrain.engines.job_lots import Listener, Told, jobs_of_lot, lot_path, run_lot, write_lot
from packtrain.engines.shared_folders import SharedFolders, shared_folders
from packtrain.errors import HostUnfit, NothingToCarry


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedFolders]:
    with shared_folders(tmp_path / "hosts", [], []) as found:
        yield found


def test_a_lot_is_done_in_order_and_each_job_told_of_when_it_begins_and_ends(
    tmp_path: Path, shared: SharedFolders
) -> None:
    jobs = [Job(3), Job(4)]
    assert write_lot(tmp_path, 7, work, iter(jobs), shared) == 2
    assert list(jobs_of_lot(tmp_path, 7)) == jobs
    listener = Listener(tmp_path, 7)
    assert list(listener.news()) == []
    run_lot(lot_path(tmp_path, 7), "here")
    ended = [Told(0), Told(0, has_ended=True, result=9), Told(1), Told(1, has_ended=True, result=16)]
    assert list(listener.news()) == ended
    assert list(listener.news()) == []


def test_an_error_ends_the_lot_and_comes_through_with_all_its_fields(tmp_path: Path, shared: SharedFolders) -> None:
    write_lot(tmp_path, 0, refuse, [Job(0), Job(1), Job(2)], shared)
    run_lot(lot_path(tmp_path, 0), "here")
    told = list(Listener(tmp_path, 0).news())
    assert [each.place for each in told] == [0, 0, 1, 1]
    error = told[-1].error
    assert isinstance(error, NothingToCarry)
    assert (error.what, error.where, error.hint) == ("nothing here", "a place", "look")


def test_a_host_that_is_not_fit_says_so_before_it_does_anything(tmp_path: Path, shared: SharedFolders) -> None:
    write_lot(tmp_path, 0, work, [Job(1)], shared)
    (shared.probe / "here").unlink()
    run_lot(lot_path(tmp_path, 0), "there")
    (told,) = Listener(tmp_path, 0).news()
    assert isinstance(told.error, HostUnfit)


def test_what_a_task_says_is_taken_in_wherever_it_is_cut_off(tmp_path: Path, shared: SharedFolders) -> None:
    write_lot(tmp_path, 0, work, [Job(2)], shared)
    run_lot(lot_path(tmp_path, 0), "here")
    path = lot_path(tmp_path, 0).with_suffix(".told")
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        listener = Listener(tmp_path, 0)
        before = list(listener.news())
        path.write_bytes(whole)
        assert before + list(listener.news()) == [Told(0), Told(0, has_ended=True, result=4)]


def test_a_lot_that_is_written_anew_forgets_what_was_told(tmp_path: Path, shared: SharedFolders) -> None:
    write_lot(tmp_path, 0, work, [Job(2), Job(5)], shared)
    run_lot(lot_path(tmp_path, 0), "here")
    assert write_lot(tmp_path, 0, work, (job for job in jobs_of_lot(tmp_path, 0) if job.number == 5), shared) == 1
    assert list(Listener(tmp_path, 0).news()) == []
    run_lot(lot_path(tmp_path, 0), "here")
    assert list(Listener(tmp_path, 0).news())[-1] == Told(0, has_ended=True, result=25)
