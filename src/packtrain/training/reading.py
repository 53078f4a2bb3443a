"""Processes that read batches ahead, and hand them over in the order of the steps. They need no torch.

Nothing is sent to a process: which rows a step sees is a function of seed and position, so each works out its own
steps, the k-th of n processes every n-th from the k-th on. A process waits where it is as far ahead as it may be.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from packtrain.errors import PacktrainError
from packtrain.training.handover import SLOT_BYTES, SharedSlots
from packtrain.training.store import Sample, SampleStore

MakeBatch = Callable[[list[Sample]], Any]
_BATCHES_AHEAD: Final = 3  # of each process, with the one that is being copied out
_STEPS_ANNOUNCED: Final = 2  # of each process, beside the one that is being read
_LOOK_SECONDS: Final = 2.0  # how often a process that waits looks whether its parent lives


class _Note(NamedTuple):
    """A batch of a process: where it lies in the slot, or the batch itself where it lies in none."""

    rows: Sequence[int]
    ends: Sequence[int] | None
    batch: Any


class _Failed(NamedTuple):
    """What ended a process."""

    error: BaseException
    text: str


def read_in_processes(
    store: SampleStore,
    steps: Iterable[list[int]],
    num_processes: int,
    make_batch: MakeBatch | None = None,
    *,
    slot_bytes: int = SLOT_BYTES,
) -> Iterator[Any]:
    """Yield the samples of each step, or what `make_batch` makes of them, read by so many processes.

    Args:
        steps: rows of each step; gone through by every process for itself.
        slot_bytes: of a batch that goes through shared memory; a larger one goes through a pipe.

    Raises:
        IntegrityError: as the store raises it.
        RuntimeError: a process was killed.
    """
    context = multiprocessing.get_context()
    slots = SharedSlots(num_processes, _BATCHES_AHEAD, mmap.PAGESIZE if make_batch else slot_bytes)
    processes: list[tuple[Any, Connection]] = []
    owner = os.getpid()
    try:
        for number in range(num_processes):
            ours, theirs = context.Pipe(duplex=False)
            reader = _Reader(store, slots, number, make_batch)
            # What a fork inherits and must close: else none of them sees that this process died while it writes.
            inherited = [ours, *(pipe for _, pipe in processes)] if context.get_start_method() == "fork" else []
            process = context.Process(target=_read, args=(reader, steps, num_processes, theirs, inherited), daemon=True)
            process.start()
            # Before the next is started: it would hold this end open, and the death of this one went unseen.
            theirs.close()
            processes.append((process, ours))
        for number, (process, pipe) in enumerate(itertools.cycle(processes)):
            note = _received(process, pipe)
            if note is None:
                return
            if note.ends is None:
                batch = note.batch
            else:
                view = slots.filled(number % num_processes)
                pieces = [bytes(view[first:end]) for first, end in itertools.pairwise((0, *note.ends))]
                batch = store.samples(note.rows, pieces)
            slots.give_back(number % num_processes)
            yield batch
    finally:
        # A process that was forked from this one, and ends, has these lines to run too, and not these children.
        if os.getpid() == owner:
            for process, pipe in processes:
                process.terminate()
                process.join()
                pipe.close()


def _received(process: Any, pipe: Connection) -> _Note | None:
    try:
        said = pipe.recv()
    except (EOFError, ConnectionError):
        process.join()
        raise RuntimeError(
            f"a process that read samples ended with exit code {process.exitcode}: killed, perhaps for want of memory"
        ) from None
    if isinstance(said, _Failed):
        if not isinstance(said.error, PacktrainError):
            said.error.add_note(f"in a process that reads samples:\n{said.text}")
        raise said.error
    return said


class _Reader:
    """What one process needs to read a step."""

    def __init__(self, store: SampleStore, slots: SharedSlots, number: int, make_batch: MakeBatch | None) -> None:
        self.number = number
        self.slots = slots
        self._store = store
        self._make_batch = make_batch

    def announced(self, steps: Iterable[list[int]]) -> Iterator[list[int]]:
        """Yield the steps; the medium knows of the next ones then, and works while others do."""
        known: deque[list[int]] = deque()
        for rows in steps:
            self._store.announce(rows)
            known.append(rows)
            if len(known) > _STEPS_ANNOUNCED:
                yield known.popleft()
        yield from known

    def read(self, rows: list[int]) -> _Note:
        """Return what to tell of these rows; a slot has been taken for them."""
        if self._make_batch is not None:
            return _Note((), None, self._make_batch(self._store.__getitems__(rows)))
        ends = self._store.read_into(rows, self.slots.filling(self.number))
        return _Note(rows, ends, None) if ends is not None else _Note((), None, self._store.__getitems__(rows))


def _read(
    reader: _Reader, steps: Iterable[list[int]], num_processes: int, pipe: Connection, inherited: list[Connection]
) -> None:
    """Read every step that is this process's, until the parent ends it or dies."""
    lives = _look_at_parent()
    for other in inherited:
        other.close()
    # A handler of the program's would run here too: the parent alone decides when reading ends.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # n processes with a thread for every core each would stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    with contextlib.suppress(BrokenPipeError):
        try:
            for rows in reader.announced(itertools.islice(steps, reader.number, None, num_processes)):
                while not reader.slots.take(reader.number, _LOOK_SECONDS):
                    if not lives():
                        return
                pipe.send(reader.read(rows))
            pipe.send(None)
        except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
            text = traceback.format_exc()
            try:
                # Many errors can be pickled and not read again: those whose class takes more than its message.
                pickle.loads(pickle.dumps(error))  # noqa: S301 - written in this line
            except Exception:  # noqa: BLE001 - an error that cannot be sent is sent as its text
                error = RuntimeError(f"{type(error).__name__}: {error}")
            pipe.send(_Failed(error, text))
    # A tensor that was sent is fetched from this process: it has to be there until the parent has all.
    while lives():
        time.sleep(_LOOK_SECONDS)


def _look_at_parent() -> Callable[[], bool]:
    """Return what says whether the process that reads from this one lives.

    A fork sees its parent change. A process of a fork server does not: the server is its parent, and lives as long as
    any of its processes; what it has of the other is the end of a pipe.
    """
    parent, reader = os.getppid(), multiprocessing.parent_process()

    def lives() -> bool:
        return os.getppid() == parent and (reader is None or reader.is_alive())

    return lives
