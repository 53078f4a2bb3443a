"""The order of the stages, what makes each of them run again, and the one place that wires adapters to ports."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packtrain import durable
from packtrain.documents.parties import Parties, Role
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.receipt import Receipt
from packtrain.errors import DriveMissing, DuplicateDrive, PacktrainError, VoyageFileError, WrongRole
from packtrain.events import Notice, Sink, StageFinished, StageStarted
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.units import format_seconds

if TYPE_CHECKING:
    from packtrain.ports import Drive
    from packtrain.stages.carry import Observation
    from packtrain.stages.check import CheckReport

STAGES: Final[tuple[tuple[str, tuple[Role, ...]], ...]] = (
    ("plan", ("consignor",)),
    ("prepare", ("consignor",)),
    ("rehearse", ("consignor",)),
    ("declare", ("consignor",)),
    ("pack", ("consignor",)),
    ("seal", ("consignor",)),
    ("admit", ("operator",)),
    ("load", ("consignee",)),
    ("train", ("consignee",)),
    ("return", ("consignee", "operator", "consignor")),
    ("close", ("consignor", "operator", "consignee")),
)
"""The stages with a receipt, in the order of the voyage, and whose they are."""


@dataclass(frozen=True, slots=True)
class StageState:
    """Where one stage stands: `done`, `to do`, `changed` (it would run again) or `waiting` (for another document)."""

    stage: str
    state: str
    detail: str

    def to_dict(self) -> dict[str, str]:
        """Return the state as plain values."""
        return {"stage": self.stage, "state": self.state, "detail": self.detail}


_LAST_STAGES: Final = ("seal", "return", "close")
"""Stages that are no use before all that stands before them is done."""


class Voyage:
    """One party's voyage: opens its folder, holds its lock while a stage runs, skips stages that are done.

    Args:
        root: the voyage folder.
        sink: takes the events of the stages.
    """

    def __init__(self, root: Path, sink: Sink) -> None:
        self.folder = VoyageFolder(root)
        self._sink = sink
        self.role: Role = self.folder.voyage_file().voyage.role

    # --- the stages, in order ---

    def plan(self) -> Receipt:
        """Choose groups and codes for the drives; write placement.json."""
        from packtrain.stages import plan

        with self._at_work(plan.STAGE, "consignor"):
            return self._run(
                plan.STAGE, plan.inputs(self.folder), lambda: plan.plan(self.folder, open_drive, self._sink)
            )

    def prepare(self, num_workers: int | None = None) -> Receipt:
        """Turn the sources into shards; write dataset.json."""
        from packtrain.stages import prepare

        with self._at_work(prepare.STAGE, "consignor"):
            return self._run(
                prepare.STAGE,
                prepare.inputs(self.folder),
                lambda: prepare.prepare(self.folder, num_workers or os.cpu_count() or 1, self._sink),
            )

    def rehearse(self) -> Receipt:
        """Prove the training program at home, in a box with no network; write kit.json and ready.json."""
        from packtrain.stages import rehearse

        with self._at_work(rehearse.STAGE, "consignor"):
            return self._run(
                rehearse.STAGE,
                rehearse.inputs(self.folder),
                lambda: rehearse.rehearse(self.folder, open_drive, self._sink),
            )

    def declare(self, *, amend: bool = False) -> Receipt:
        """Sign the answers of declaration.toml; write declaration.json."""
        from packtrain.stages import declare

        with self._at_work(declare.STAGE, "consignor"):
            return self._run(
                declare.STAGE,
                declare.inputs(self.folder),
                lambda: declare.declare(self.folder, self._sink, amend=amend),
            )

    def pack(self) -> Receipt:
        """Write the drives; write plan.json and shipment.json."""
        from packtrain.stages import pack

        with self._at_work(pack.STAGE, "consignor"):
            self._warn_of_stale("prepare", pack.STAGE, "what was prepared before is packed")
            return self._run(
                pack.STAGE, pack.inputs(self.folder), lambda: pack.pack(self.folder, open_drive, self._sink)
            )

    def check(self, drives: Sequence[Path]) -> CheckReport:
        """Verify drives against parties.json, without any key."""
        from packtrain.stages import check

        with self._at_work("check", *_everyone()):
            return check.check(self.folder, open_drives(drives or self._own_drives()), self._sink)

    def seal(self) -> Receipt:
        """State which drive lies in which case with whom; write packing-statement.json."""
        from packtrain.stages import carry

        with self._at_work("carry", "consignor"):
            return self._run("seal", carry.inputs(self.folder), lambda: carry.seal(self.folder, self._sink))

    def release(self, cases: Sequence[str], to: Role, note: str, destination: Path) -> Path:
        """Sign cases over to another party; return the hand-over file."""
        from packtrain.stages import carry

        with self._at_work("carry", *_everyone()):
            return carry.release(self.folder, cases, to, self._sink, destination=destination, note=note)

    def accept(self, hand_over: Path, note: str, destination: Path) -> Path:
        """Sign for cases that another party released; return the answer file."""
        from packtrain.stages import carry

        with self._at_work("carry", *_everyone()):
            return carry.accept(self.folder, hand_over, self._sink, destination=destination, note=note)

    def adopt(self, answer: Path) -> None:
        """Take the other party's signed acceptance into the own log."""
        from packtrain.stages import carry

        with self._at_work("carry", *_everyone()):
            carry.adopt(self.folder, answer, self._sink)

    def observe(self, observation: Observation, cases: Sequence[str], drives: Sequence[str], note: str) -> None:
        """Sign into the custody log what was seen or lost; drives by label or UUID."""
        from packtrain.stages import carry

        with self._at_work("carry", *_everyone()):
            carry.observe(self.folder, observation, self._sink, cases=cases, drives=drives, note=note)

    def custody(self) -> list[str]:
        """Return the custody log in plain sentences, signatures and chain checked."""
        from packtrain.stages import carry

        self._settle_once()
        return carry.show(self.folder)

    def export_dossier(self, destination: Path, to: Role) -> Path:
        """Write the dossier for another party as a BagIt folder; return it."""
        from packtrain.stages import exchange

        with self._at_work("dossier", *_everyone()):
            return exchange.export_dossier(self.folder, destination, to, self._sink)

    def import_dossier(self, source: Path) -> Mapping[str, str]:
        """Take another party's dossier into this folder; return document name -> SHA-256."""
        from packtrain.stages import exchange

        with self._at_work("dossier", *_everyone()):
            return exchange.import_dossier(self.folder, source, self._sink)

    def admit(self, dossier: Path, drives: Sequence[Path] = ()) -> Receipt:
        """Judge a dossier; write admission.json and, if the verdict is admit, keys/release.age."""
        from packtrain.stages import admit

        with self._at_work(admit.STAGE, "operator"):
            opened = open_drives(drives)
            return self._run(
                admit.STAGE,
                admit.inputs(self.folder, dossier, opened),
                lambda: admit.admit(self.folder, dossier, opened, self._sink),
                is_whole=admit.is_released(self.folder),
            )

    def load(self, drives: Sequence[Path], without: Sequence[str] = ()) -> Receipt:
        """Read the drives into the store, repairing on the way."""
        from packtrain.stages import load
        from packtrain.stores.folder import FolderStore

        with self._at_work(load.STAGE, "consignee"):
            store = FolderStore(self.folder.resolve(self.folder.voyage_file().site.store))
            return self._run(
                load.STAGE,
                load.inputs(self.folder),
                lambda: load.load(self.folder, open_drives(drives), store, self._sink, without=without),
            )

    def train(self, python: Path | None = None) -> Receipt:
        """Run the training program on the loaded data, through failures, to its last step."""
        from packtrain.engines.local import LocalEngine
        from packtrain.stages import train

        with self._at_work(train.STAGE, "consignee"):
            return self._run(
                train.STAGE,
                train.inputs(self.folder),
                lambda: train.train(self.folder, LocalEngine(), python or Path(sys.executable), self._sink),
            )

    def export_results(self) -> Receipt:
        """Put the declared results into outbox/, each sealed to the consignor; write export-list.json."""
        from packtrain.stages import homecoming

        with self._at_work("return", "consignee"):
            return self._run(
                homecoming.STAGE,
                homecoming.inputs(self.folder),
                lambda: homecoming.export(self.folder, self._sink),
            )

    def release_results(self, outbox: Path) -> Receipt:
        """Countersign an export list: the operator's release."""
        from packtrain.stages import homecoming

        with self._at_work("return", "operator"):
            return homecoming.release(self.folder, outbox, self._sink)

    def accept_results(self, outbox: Path) -> Receipt:
        """Check and open an outbox that came home, into results/."""
        from packtrain.stages import homecoming

        with self._at_work("return", "consignor"):
            return homecoming.accept(self.folder, outbox, self._sink)

    def close(self, *, without_results: bool = False) -> Receipt:
        """Destroy the keys of this shipment and write closing.json."""
        from packtrain.stages import close

        with self._at_work(close.STAGE, *_everyone()):
            return self._run(
                close.STAGE,
                close.inputs(self.folder),
                lambda: close.close(self.folder, self._sink, without_results=without_results),
            )

    # --- what the folder says ---

    def placement(self) -> PlacementDocument:
        """Return the placement that `plan` wrote."""
        return self.folder.read(PlacementDocument)

    def shard_folder(self) -> Path:
        """Return where this party's shards of images and clips lie."""
        if self.role == "consignee":
            return self.folder.resolve(self.folder.voyage_file().site.store) / "shards"
        return self.folder.work / "dataset" / "shards"

    def states(self) -> list[StageState]:
        """Return the state of each of this party's stages, in the order of the voyage."""
        self._settle_once()
        states: list[StageState] = []
        for stage, roles in STAGES:
            if self.role not in roles:
                continue
            state = self._state(stage)
            unfinished = next((before.stage for before in states if before.state not in ("done", "changed")), None)
            if state.state == "to do" and unfinished is not None and stage in _LAST_STAGES:
                state = StageState(stage, "waiting", f'after "{unfinished}"')
            states.append(state)
        return states

    def _state(self, stage: str) -> StageState:
        receipt = self.folder.receipt(stage)
        inputs = self._inputs_of(stage)
        try:
            current = inputs() if inputs is not None else None
        except PacktrainError as error:
            return StageState(stage, "waiting", error.hint or error.message)
        if receipt is None:
            return StageState(stage, "to do", "")
        if current is None or is_fresh(self.folder, stage, current):
            return StageState(stage, "done", f"{receipt.finished}, {format_seconds(receipt.seconds)}")
        changed = sorted(name for name in {*current, *receipt.inputs} if current.get(name) != receipt.inputs.get(name))
        return StageState(stage, "changed", f"runs again: {', '.join(changed) or 'a document it wrote'} changed")

    def _inputs_of(self, stage: str) -> Callable[[], Mapping[str, str]] | None:
        """Return what names a stage's present inputs; None where its receipt alone says that it is done."""
        import importlib

        module = {"seal": "carry", "return": "homecoming"}.get(stage, stage)
        if stage == "admit" or (stage == "return" and self.role != "consignee"):
            return None
        inputs: Callable[[VoyageFolder], Mapping[str, str]] = importlib.import_module(
            f"packtrain.stages.{module}"
        ).inputs
        return lambda: inputs(self.folder)

    # --- how a stage is run ---

    @contextmanager
    def _at_work(self, verb: str, *roles: Role) -> Iterator[None]:
        if self.role not in roles:
            raise WrongRole(
                f'"{verb}" belongs to another party',
                where=str(self.folder.root),
                expected=" or ".join(roles),
                found=self.role,
                hint="run it in that party's voyage folder",
            )
        with durable.lock_folder(self.folder.root):
            # Plaintext waits in here: packing lists, checkpoints, results before they are sealed.
            self.folder.work.mkdir(mode=0o700, exist_ok=True)
            self.folder.settle()
            sync_parties(self.folder)
            yield

    def _settle_once(self) -> None:
        """Write parties.json if no verb did yet; a verb that only reads takes no lock and writes nothing else."""
        if not self.folder.has(Parties):
            with self._at_work("status", *_everyone()):
                pass

    def _run(
        self, stage: str, inputs: Mapping[str, str], work: Callable[[], Receipt], *, is_whole: bool = True
    ) -> Receipt:
        if is_whole and is_fresh(self.folder, stage, inputs):
            receipt = self.folder.receipt(stage)
            assert receipt is not None
            self._sink(StageFinished(stage, receipt.seconds, fresh=True))
            return receipt
        self._sink(StageStarted(stage))
        started = time.monotonic()
        receipt = work()
        self._sink(StageFinished(stage, time.monotonic() - started, fresh=False))
        return receipt

    def _warn_of_stale(self, earlier: str, stage: str, consequence: str) -> None:
        state = self._state(earlier)
        if state.state == "changed":
            text = f'inputs of "{earlier}" changed since it ran: {consequence}; "packtrain {earlier}" takes them in'
            self._sink(Notice(stage, text, is_warning=True))

    def _own_drives(self) -> list[Path]:
        cases = self.folder.voyage_file().drives.case
        if not cases:
            raise VoyageFileError(
                "no drives are named",
                where=str(self.folder.root / "voyage.toml"),
                expected="one [[drives.case]] or more",
                hint='name the drives as arguments, or add a label and its "drives"',
            )
        return [self.folder.resolve(text) for case in cases for text in case.drives]


def _everyone() -> tuple[Role, ...]:
    return ("consignor", "operator", "consignee")


def open_drive(path: Path) -> Drive:
    """Return the drive mounted at `path`, or the folder that plays one.

    Raises:
        DriveMissing: there is no such folder.
    """
    from packtrain.devices.directory import DirectoryDrive

    if not path.is_dir():
        raise DriveMissing("no such drive", where=str(path), expected="a mounted file system or a folder")
    return DirectoryDrive(path)


def open_drives(paths: Sequence[Path]) -> list[Drive]:
    """Return the drives at these paths, in the order given.

    Raises:
        DriveMissing: one is no folder.
        DuplicateDrive: two paths are the same folder.
    """
    seen: dict[tuple[int, int], Path] = {}
    drives: list[Drive] = []
    for path in paths:
        drive = open_drive(path)
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        if key in seen:
            raise DuplicateDrive(
                "the same drive was given twice",
                where=str(path),
                found=f"the same folder as {seen[key]}",
                hint="name each drive once",
            )
        seen[key] = path
        drives.append(drive)
    return drives


def check_drives(drives: Sequence[Path], sink: Sink) -> CheckReport:
    """Verify drives with nothing but what lies on them: no voyage folder, no parties.json, no key."""
    from packtrain.stages import check

    return check.check(None, open_drives(drives), sink)


def boxed(job: Path, sink: Sink) -> None:
    """Run the inner half of a rehearsal: the hidden command that the kit's own Python starts in the box."""
    from packtrain.engines.local import LocalEngine
    from packtrain.stages import rehearse
    from packtrain.stores.folder import FolderStore

    rehearse.rehearse_inside(job, open_drive=open_drive, open_store=FolderStore, engine=LocalEngine(), sink=sink)
