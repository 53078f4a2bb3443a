"""A party's voyage: each verb under the folder's lock, skipped if done; the one place that wires adapters to ports."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packtrain.documents.parties import Role
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.receipt import Receipt
from packtrain.errors import CustodyBroken, StageNotReady
from packtrain.events import Notice
from packtrain.next_step import NextStep, next_step
from packtrain.stage_runner import StageRunner, everyone
from packtrain.standing import StageState, states_of

if TYPE_CHECKING:
    from packtrain.diligence.custody_check import TimeBracket
    from packtrain.diligence.interview import Ask
    from packtrain.diligence.judging import Ruled
    from packtrain.diligence.lists.add import ListToAdd
    from packtrain.diligence.paper_folder import SignedPaper
    from packtrain.diligence.revoking import Vouched
    from packtrain.diligence.rules.answers import SignedAnswer
    from packtrain.diligence.screening.record import SignedDisposition
    from packtrain.diligence.screening.state import ScreeningState
    from packtrain.documents.country_group import CountryGroup
    from packtrain.documents.list_record import ListRecord
    from packtrain.record.trust import SignedHead
    from packtrain.stages.carry import Observation
    from packtrain.stages.check import CheckReport, RepairReport, SignedReport
    from packtrain.stages.close import ApproveKeys
    from packtrain.stages.custody import CheckedLog
    from packtrain.stages.declare import ApproveAnswers
    from packtrain.stages.flags import FlagReply
    from packtrain.stages.pack import InBays, Preview
    from packtrain.stages.papers import WrittenPapers
    from packtrain.stages.screen import Answer


class Voyage(StageRunner):
    """One party's voyage: its verbs. See `StageRunner` for how each is run."""

    # --- the stages, in order ---

    def plan(self) -> Receipt:
        """Choose groups and codes for the drives; write placement.json."""
        from packtrain.stages import plan

        with self._at_work(plan.STAGE, "consignor"):
            return self._run(
                plan.STAGE, plan.inputs(self.folder), lambda: plan.plan(self.folder, self._open_drive, self._sink)
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
                lambda: rehearse.rehearse(self.folder, self._open_drive, self._sink),
            )

    def declare(self, *, amend: bool = False, approve: ApproveAnswers | None = None) -> Receipt:
        """Sign the answers of declaration.toml; write declaration.json. A person may be shown them first."""
        from packtrain.stages import declare

        with self._at_work(declare.STAGE, "consignor"):
            return self._run(
                declare.STAGE,
                declare.inputs(self.folder),
                lambda: declare.declare(self.folder, self._sink, amend=amend, approve=approve),
            )

    def declare_by_asking(self, ask: Ask, *, amend: bool = False, approve: ApproveAnswers | None = None) -> Receipt:
        """Ask a person the questions one after the other, and sign; further ones once the six answers are signed."""
        from packtrain.diligence import asking
        from packtrain.errors import FullFormNeeded
        from packtrain.stages import declare

        def sign() -> Receipt:
            return self._run(
                declare.STAGE,
                declare.inputs(self.folder),
                lambda: declare.declare(self.folder, self._sink, amend=amend, approve=approve),
            )

        with self._at_work(declare.STAGE, "consignor"):
            asking.ask_six(self.folder, ask, self._sink)
            if asking.is_asked_further(self.folder):
                asking.ask_further(self.folder, ask, self._sink)
            try:
                return sign()
            except FullFormNeeded as needed:
                why = f": {needed.found}" if needed.found else ""
                self._sink(Notice(declare.STAGE, f"the six answers are signed; the full form is asked now{why}"))
            asking.ask_further(self.folder, ask, self._sink)
            return sign()

    def write_declaration_form(self) -> tuple[str, ...]:
        """Add the questions that are to be answered next to declaration.toml; return the tables that were added."""
        from packtrain.stages import declare

        with self._at_work(declare.STAGE, "consignor"):
            return declare.write_form(self.folder, self._sink)

    def add_list(self, wanted: ListToAdd) -> ListRecord:
        """Read a list of parties into the voyage folder; return its record."""
        from packtrain.diligence.lists import add

        with self._at_work(add.STAGE, *everyone()):
            return add.add_list(self.folder, wanted, self._sink)

    def take_lists(self, source: Path) -> None:
        """Take the lists and country groups of another folder that are not here, or newer than those here."""
        from packtrain.diligence.lists import store
        from packtrain.diligence.rules import groups

        with self._at_work("lists", *everyone()):
            for told in (*store.take_from(self.folder, source), *groups.take_from(self.folder, source)):
                self._sink(Notice("lists", told))

    def lists(self) -> tuple[ListRecord, ...]:
        """Return the record of every list of parties that was added."""
        from packtrain.diligence.lists import store

        return store.records(self.folder)

    def add_country_groups(self, path: Path) -> tuple[CountryGroup, ...]:
        """Read a file of country groups into the voyage folder; return their records."""
        from packtrain.diligence.rules import groups

        with self._at_work(groups.STAGE, *everyone()):
            return groups.add_groups(self.folder, path)

    def country_groups(self) -> tuple[CountryGroup, ...]:
        """Return the country groups that were added, by name."""
        from packtrain.diligence.rules import groups

        return tuple(groups.kept_groups(self.folder).values())

    def screen(self) -> Receipt:
        """Hold the names and addresses of the papers against this party's lists; write screening.json."""
        from packtrain.stages import screen

        with self._at_work(screen.STAGE, "consignor", "operator"):
            return self._run(screen.STAGE, screen.inputs(self.folder), lambda: screen.screen(self.folder, self._sink))

    def answer_candidate(self, given: Answer) -> SignedDisposition:
        """Sign what a person says of a candidate of the newest screening."""
        from packtrain.stages import screen

        with self._at_work(screen.STAGE, "consignor", "operator"):
            return screen.answer(self.folder, given, self._sink)

    def screening(self) -> ScreeningState:
        """Return the newest screening of this party, what people said, and what is open."""
        from packtrain.diligence.screening.state import screening_state

        self._settle_once()
        return screening_state(self.folder)

    def flags(self) -> Receipt:
        """Run the rules over the signed papers of the consignor; write flags.json."""
        from packtrain.stages import flags

        with self._at_work(flags.STAGE, "consignor"):
            return self._run(flags.STAGE, flags.inputs(self.folder), lambda: flags.judge(self.folder, self._sink))

    def answer_flag(self, reply: FlagReply) -> SignedAnswer:
        """Sign what a person of this party says to a flag."""
        from packtrain.stages import flags

        with self._at_work(flags.STAGE, "consignor", "operator"):
            return flags.answer(self.folder, reply, self._sink)

    def standing(self) -> dict[Role, Ruled]:
        """Return the newest run of the rules of each party that is known here, and what is open of it."""
        from packtrain.stages import flags

        self._settle_once()
        return flags.show(self.folder)

    def pack(self, replace: tuple[str, Path] | None = None, *, accept_losses: bool = False) -> Receipt:
        """Write the drives that are here; write plan.json and, after the last group, shipment.json.

        `replace` is the label of a drive that failed, and where the one is mounted that comes in its place;
        `accept_losses` leaves out what of a folder cannot be carried.
        """
        from packtrain.stages import pack

        with self._at_work(pack.STAGE, "consignor"):
            self._warn_of_stale("prepare", pack.STAGE, "what was prepared before is packed")
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

    def check(self, drives: Sequence[Path]) -> CheckReport:
        """Verify drives against parties.json, without any key."""
        from packtrain.stages import check

        with self._at_work("check", *everyone()):
            return check.check(self.folder, self._open_drives(drives or self._own_drives()), self._sink)

    def repair(self, drives: Sequence[Path], onto: tuple[str, Path] | None = None) -> RepairReport:
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

    def seal(self) -> Receipt:
        """State which drive lies in which case with whom; write packing-statement.json."""
        from packtrain.stages import carry

        with self._at_work("carry seal", "consignor"):
            return self._run("seal", carry.inputs(self.folder), lambda: carry.seal(self.folder, self._sink))

    def release(
        self, cases: Sequence[str], to: Role, note: str, destination: Path | None, *, as_code: bool = False
    ) -> str | None:
        """Sign cases over to another party; write the hand-over file, return the code that stands for it if asked."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.offer(self.folder, cases, to, self._sink, note=note)
            return self._handed(destination, as_code=as_code)

    def accept(
        self,
        hand_over: Path | None,
        note: str,
        destination: Path | None,
        *,
        code: str | None = None,
        as_code: bool = False,
    ) -> str | None:
        """Sign for cases that another party released, by file or code; write the answer, return its code if asked."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            if code is not None:
                carry.take_code(self.folder, code, self._sink, note=note)
            else:
                assert hand_over is not None
                carry.take(self.folder, hand_over, self._sink, note=note)
            return self._handed(destination, as_code=as_code)

    def _handed(self, destination: Path | None, *, as_code: bool) -> str | None:
        from packtrain.diligence.heads import write_own_log
        from packtrain.stages import carry

        if destination is not None:
            write_own_log(self.folder, destination)
        return carry.own_code(self.folder) if as_code else None

    def adopt(self, answer: Path, destination: Path | None = None) -> None:
        """Take the other party's signed acceptance into the own log, and sign its head."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.adopt(self.folder, answer, self._sink, destination=destination)

    def adopt_code(self, code: str) -> str | None:
        """Take an acceptance that came as a code; return the code of this party's signature over the head."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            return carry.adopt_code(self.folder, code, self._sink)

    def observe(self, observation: Observation, cases: Sequence[str], drives: Sequence[str], note: str) -> None:
        """Sign into the custody log what was seen or lost; drives by label or UUID."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.observe(self.folder, observation, self._sink, cases=cases, drives=drives, note=note)

    def custody(self) -> list[str]:
        """Return the story of the custody log in plain sentences, signatures and chain checked."""
        from packtrain.stages import custody

        self._settle_once()
        return custody.show(self.folder)

    def check_custody(self, log: Path | None) -> CheckedLog:
        """Hold a custody log against every signed head that is known."""
        from packtrain.stages import custody

        self._settle_once()
        return custody.check(self.folder, log)

    def make_head(self, destination: Path) -> SignedHead:
        """Sign a head over the custody log as it is now; write it for the other side."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.make_head(self.folder, self._sink, destination=destination)

    def cosign(self, head: Path | None, code: str | None) -> SignedHead:
        """Sign another party's head, or take in a second signature over an own one, from a file or a code."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            if code is not None:
                return custody.cosign_code(self.folder, code, self._sink)
            assert head is not None
            return custody.cosign(self.folder, head, self._sink)

    def request_stamp(self, destination: Path) -> SignedHead:
        """Write a request for a time stamp over the head of the custody log as it is now."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.request_stamp(self.folder, self._sink, destination=destination)

    def take_stamp(self, token: Path, root: Path) -> TimeBracket:
        """Check a time stamp over a head, under the certificate of an authority, and keep it."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.take_stamp(self.folder, token, root, self._sink)

    def revoke(
        self, because: str, key: Path | None, lost_on: str | None, last_entry: int | None, leave_out: Sequence[str]
    ) -> Vouched:
        """Revoke this party's signing key for good, and vouch for what it signed before."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.revoke(
                self.folder,
                because,
                self._sink,
                key=key,
                lost_on=lost_on,
                last_entry=last_entry,
                leave_out=leave_out,
            )

    def papers(self, into: Path | None = None) -> WrittenPapers:
        """Write the papers to print that this party's documents allow, each signed."""
        from packtrain.report.papers import render
        from packtrain.stages import papers

        with self._at_work(papers.STAGE, *everyone()):
            return papers.write_papers(self.folder, render, self._sink, into=into)

    def write_customs_form(self) -> Path:
        """Write customs.toml, to be filled in; return its path."""
        from packtrain.stages import papers

        with self._at_work(papers.STAGE, "consignor"):
            return papers.write_form(self.folder, self._sink)

    def check_papers(self, place: Path) -> Mapping[str, SignedPaper]:
        """Return every paper of a folder by name, signatures checked against this party's parties.json."""
        from packtrain.diligence.paper_folder import read_papers_folder

        self._settle_once()
        return read_papers_folder(place, self.folder.trust())

    def export_dossier(self, destination: Path, to: Role) -> Path:
        """Write the dossier for another party as a BagIt folder; return it."""
        from packtrain.stages import exchange

        with self._at_work("dossier", *everyone()):
            return exchange.export_dossier(self.folder, destination, to, self._sink)

    def import_dossier(self, source: Path) -> Mapping[str, str]:
        """Take another party's dossier into this folder; return document name -> SHA-256."""
        from packtrain.stages import exchange

        with self._at_work("dossier", *everyone()):
            return exchange.import_dossier(self.folder, source, self._sink)

    def write_statements(self, destination: Path | None = None, *, envelopes: bool = False) -> Mapping[str, str]:
        """Write the in-toto statements of this party's own documents; return file name -> SHA-256."""
        from packtrain.stages import exchange

        with self._at_work("dossier", *everyone()):
            return exchange.write_statements(self.folder, destination, self._sink, envelopes=envelopes)

    def admit(
        self, dossier: Path, drives: Sequence[Path] = (), *, no_more: bool = False, policy: Path | None = None
    ) -> Receipt:
        """Judge a dossier; write admission.json and, if the verdict is admit, keys/release.age."""
        from packtrain.stages import admit

        with self._at_work(admit.STAGE, "operator"):
            opened = self._open_drives(drives)
            return self._run(
                admit.STAGE,
                admit.inputs(self.folder, dossier, opened, no_more=no_more, policy=policy),
                lambda: admit.admit(self.folder, dossier, opened, self._sink, no_more=no_more, policy=policy),
                is_whole=admit.is_released(self.folder),
            )

    def load(
        self,
        drives: Sequence[Path],
        without: Sequence[str] = (),
        *,
        no_more: bool = False,
        keep_owner: bool = False,
        verify_files: bool = False,
        scratch: Path | None = None,
    ) -> Receipt:
        """Read the drives into the store, all at once or in waves, repairing on the way."""
        from packtrain.stages import load
        from packtrain.stores.folder import FolderStore

        with self._at_work(load.STAGE, "consignee"):
            store = FolderStore(self.folder.resolve(self.folder.voyage_file().site.store))
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
                is_whole=load.is_settled(self.folder),
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

    def accept_results(self, outbox: Path) -> Receipt:
        """Check and open an outbox that came home, into results/."""
        from packtrain.stages import homecoming

        with self._at_work("return accept", "consignor"):
            return homecoming.accept(self.folder, outbox, self._sink)

    def close(self, *, without_results: bool = False, approve: ApproveKeys | None = None) -> Receipt:
        """Destroy the keys of this shipment and write closing.json; without results a person may be asked first."""
        from packtrain.stages import close

        with self._at_work(close.STAGE, *everyone()):
            return self._run(
                close.STAGE,
                close.inputs(self.folder),
                lambda: close.close(self.folder, self._sink, without_results=without_results, approve=approve),
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
        return states_of(self.folder, self.role)

    def next_step(self, states: Sequence[StageState]) -> NextStep:
        """Return what this party does next, from the states of its stages."""
        return next_step(self.folder, self.role, states)

    def in_bays(self) -> InBays | None:
        """Return what is in the bays of a packing in waves, and which drives come next; None outside of one."""
        from packtrain.stages import pack

        return pack.in_bays(self.folder, self._open_drive) if self.role == "consignor" else None
