"""What is kept open for whoever asks next."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest

from packtrain.errors import DriveFailed
from packtrain.volume.lending import Lending


def test_no_more_stay_open_than_may_and_none_in_use_is_closed() -> None:
    is_open: set[int] = set()

    def open_one(key: int) -> int:
        assert key not in is_open
        is_open.add(key)
        return key

    lending = Lending(open_one, is_open.remove, 3)
    faults: list[int] = []

    def borrow(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(500):
            with lending.lent(key := order.randrange(10)) as value:
                if value != key or key not in is_open:
                    faults.append(key)

    threads = [threading.Thread(target=borrow, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    with lending.lent(1), lending.lent(2), lending.lent(3), lending.lent(4):
        assert is_open == {1, 2, 3, 4}
    with lending.lent(4):
        assert len(is_open) == 3
    lending.close()
    assert not is_open


def test_what_cannot_be_opened_is_tried_again_by_the_next() -> None:
    asked: list[str] = []

    def open_one(key: str) -> str:
        asked.append(key)
        if len(asked) == 1:
            raise DriveFailed("no answer", where=key)
        return key

    lending = Lending(open_one, lambda value: None, 3)
    with pytest.raises(DriveFailed), contextlib.ExitStack() as held:
        held.enter_context(lending.lent("A1"))
    with lending.lent("A1") as value:
        assert value == "A1"
    assert asked == ["A1", "A1"]
