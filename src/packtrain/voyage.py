"""A party's voyage: each verb under the folder's lock, skipped if done; the one place that wires adapters to ports."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from packtrain.documents.parties import Role
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.receipt import Receipt
from packtrain.errors import AdmissionHeld, AdmissionRefused, CustodyBroken, StageNotReady
from packtrain.events import Notice, Progress, Sink, discard
from packtrain.next_step import NextStep, next_step
from packtrain.stage_runner import everyone
from packtrain.standing import StageState, states_of
from packtrain.verbs_of_custody import CustodyVerbs
from packtrain.verbs_of_data import DataVerbs
from packtrain.verbs_of_diligence import DiligenceVerbs
from packtrain.verbs_of_kit import KitVerbs

if TYPE_CHECKING:
    from packtrain.dataset.looking.look import Look, Wanted
    from packtrain.documents.inspection import Inspection
    from packtrain.documents.measurement import Measurement
    from packtrain.documents.ready import Ready
    from packtrain.documents.sanitisation import Method, Sanitisation
    from packtrain.files.file_system import ShipmentFileSystem
    from packtrain.ports import AskPassphrase
    from packtrain.stages.check import CheckReport, RepairReport, SignedReport
    from packtrain.stages.close import ApproveErasure, ApproveKeys
    from packtrain.stages.forecast import Told
    from packtrain.stages.homecoming import SignedModel
    from packtrain.stages.homecoming.pieces import Cut, Joined
    from packtrain.stages.measure import Wishes
    from packtrain.stages.pack import InBays, Preview
    from packtrain.stages.prepare import RowsAside

AnyPath: TypeAlias = str | os.PathLike[str]


class Voyage(DiligenceVerbs, CustodyVerbs, DataVerbs, KitVerbs):
    """One party's voyage: its verbs, each what the command of its name does.

    A verb takes the folder's lock, does nothing where its receipt still stands, goes on where it was cut off, and
    returns what it wrote: mostly a `Receipt`. What goes wrong is a `PacktrainError`.

    >>> voyage = Voyage.open("home")  # doctest: +SKIP
    >>> voyage.pack().counts["files"]  # doctest: +SKIP
    """

    # --- from Python ---

    @classmethod
    def open(cls, folder: AnyPath, *, sink: Sink = discard, ask_passphrase: AskPassphrase | None = None) -> Self:
        """Return the voyage whose folder this is.

        Args:
            folder: holds voyage.toml.
            sink: is called with each event: progress, notices. Without it nothing is told.
            ask_passphrase: asks a person, where a key is sealed with a passphrase that no file or variable holds.

        Raises:
            NotAVoyage: the folder holds no voyage.toml.
            VoyageFileError: it cannot be read.
        """
        return cls(Path(folder), sink, ask_passphrase)

    @classmethod
    def init(cls, folder: AnyPath, *, role: Role = "consignor", name: str | None = None, sink: Sink = discard) -> Self:
        """Make a voyage folder and this party's keys; return the voyage.

        Args:
            folder: is made if it is not there.
            role: whose folder it is: "consignor", "operator" or "consignee".
            name: of the voyage; the folder's name without it.
            sink: as of `open`.

        Raises:
            VoyageExists: the folder is a voyage already.
            VoyageFileError: the name cannot be one.
        """
        from packtrain.stages.init import init

        root = Path(folder)
        init(root, name or root.absolute().name, role)
        return cls.open(root, sink=sink)

    def files(
        self,
        drives: Sequence[AnyPath] = (),
        *,
        without: Sequence[str] = (),
        verify: bool = False,
        partial: bool = False,
    ) -> ShipmentFileSystem:
        """Return the shipment as a file system of fsspec: loaded, or still packed and read from the drives.

        The first part of its paths is the name of the voyage, or "voyage". See `ShipmentFileSystem` for what may be
        read by whom, and what is verified.

        Args:
            drives: where drives are mounted. None: at home those of voyage.toml, at the site the store.
            without: labels or mount points of drives to leave out.
            verify: prove every file by its signed SHA-256 before its first byte is handed out.
            partial: read what is here, though no drive of some group is.

        Raises:
            MissingDependency: fsspec is not installed.
        """
        from packtrain.files.file_system import ShipmentFileSystem

        return ShipmentFileSystem(
            folder=str(self.folder.root),
            drives=str(drives) if isinstance(drives, str | os.PathLike) else tuple(map(str, drives)),
            without=without if isinstance(without, str) else tuple(without),
            verify=verify,
            partial=partial,
        )

    # --- the stages, in order ---

    def plan(self) -> Receipt:
        """Choose groups and codes for the drives; write placement.json."""
        from packtrain.stages import plan

        with self._at_work(plan.STAGE, "consignor"):
            return self._run(
                plan.STAGE, plan.inputs(self.folder), lambda: plan.plan(self.folder, self._open_drive, self._sink)
            )

    def forecast(self, start: date | None = None) -> Told | None:
        """Return what the placed voyage will take, from `start` on; None of a folder that has no bytes yet.

        Writes forecast.json, which no stage reads, until packing began.
        """
        from packtrain.stages import forecast

        with self._at_work("plan", "consignor"):
            return forecast.foretell(self.folder, start)

    def measure(self, wishes: Wishes) -> Measurement:
        """Measure this machine, this party's drives, source and store; write measurement.json, which `plan` reads."""
        from packtrain.measuring import measure_for

        with self._at_work("measure", *everyone()):
            found = measure_for(self.folder, wishes, self._open_drive, self._sink)
            self.folder.write(found)
            return found

    def preview_measuring(self, wishes: Wishes) -> dict[str, Any]:
        """Return what `measure` would measure, as plain values; nothing is written."""
        from packtrain.measuring import preview_for

        return preview_for(self.folder, wishes, self._open_drive, self._sink)

    def prepare(self, num_workers: int | None = None, engine: str | None = None, *, retry: bool = False) -> Receipt:
        """Turn the sources into shards; write dataset.json. `retry` reads again what was set aside before.

        `engine` and `num_workers` are those of `open_mapper`.
        """
        from packtrain.stages import prepare

        with self._at_work(prepare.STAGE, "consignor"):
            return self._prepare(num_workers, engine, retry=retry)

    def look(self, page: Path, wanted: Wanted, *, with_values: bool = True) -> tuple[Look, int]:
        """Write the page to look at what was prepared; return what it shows, and its length in bytes."""
        from packtrain.report.look_page import write_look_page
        from packtrain.stages import prepare

        with self._at_work("look", "consignor"):
            self._warn_of_stale("prepare", "look", "what was prepared before is shown")
            found = prepare.look(self.folder, wanted, self._sink, with_values=with_values)
            self._sink(Progress("look", "writing the page"))
            return found, write_look_page(found, page)

    def rehearse(self, python: Path | None = None) -> Receipt:
        """Prove the training program at home, in a box with no network; write kit.json and ready.json.

        `python` is the interpreter that plays the site's; without it, one of the kit's target on this machine.
        """
        from packtrain.stages import rehearse

        with self._at_work(rehearse.STAGE, "consignor"):
            self._refuse_withdrawn()
            return self._run(
                rehearse.STAGE,
                rehearse.inputs(self.folder),
                lambda: rehearse.rehearse(self.folder, self._open_drive, self._sink, python=python),
                is_whole=not rehearse.could_not_be_tried(self.folder, python),
            )

    def rehearsal_sheet(self) -> Ready | None:
        """Return what the last rehearsal showed, signed or not; None where none came so far."""
        from packtrain.documents.ready import Ready

        return self.folder.read(Ready) if self.folder.has(Ready) else None

    def pack(self, replace: tuple[str, Path] | None = None, *, accept_losses: bool = False) -> Receipt:
        """Write the drives that are here; write plan.json and, after the last group, shipment.json.

        `replace` is the label of a drive that failed, and where the one is mounted that comes in its place;
        `accept_losses` leaves out what of a folder cannot be carried.
        """
        from packtrain.stages import pack

        with self._at_work(pack.STAGE, "consignor"):
            self._warn_of_stale("prepare", pack.STAGE, "what was prepared before is packed")
            self._refuse_withdrawn()
            return self._run(
                pack.STAGE,
                pack.inputs(self.folder),
                lambda: pack.pack(
                    self.folder, self._open_drive, self._sink, replace=replace, accept_losses=accept_losses
                ),
                is_whole=replace is None and pack.is_settled(self.folder),
            )

    def preview(self) -> Preview:
        """Return what `pack` would put on the drives, and what it would leave out; nothing is written."""
        from packtrain.stages import pack

        with self._at_work(pack.STAGE, "consignor"):
            return pack.preview(self.folder)

    def check(self, drives: Sequence[AnyPath] = ()) -> CheckReport:
        """Verify drives against parties.json, without any key; those of voyage.toml where none is named."""
        from packtrain.stages import check

        with self._at_work("check", *everyone()):
            return check.check(self.folder, self._open_drives(drives or self._own_drives()), self._sink)

    def repair(self, drives: Sequence[AnyPath], onto: tuple[str, Path] | None = None) -> RepairReport:
        """Repair drives without any key, in place or one of them onto a spare; note it in the custody log."""
        from packtrain.stages import check

        with self._at_work("check", *everyone()):
            opened = self._open_drives(drives or self._own_drives())
            spare = (onto[0], self._open_drive(onto[1])) if onto is not None else None
            report = check.repair(self.folder, opened, self._sink, onto=spare)
            if report.mend.mended:
                self._note_repair(report)
            return report

    def _note_repair(self, report: RepairReport) -> None:
        """Sign `repaired` into the custody log, where there is one: for each case that this party holds, its drives."""
        from packtrain.stages import carry

        where = f"onto {report.mend.target}" if report.mend.target else "in place"
        for mended in report.mend.cases:
            note = f"{mended.num_mended} files {where}, {mended.num_left} not; without a key, by check --repair"
            try:
                carry.observe(self.folder, "repaired", self._sink, drives=mended.drives, note=note)
            except (StageNotReady, CustodyBroken) as error:
                why = f"case {mended.case}: the repair is not in the custody log: {error.what}"
                self._sink(Notice("check", why, is_warning=True))

    def signed(self, paths: Sequence[Path]) -> SignedReport:
        """Return the verdict on every signed document of drives, dossiers and this folder."""
        from packtrain.stages import check

        self._settle_once()
        dossiers = [path for path in paths if (path / "data" / "documents").is_dir()]
        drives = self._open_drives([path for path in paths if path not in dossiers])
        return check.signed(self.folder, drives, [self.folder.root, *dossiers])

    def load(
        self,
        drives: Sequence[AnyPath],
        without: Sequence[str] = (),
        *,
        no_more: bool = False,
        keep_owner: bool = False,
        verify_files: bool = False,
        scratch: Path | None = None,
        engine: str = "local",
    ) -> Receipt:
        """Read the drives into the store, all at once or in waves, repairing on the way.

        With an engine of many hosts, "ray" or "slurm", each host reads those of its drives that stand at these paths;
        they may be patterns, and of one host as "HOST:PATH".
        """
        from packtrain.stages import load
        from packtrain.stores import open_store

        with self._at_work(load.STAGE, "consignee"):
            place = self.folder.store_place()
            at = self.folder.store_folder() if place is None else place
            # What several hosts stage has to be seen by all of them: it lies in the voyage folder then.
            asked = self.folder.voyage_file().site.store_staging if engine == "local" else None
            staging = self.folder.resolve(asked or str(self.folder.work / "staging"))
            store = open_store(at, staging)
            if engine != "local":
                options = load.Options(tuple(without), no_more, keep_owner, verify_files, scratch)
                patterns = [os.fspath(drive) for drive in drives]

                def on_hosts() -> Receipt:
                    from packtrain.drives import open_watched
                    from packtrain.mappers import open_hosts

                    with open_hosts(self.folder, engine, store, self._sink) as mapper:
                        open_it = functools.partial(open_store, at, staging)
                        return load.load_on_hosts(
                            self.folder, mapper, patterns, open_watched, store, open_it, self._sink, options
                        )

                is_whole = load.is_settled(self.folder, store)
                return self._run(load.STAGE, load.inputs(self.folder), on_hosts, is_whole=is_whole)
            return self._run(
                load.STAGE,
                load.inputs(self.folder),
                lambda: load.load(
                    self.folder,
                    self._open_drives(drives),
                    store,
                    self._sink,
                    without=without,
                    no_more=no_more,
                    keep_owner=keep_owner,
                    verify_files=verify_files,
                    scratch=scratch,
                ),
                is_whole=load.is_settled(self.folder, store),
            )

    def inspect(
        self,
        *,
        engine: str | None = None,
        num_hosts: int | None = None,
        seconds: float = 10.0,
        python: Path | None = None,
    ) -> Inspection:
        """Look at the site's hosts, each and all together, and run the miniature again; sign inspection.json.

        Args:
            engine: "local", "ray" or "slurm"; without it, what voyage.toml says.
            num_hosts: so many take part together; without it, as [site.hosts] says. By itself each host is looked at.
            seconds: each writing, reading and computing on a host takes no longer.
            python: the interpreter that will train.

        Raises:
            SiteUnfit: something is bad, or was promised and not shown; the sheet is written all the same.
            MissingDependency, ClusterUnreachable: an engine of many hosts is asked for, and cannot be had.
        """
        from packtrain.inspecting import open_world, wanted_of
        from packtrain.stages import inspect

        with self._at_work(inspect.STAGE, "consignee", "operator"):
            wanted = wanted_of(self.folder, num_hosts, seconds, python)
            with open_world(self.folder, engine, self._sink) as world:
                return inspect.inspect(self.folder, wanted, world, self._sink)

    def inspection(self) -> Inspection | None:
        """Return the sheet of this party's last inspection; None where there was none."""
        from packtrain.documents.inspection import Inspection

        return self.folder.read_signed(Inspection) if self.folder.has(Inspection) else None

    def preview_inspection(
        self,
        *,
        engine: str | None = None,
        num_hosts: int | None = None,
        seconds: float = 10.0,
        python: Path | None = None,
    ) -> dict[str, Any]:
        """Return what `inspect` would look at, as plain values; nothing is run or written."""
        from packtrain.inspecting import engine_of, wanted_of
        from packtrain.stages import inspect

        self._refuse_others(inspect.STAGE, "consignee", "operator")
        wanted = wanted_of(self.folder, num_hosts, seconds, python)
        return inspect.preview(self.folder, wanted, engine_of(self.folder, engine))

    def train(self, python: Path | None = None, engine: str | None = None) -> Receipt:
        """Run the training program on the loaded data, through failures, to its last step.

        `python` is the workers' interpreter; `engine` that of `open_trainer`.
        """
        from packtrain.report.inspection_text import untold_of_site
        from packtrain.stages import train
        from packtrain.trainers import open_trainer, tell_of_job_out

        def run() -> Receipt:
            trainer = open_trainer(self.folder, engine, inputs, self._sink)
            try:
                return train.train(self.folder, trainer, python or Path(sys.executable), self._sink)
            except (AdmissionHeld, AdmissionRefused):
                tell_of_job_out(self.folder, self._sink)
                raise

        with self._at_work(train.STAGE, "consignee"):
            if self.folder.receipt(train.STAGE) is None and (text := untold_of_site(self.folder)):
                self._sink(Notice(train.STAGE, text))
            inputs = train.inputs(self.folder)
            return self._run(train.STAGE, inputs, run)

    def export_results(self) -> Receipt:
        """Put the declared results into outbox/, each sealed to the consignor; write export-list.json."""
        from packtrain.stages import homecoming

        with self._at_work("return export", "consignee"):
            return self._run(
                homecoming.STAGE,
                homecoming.inputs(self.folder),
                lambda: homecoming.export(self.folder, self._sink),
            )

    def release_results(self, outbox: Path) -> Receipt:
        """Countersign an export list: the operator's release."""
        from packtrain.stages import homecoming

        with self._at_work("return release", "operator"):
            return homecoming.release(self.folder, outbox, self._sink)

    def cut_results(self, piece_bytes: int) -> Cut:
        """Cut a released outbox into outbox-pieces/, for a thin link; sign their list."""
        from packtrain.stages import homecoming

        with self._at_work("return pieces", "consignee"):
            return homecoming.cut_pieces(self.folder, piece_bytes, self._sink)

    def gather_results(self, sources: Sequence[Path], *, consume: bool = False) -> Joined:
        """Join pieces that came by whatever ways into inbox/; `consume` removes those of files that are joined."""
        from packtrain.stages import homecoming

        with self._at_work("return gather", "consignor", "operator"):
            return homecoming.gather_pieces(self.folder, sources, self._sink, consume=consume)

    def accept_results(self, outbox: Path, bases: Sequence[Path] = ()) -> Receipt:
        """Check and open an outbox that came home, into results/; `bases` are what weights are a difference to."""
        from packtrain.stages import homecoming

        with self._at_work("return accept", "consignor"):
            return homecoming.accept(self.folder, outbox, self._sink, bases)

    def sign_model(self, key: Path | None = None) -> SignedModel:
        """Sign results/ for the tool of OpenSSF, by keys/model-signer or another key."""
        from packtrain.stages import homecoming

        with self._at_work("return sign-model", "consignor"):
            return homecoming.sign_model(self.folder, key)

    def close(self, *, without_results: bool = False, approve: ApproveKeys | None = None) -> Receipt:
        """Destroy the keys of this shipment and write closing.json; without results a person may be asked first."""
        from packtrain.stages import close

        with self._at_work(close.STAGE, *everyone()):
            return self._run(
                close.STAGE,
                close.inputs(self.folder),
                lambda: close.close(self.folder, self._sink, without_results=without_results, approve=approve),
            )

    def sanitise(
        self,
        path: Path,
        person: str,
        approve: ApproveErasure,
        *,
        method: Method = "overwrite",
        read_all: bool = False,
        without_results: bool = False,
    ) -> Sanitisation:
        """Erase one drive of this shipment, read it back, and sign what ran; a folder that plays one is emptied.

        The folder is locked at the beginning and at the end alone: several drives are erased side by side.

        Raises:
            SanitisingFailed, NotEmpty: it is not sanitised; the signed record says so too.
        """
        from packtrain.devices.sanitise import PlayedDrive, WholeDrive
        from packtrain.record.receipts import instant
        from packtrain.stages import close

        target = PlayedDrive(path, instant) if path.is_dir() else WholeDrive(path, instant)
        with self._at_work("drives sanitise", *everyone()):
            run = close.begin(
                self.folder,
                target,
                approve,
                person=person,
                method="files removed" if path.is_dir() else method,
                read_back="full" if read_all else "sample",
                without_results=without_results,
            )
        with self._live.ending():
            steps, read_back = close.erase(self.folder, run, target, self._sink)
        with self._at_work("drives sanitise", *everyone()):
            record = close.finish(self.folder, run, steps, read_back, self._sink)
        close.refuse_failed(record)
        return record

    # --- what the folder says ---

    def placement(self) -> PlacementDocument:
        """Return the placement that `plan` wrote."""
        return self.folder.read(PlacementDocument)

    def shard_folder(self) -> Path:
        """Return where this party's shards of images and clips lie."""
        if self.role == "consignee":
            return self.folder.store_folder() / "shards"
        return self.folder.work / "dataset" / "shards"

    def set_aside(self, first: int, limit: int) -> RowsAside:
        """Return rows of what could not be used, from `first` on."""
        from packtrain.stages import prepare

        return prepare.rejects(self.folder, first, limit)

    def dropped(self, first: int, limit: int) -> RowsAside:
        """Return rows of what was read and is not kept, from `first` on."""
        from packtrain.stages import prepare

        return prepare.drops(self.folder, first, limit)

    def states(self) -> list[StageState]:
        """Return the state of each of this party's stages, in the order of the voyage."""
        self._settle_once()
        return states_of(self.folder, self.role)

    def next_step(self, states: Sequence[StageState]) -> NextStep:
        """Return what this party does next, from the states of its stages."""
        return next_step(self.folder, self.role, states)

    def in_bays(self) -> InBays | None:
        """Return what is in the bays of a packing in waves, and which drives come next; None outside of one."""
        from packtrain.stages import pack

        return pack.in_bays(self.folder, self._open_drive) if self.role == "consignor" else None
