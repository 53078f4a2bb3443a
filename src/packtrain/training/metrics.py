"""The steps that count: one line a step, whatever number of attempts it took to get there."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from packtrain.ports import StepRecord

METRICS_NAME: Final = "metrics.jsonl"
STEPS_NAME: Final = "steps.jsonl"
"""The log that `StepLog` keeps, beside the workers' output."""


def steps_that_count(records: Iterable[StepRecord]) -> tuple[StepRecord, ...]:
    """Return the steps that led to the final weights, in order.

    An attempt that begins at step s undoes what earlier attempts did from s on: their checkpoint was older than their
    last line. Of two lines of one step that follow each other in an attempt the later counts.
    """
    counted: list[StepRecord] = []
    attempt: int | None = None
    for record in records:
        if record.attempt != attempt:
            attempt = record.attempt
            while counted and counted[-1].step >= record.step:
                counted.pop()
        elif counted and counted[-1].step == record.step:
            counted.pop()
        counted.append(record)
    return tuple(counted)


def encode_metrics(records: Iterable[StepRecord]) -> bytes:
    """Return metrics.jsonl: step, loss and samples, one line a step.

    No times and no numbers of attempts: two runs that went through the same steps have the same bytes. A loss that is
    no finite number is written as null, as JSON has none.
    """
    lines = [
        json.dumps(
            {
                "step": record.step,
                "loss": record.loss if record.loss is not None and math.isfinite(record.loss) else None,
                "samples": record.num_samples,
            }
        )
        for record in records
    ]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


class StepLog:
    """The step lines of one training over all runs of packtrain, so that a killed one loses none that count.

    Lines are written as they come and flushed to the system, not to the medium: they are a record, not a state. After a
    power cut the last ones may be missing, and a torn one is left out. Each run counts its seconds from its own start.

    Args:
        path: the file; made at the first line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_begun = False

    def read(self) -> list[StepRecord]:
        """Return the whole lines."""
        try:
            payload = self._path.read_bytes()
        except FileNotFoundError:
            return []
        records: list[StepRecord] = []
        for line in payload.split(b"\n")[:-1]:
            try:
                attempt, step, loss, num_samples, elapsed_seconds = json.loads(line)
                records.append(StepRecord(attempt, step, loss, num_samples, elapsed_seconds))
            except (ValueError, TypeError):
                continue
        return records

    def append(self, record: StepRecord) -> None:
        """Write one line."""
        fields = (record.attempt, record.step, record.loss, record.num_samples, round(record.elapsed_seconds, 3))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b", buffering=0) as stream:
            if not self._is_begun:
                # A crash may have left a torn line: end it, so that it does not swallow the next one.
                stream.seek(-1 if stream.seek(0, os.SEEK_END) else 0, os.SEEK_END)
                if stream.read(1) not in (b"", b"\n"):
                    stream.write(b"\n")
                self._is_begun = True
            stream.write(json.dumps(fields).encode("ascii") + b"\n")
