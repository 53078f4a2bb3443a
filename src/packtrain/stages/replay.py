"""replay: which samples a training step sees, from the index and the loader's order; nothing is read but the index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packtrain.errors import DataOrderChanged, SourceUnreadable, StageNotReady
from packtrain.record.folder import VoyageFolder
from packtrain.training.known_run import Asked, KnownRun, known_run
from packtrain.training.replay import IndexRows, Run, batch_of


@dataclass(frozen=True, slots=True)
class Replayed:
    """Steps and their samples.

    Attributes:
        run_from: where seed, batch and order were found.
        batches: by step, rows of the index in the order in which this worker gets them.
    """

    run: Run
    run_from: dict[str, str]
    num_samples: int
    batches: dict[int, list[dict[str, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "seed": self.run.seed,
            "global_batch": self.run.global_batch,
            "order": self.run.order_version,
            "run_from": self.run_from,
            "samples_of_an_epoch": self.num_samples,
            "steps": [{"step": step, "samples": rows} for step, rows in self.batches.items()],
        }


def replay(
    folder: VoyageFolder,
    root: Path,
    steps: range,
    asked: Asked,
    *,
    split: str | None,
    rank: int,
    world_size: int,
) -> Replayed:
    """Return the samples of these steps.

    Args:
        folder: any party's voyage folder.
        root: where its data set lies.
        steps: counted from 1.
        asked: what is said of the training; the rest is what the folder knows.
        split: the side of the data; None for all of it.
        rank, world_size: one worker; 0 of 1 is the whole batch.

    Raises:
        SourceUnreadable: there is no index, or no sample on this side.
        StageNotReady: the batch is not known.
        DataOrderChanged: the batch has no such worker.
    """
    rows = IndexRows(root, split)
    if not len(rows):
        raise SourceUnreadable("the index has no sample on this side", where=str(root), found=str(split))
    # Which steps is asked, so how many there were does not matter.
    known = known_run(folder, Asked(asked.seed, asked.global_batch, steps.stop, asked.order))
    run = _required(known, folder)
    if not 0 <= rank < world_size <= run.global_batch:
        raise DataOrderChanged(
            "a batch has no such worker",
            where="--rank, --world-size",
            expected=f"rank below world size, at most {run.global_batch} workers",
            found=f"rank {rank} of {world_size}",
        )
    numbers = {step: batch_of(rows, run, step, rank, world_size) for step in steps}
    found = rows.pick({number for batch in numbers.values() for number in batch})
    batches = {step: [found[number] for number in batch] for step, batch in numbers.items()}
    origins = {name: where for name, where in known.origins.items() if name != "steps"}
    return Replayed(run, origins, len(rows), batches)


def _required(known: KnownRun, folder: VoyageFolder) -> Run:
    if known.run is None:
        raise StageNotReady(
            "no training is known here that would say how many samples a step takes",
            where=str(folder.root),
            expected="a receipt of train, metrics that came home, or --batch in [training] command",
            hint="give --global-batch",
        )
    return known.run
