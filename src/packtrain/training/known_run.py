"""What this voyage's folder knows of a training: seed, batch, order and steps, each with where it was found."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from packtrain.errors import KitError
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_packed_otherwise
from packtrain.training.batches import VERSION_OF_ORDER
from packtrain.training.command import split_command
from packtrain.training.metrics import METRICS_NAME
from packtrain.training.replay import Run

_MAX_LINES: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says of a training; None leaves it to what the folder knows."""

    seed: int | None = None
    global_batch: int | None = None
    steps: int | None = None
    order: Literal["random", "block"] | None = None


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A training, and where each of its numbers was found.

    Attributes:
        run: None where its batch or its steps are not known.
        origins: name -> "given", the file that says it, or that it is assumed. "index" is among them only where the
            data set here is another than the one that was packed: it does not say then what was trained on.
    """

    run: Run | None
    origins: dict[str, str]


def known_run(folder: VoyageFolder, asked: Asked) -> KnownRun:
    """Return the training that this folder tells of: what was asked, else receipt or results, else the command.

    The receipt of `train` is the consignee's; at home the metrics that came back say the same. Seed and order are in
    neither: they are read from `--seed` and `--order` of [training] command, of which the reference program has the
    first alone, and taken as 0 and random where it has none.
    """
    origins: dict[str, str] = {}
    options = _options(folder)
    steps, global_batch = asked.steps, asked.global_batch
    if steps is not None:
        origins["steps"] = "given"
    if global_batch is not None:
        origins["global_batch"] = "given"
    records = _trained(folder)
    # One is opened only for what the one before did not say: metrics may have a million lines.
    while (steps is None or global_batch is None) and (record := next(records, None)) is not None:
        where, num_steps, num_samples = record
        if steps is None:
            steps, origins["steps"] = num_steps, where
        if global_batch is None and num_steps and num_samples and num_samples % num_steps == 0:
            global_batch, origins["global_batch"] = num_samples // num_steps, where
    if global_batch is None and (text := options.get("--batch", options.get("--global-batch", ""))).isdecimal():
        global_batch, origins["global_batch"] = int(text), "[training] command"
    seed, origins["seed"] = asked.seed, "given"
    if seed is None:
        text = options.get("--seed", "")
        seed, origins["seed"] = (int(text), "[training] command") if text.isdecimal() else (0, "assumed")
    order: str | None = asked.order
    origins["order"] = "given"
    if order is None:
        order = options.get("--order", "")
        origins["order"] = "[training] command" if order in VERSION_OF_ORDER else "assumed"
    if is_packed_otherwise(folder):
        origins["index"] = "the data set was prepared anew since it was packed"
    if steps is None or not global_batch:
        return KnownRun(None, origins)
    return KnownRun(Run(seed, global_batch, steps, VERSION_OF_ORDER.get(order, "random-1")), origins)


def _trained(folder: VoyageFolder) -> Iterator[tuple[str, int, int]]:
    """Yield where it stands, and numbers of steps and samples, of each record of a training that is here."""
    receipt = folder.receipt("train")
    if receipt is not None:
        yield "receipts/train.json", receipt.counts.get("steps", 0), receipt.counts.get("samples", 0)
    for path in (folder.root / "results" / METRICS_NAME, folder.logs / METRICS_NAME):
        if path.is_file():
            num_steps, num_samples = _counted(path)
            if num_steps:
                yield path.relative_to(folder.root).as_posix(), num_steps, num_samples


def _counted(path: Path) -> tuple[int, int]:
    """Return the number of the last step and the samples of all lines; what is no such line is passed over."""
    last = num_samples = 0
    with path.open("rb") as stream:
        for line in itertools.islice(stream, _MAX_LINES):
            with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
                fields = json.loads(line)
                step, samples = fields.get("step"), fields.get("samples")
                last = max(last, step if type(step) is int else 0)
                num_samples += samples if type(samples) is int else 0
    return last, num_samples


def _options(folder: VoyageFolder) -> dict[str, str]:
    section = folder.voyage_file().training
    if section is None:
        return {}
    try:
        words = split_command(section.command)
    except KitError:
        return {}
    found = {word: value for word, value in itertools.pairwise(words) if word.startswith("--")}
    return found | {name: value for name, equals, value in (word.partition("=") for word in words) if equals}
