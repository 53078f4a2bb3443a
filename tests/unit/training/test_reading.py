"""Processes that read ahead: the same samples in the same order, errors, deaths, a run that is killed and goes on."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from packtrain.errors import IntegrityError
from packtrain.training.loader import Position, Sample, SampleStore, open_loader
from packtrain.training.reading import read_in_processes
from tiny_dataset import make_tiny_dataset

READER = Path(__file__).parents[2] / "keys_read.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tiny_dataset(tmp_path / "data", num_tables=6, num_images=9, num_clips=2)
    return tmp_path / "data"


def loaded(store: SampleStore, num_processes: int, order: Any = "random", **more: Any) -> list[Any]:
    position = Position.start(5, store.index_digest, order)
    options: dict[str, Any] = {"global_batch": 6, "rank": 1, "world_size": 2, "num_batches": 9, **more}
    return list(open_loader(store, position, num_processes=num_processes, **options))


@pytest.mark.parametrize("order", ["random", "block", "sequential"])
def test_processes_give_the_samples_of_one_in_the_same_order(root: Path, order: str) -> None:
    store = SampleStore(root)
    alone = loaded(store, 0, order)
    assert len(alone) == 9
    for num_processes in (1, 2, 3):
        assert loaded(store, num_processes, order) == alone


def test_a_batch_that_fits_no_slot_comes_all_the_same(root: Path) -> None:
    store = SampleStore(root)
    steps = [[6, 7, 0], [8], [16, 1]]
    found = list(read_in_processes(store, steps, 2, slot_bytes=300))
    assert found == [store.__getitems__(rows) for rows in steps]
    sizes = [sum(len(sample.payload) for sample in samples) for samples in found]
    assert min(sizes) < 300 < max(sizes)  # both ways were gone


def test_damage_found_in_a_process_is_told_as_without_one(root: Path) -> None:
    shard = root / "shards/image-000000.tar"
    content = bytearray(shard.read_bytes())
    content[512 + 30] ^= 1
    shard.write_bytes(content)
    store = SampleStore(root)
    said: list[dict[str, object]] = []
    for num_processes in (0, 2):
        with pytest.raises(IntegrityError) as caught:
            loaded(store, num_processes)
        said.append(caught.value.to_dict())
    assert said[0] == said[1]
    assert "i0000" in str(said[0]["where"])


def lengths_of(samples: list[Sample]) -> tuple[int, list[int]]:
    return os.getpid(), [len(sample.payload) for sample in samples]


def refuse(samples: list[Sample]) -> None:
    raise ZeroDivisionError(samples[0].key)


def test_the_program_makes_its_batches_in_the_processes(root: Path) -> None:
    store = SampleStore(root)
    found = loaded(store, 2, make_batch=lengths_of)
    assert [lengths for _, lengths in found] == [lengths_of(samples)[1] for samples in loaded(store, 0)]
    assert len({process for process, _ in found} - {os.getpid()}) == 2


def test_an_error_of_the_program_s_own_function_comes_as_it_is(root: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        loaded(SampleStore(root), 2, make_batch=refuse)
    assert "refuse" in caught.value.__notes__[0]


class AwkwardError(Exception):
    """Is pickled, and cannot be read again: its class takes two."""

    def __init__(self, key: str, number: int) -> None:
        super().__init__(f"{key} and {number}")


def refuse_awkwardly(samples: list[Sample]) -> None:
    raise AwkwardError(samples[0].key, 7)


def test_an_error_that_does_not_come_through_a_pipe_comes_as_its_text(root: Path) -> None:
    with pytest.raises(RuntimeError, match=r"AwkwardError: .* and 7") as caught:
        loaded(SampleStore(root), 2, make_batch=refuse_awkwardly)
    assert "refuse_awkwardly" in caught.value.__notes__[0]


def test_a_loader_is_not_begun_twice_since_its_position_would_count_on(root: Path) -> None:
    store = SampleStore(root)
    for num_processes in (0, 2):
        start = Position.start(5, store.index_digest)
        options: dict[str, Any] = {"global_batch": 2, "rank": 0, "world_size": 1, "num_processes": num_processes}
        loader = open_loader(store, start, num_batches=3, **options)
        assert len(list(loader)) == 3
        with pytest.raises(RuntimeError, match="once"):
            next(iter(loader))
        assert loader.position == start.advanced(6, len(store))
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_ends_the_reading_and_hangs_nothing(root: Path) -> None:
    store = SampleStore(root)
    batches = iter(
        open_loader(store, Position.start(5, store.index_digest), global_batch=2, rank=0, world_size=1, num_processes=2)
    )
    next(batches)
    os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="-9"):
        for _ in range(20):
            next(batches)
    assert multiprocessing.active_children() == []


def test_a_loader_that_is_given_up_leaves_no_process(root: Path) -> None:
    store = SampleStore(root)
    batches = iter(
        open_loader(store, Position.start(5, store.index_digest), global_batch=2, rank=0, world_size=1, num_processes=2)
    )
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    del batches
    assert multiprocessing.active_children() == []


def reader(root: Path, position: Position, *more: str) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, READER, root, json.dumps(position.to_dict()), *more]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_processes_that_are_started_afresh_read_the_same_and_nobody_needs_torch(root: Path) -> None:
    store = SampleStore(root)
    position = Position.start(5, store.index_digest)
    output, _ = reader(root, position, "3", "2", "12", "forkserver").communicate(timeout=120)
    *lines, last = [json.loads(line) for line in output.splitlines()]
    alone = open_loader(store, position, global_batch=3, rank=0, world_size=1, num_batches=12)
    assert [line["keys"] for line in lines] == [[sample.key for sample in samples] for samples in alone]
    assert last == {"is_torch_there": False}


@pytest.mark.root
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_nothing_is_written_below_dev_shm(root: Path, method: str) -> None:
    store = SampleStore(root)
    words = [sys.executable, READER, root, json.dumps(Position.start(5, store.index_digest).to_dict())]
    without = 'mount -t tmpfs -o ro,size=4k none /dev/shm || exit 77; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", without, "sh", *words, "3", "2", "12", method],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode == 77:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 13


def test_a_reader_killed_in_the_middle_of_an_epoch_goes_on_and_no_sample_is_lost_or_repeated(root: Path) -> None:
    store = SampleStore(root)
    position = Position.start(5, store.index_digest)
    seen: list[str] = []
    readers: set[int] = set()
    for batch, num_processes, num_lines in ((3, 2, 4), (2, 3, 7), (4, 2, 6)):
        process = reader(root, position, str(batch), str(num_processes), "0", "fork")
        assert process.stdout is not None
        line: dict[str, Any] = {}
        for _ in range(num_lines):
            line = json.loads(process.stdout.readline())
            seen += line["keys"]
            readers |= set(line["readers"])
        position = Position.from_dict(line["position"], "line")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    epochs, consumed = divmod(4 * 3 + 7 * 2 + 6 * 4, len(store))
    assert (position.epoch, position.samples_consumed) == (epochs, consumed)
    for epoch in range(epochs):
        assert len(set(seen[epoch * len(store) : (epoch + 1) * len(store)])) == len(store)
    assert max(Counter(seen[epochs * len(store) :]).values()) == 1
    _wait_until_ended(readers)


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_readers_started_afresh_end_by_themselves_where_their_program_was_killed(root: Path, method: str) -> None:
    position = Position.start(5, SampleStore(root).index_digest)
    process = reader(root, position, "3", "2", "0", method)
    assert process.stdout is not None
    readers = set(json.loads(process.stdout.readline())["readers"])
    assert len(readers) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _wait_until_ended(readers)


def _wait_until_ended(readers: set[int]) -> None:
    """What a killed program leaves behind ends by itself."""
    deadline = time.monotonic() + 30
    while (alive := [pid for pid in readers if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not alive


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
