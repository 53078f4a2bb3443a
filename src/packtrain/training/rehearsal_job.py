"""What the process outside the box and the one inside tell each other: a job file and a result file, both JSON.

Neither is a document of the voyage: they live for one rehearsal, on one machine, between one program and itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

import msgspec

from packtrain import durable
from packtrain.documents.codec import Part
from packtrain.documents.ready import Clause, UndisturbedRun
from packtrain.errors import RehearsalFailed

RESULT: Final = "RESULT.json"
EVENTS: Final = "events.jsonl"
MAX_FILE_BYTES: Final = 16 << 20
P = TypeVar("P", bound=Part)


class RehearsalJob(Part, frozen=True, kw_only=True):
    """What the inner half is to do. All paths are absolute.

    Attributes:
        parties: parties.json, to check signatures by.
        plan, shipment: of the rehearsal's shipment; signatures lie beside them.
        identity: the file with the throwaway age identity.
        drives: the drives that are there.
        store: where to load to.
        journal: the load's journal.
        program: the kit's program folder.
        runs, logs: where checkpoints and results, and the engine's logs go.
        is_boxed: whether the inner half runs in namespaces of its own.
        with_hang: whether rank 0 is stopped once, and the watchdog waited for.
    """

    parties: str
    plan: str
    shipment: str
    identity: str
    drives: tuple[str, ...]
    store: str
    journal: str
    program: str
    command: str
    runs: str
    logs: str
    num_workers: int
    num_steps: int
    stall_seconds: float
    is_boxed: bool
    with_hang: bool


class RehearsalResult(Part, frozen=True, kw_only=True):
    """What the inner half saw: clauses, the digest of the weights at the end, numbers by name, versions, losses."""

    clauses: tuple[Clause, ...]
    weights: str | None
    num_steps: int
    measurements: dict[str, float]
    versions: dict[str, str]
    undisturbed: UndisturbedRun | None = None


def write(path: Path, part: Part) -> None:
    """Write a job or a result, whole or not at all."""
    durable.write_bytes(path, msgspec.json.encode(part))


def read(path: Path, part_type: type[P]) -> P:
    """Return a job or a result.

    Raises:
        RehearsalFailed: it is missing, too long, or not of this form.
    """
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_FILE_BYTES), type=part_type)
    except (OSError, msgspec.MsgspecError) as error:
        raise RehearsalFailed(f"cannot be read: {error}", where=str(path)) from error
