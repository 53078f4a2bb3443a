"""What is costly to open and may be used by many threads at once: kept open, as many as may be."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Kept(Generic[_Value]):
    value: _Value
    num_users: int = 0


class Lending(Generic[_Key, _Value]):
    """Keeps what was opened for whoever asks next; what is in use is never closed. Any number of threads may use it.

    Args:
        open_one: opens one, by its key; only one thread does so at a time.
        close_one: closes one.
        most: how many stay open, unless more are in use.
    """

    def __init__(self, open_one: Callable[[_Key], _Value], close_one: Callable[[_Value], None], most: int) -> None:
        self._open_one = open_one
        self._close_one = close_one
        self._most = most
        self._kept: OrderedDict[_Key, _Kept[_Value]] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self, key: _Key) -> Iterator[_Value]:
        """Lend one; what `open_one` raises goes on to the caller, and nothing is kept."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = _Kept(self._open_one(key))
            self._kept.move_to_end(key)
            kept.num_users += 1
            idle = [each for each, item in self._kept.items() if not item.num_users]
            for each in idle[: max(len(self._kept) - self._most, 0)]:
                self._close_one(self._kept.pop(each).value)
        try:
            yield kept.value
        finally:
            with self._lock:
                kept.num_users -= 1

    def close(self) -> None:
        """Close all; no thread may be using one."""
        for kept in self._kept.values():
            self._close_one(kept.value)
        self._kept.clear()
