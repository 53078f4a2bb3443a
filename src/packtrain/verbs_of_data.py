"""The verbs that ask about single samples, and take sources out; each run as `StageRunner` has it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packtrain.documents.receipt import Receipt
from packtrain.documents.withdrawals import Withdrawals
from packtrain.errors import StageNotReady
from packtrain.events import Notice
from packtrain.stage_runner import StageRunner

if TYPE_CHECKING:
    from packtrain.stages.lineage import Ancestry
    from packtrain.stages.prepare.trial import TrialForecast
    from packtrain.stages.replay import Replayed
    from packtrain.stages.withdraw import Decision, Outlook
    from packtrain.training.known_run import Asked


class DataVerbs(StageRunner):
    """What the data set holds, where it came from, which steps saw it, and what leaves it again."""

    def _prepare(self, num_workers: int | None = None, engine: str | None = None, *, retry: bool = False) -> Receipt:
        from packtrain.mappers import open_mapper
        from packtrain.stages import prepare

        def work() -> Receipt:
            with open_mapper(self.folder, engine, num_workers, self._sink) as mapper:
                return prepare.prepare(self.folder, mapper, self._sink, retry=retry)

        return self._run(prepare.STAGE, prepare.inputs(self.folder), work, is_whole=not retry)

    def try_prepare(self, num_files: int, num_workers: int | None = None, engine: str | None = None) -> TrialForecast:
        """Return what `prepare` will make of the sources, from reading some of them; nothing is written here.

        The files are read on this machine, whatever the engine: the hours are those of `num_workers` like it.
        """
        from packtrain.engines.processes import ProcessMapper
        from packtrain.stages.prepare import trial

        # No lock and no live.json: it writes nothing into the folder.
        self._refuse_others("prepare", "consignor")
        cores = os.cpu_count() or 1
        workers = num_workers if num_workers is not None else cores
        with ProcessMapper(min(workers, cores)) as mapper:
            return trial.trial(self.folder, num_files, mapper, workers, self._told)

    def withdraw(
        self,
        sources: Sequence[str],
        reason: str,
        run: Asked,
        *,
        decision: Decision = "withdrawn",
        is_dry: bool = False,
        num_workers: int | None = None,
    ) -> Outlook:
        """Take sources out of the data set, or let them back in, and prepare again; return what that touched."""
        from packtrain.stages import prepare, withdraw

        with self._at_work(withdraw.STAGE, "consignor"):
            outlook = withdraw.look(self.folder, sources, decision, run)
            if is_dry:
                return outlook
            withdraw.record(self.folder, outlook, reason)
            for note in outlook.notes:
                self._sink(Notice(withdraw.STAGE, note, is_warning=True))
            if (self.folder.work / prepare.STAGE).is_dir():
                self._prepare(num_workers)
            return outlook

    def replay(
        self, steps: range, run: Asked, *, split: str | None = "train", rank: int = 0, world_size: int = 1
    ) -> Replayed:
        """Return the samples of these steps, as the loader hands them out."""
        from packtrain.stages import replay

        return replay.replay(
            self.folder, self._prepared_folder(), steps, run, split=split, rank=rank, world_size=world_size
        )

    def lineage(self, name: str, run: Asked) -> Ancestry:
        """Return where a sample came from and where it went, or what became of a source."""
        from packtrain.stages import lineage

        return lineage.lineage(self.folder, self._prepared_folder(), name, run)

    def data_folder(self) -> Path:
        """Return where this party's data set lies."""
        if self.role == "consignee":
            return self.folder.store_folder()
        return self.folder.work / "dataset"

    def _prepared_folder(self) -> Path:
        """Return where this party's data set lies.

        Raises:
            StageNotReady: it is not there yet, and nothing was decided about one that was.
        """
        root = self.data_folder()
        if not (root / "index.parquet").is_file() and not self.folder.has(Withdrawals):
            hint = {"consignor": 'run "packtrain prepare" first', "consignee": 'run "packtrain load" first'}.get(
                self.role, "consignor and consignee have it"
            )
            raise StageNotReady("no data set is here yet", where=str(root), hint=hint)
        return root

    def _refuse_withdrawn(self) -> None:
        """Refuse to go on with a data set that still holds what was withdrawn.

        Raises:
            StageNotReady: `prepare` did not run to its end since the last withdrawal.
        """
        receipt = self.folder.receipt("prepare")
        if not self.folder.has(Withdrawals) or receipt is None or "recipe" not in receipt.inputs:
            return
        if receipt.inputs.get("withdrawals") != self.folder.digest(Withdrawals):
            raise StageNotReady(
                "the data set was prepared before the last withdrawal",
                where=str(self.folder.document_path(Withdrawals)),
                hint='run "packtrain prepare": what was withdrawn must not travel',
            )
