"""What a provenance says in words of its own: text that leaves in the clear, beside what export.toml declares.

Two liars are kept out, each by another party. The program can write the log of attempts and its checkpoint: of the log
only an engine's sentences pass (`kit_steps`), which keeps out what no search knows; hosts, versions and the place in
the data are no sentences, so all words are searched before anything is sealed. The consignee can sign any words at
all: operator and consignor hold them against `MAX_WORDS_BYTES`, and the consignor searches them by what it kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from packtrain.diligence.kit_chain import LawfulKit
from packtrain.documents.provenance import MAX_ATTEMPTS, Provenance, TrainedAttempt
from packtrain.documents.receipt import Receipt
from packtrain.errors import DataOrderChanged, ExportDenied
from packtrain.training.batches import Position
from packtrain.training.goodput.receipt import names_in
from packtrain.training.kit_steps import attempts_of

_POSITION: Final = "position.json"
_MAX_POSITION_BYTES: Final = 64 * 1024
MAX_WORDS_BYTES: Final = 256 << 10
"""Of what a provenance says in words of its own: 2,400 workers, each lost once and named, make some 100 KB."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the site alone can tell of a training, see `Provenance`. Read once: what was searched is what leaves."""

    attempts: tuple[TrainedAttempt, ...]
    position: str
    hosts: tuple[str, ...]
    engine: str
    versions: Mapping[str, str]


def told_at_site(logs: Path, chain: Sequence[LawfulKit], training: Receipt, checkpoint: Path) -> Told:
    """Return what the logs of a training, its receipt and a checkpoint tell."""
    return Told(
        attempts=tuple(
            TrainedAttempt(
                attempt=each.attempt,
                # What nobody noted ran before there were updates.
                kit=each.kit if each.kit is not None or not chain else chain[0].digest,
                seconds=each.seconds,
                reason=each.reason,
            )
            for each in attempts_of(logs)[-MAX_ATTEMPTS:]
        ),
        position=_position(checkpoint),
        hosts=names_in(training.facts.get("hosts", "")),
        engine=training.facts.get("engine", "not noted"),
        versions=training.versions,
    )


def words_of(told: Told | Provenance, where: str) -> bytes:
    """Return what a provenance says in words that no other paper has, each once.

    Raises:
        ExportDenied: there are more than leave.
    """
    reasons = (each.reason for each in told.attempts)
    versions = (f"{name} {version}" for name, version in told.versions.items())
    words = dict.fromkeys((*reasons, *told.hosts, told.engine, told.position, *versions))
    payload = "".join(f"{word}\n" for word in words).encode("utf-8", "replace")
    if len(payload) > MAX_WORDS_BYTES:
        raise ExportDenied(
            "provenance would take along more words than leave with it",
            where=where,
            expected=f"at most {MAX_WORDS_BYTES} bytes of reasons, hosts and versions, each counted once",
            found=f"{len(payload)} bytes",
            hint="text leaves as a declared file, within its budget",
        )
    return payload


def _position(checkpoint: Path) -> str:
    """Return the data position that a checkpoint names in position.json, in words; or that it names none."""
    path = checkpoint / _POSITION
    unknown = f"not known: the checkpoint has no {_POSITION} of packtrain's loader"
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            body: Any = json.loads(stream.read(_MAX_POSITION_BYTES))
        # What the loader says of itself, alone or under its name, as the reference program writes it.
        position = Position.from_dict(cast("dict[str, object]", body.get("position", body)), str(path))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, DataOrderChanged):
        return unknown
    return (
        f"epoch {position.epoch}, {position.samples_consumed} samples of it consumed, seed {position.seed}, "
        f"order {position.order_version}, index.parquet {position.index_digest}"
    )[:4096]
