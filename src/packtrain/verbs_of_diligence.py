"""The verbs of papers: declare, screen, judge, print, exchange, admit; each run as `StageRunner` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.events import Notice
from packtrain.stage_runner import StageRunner, everyone

if TYPE_CHECKING:
    from packtrain.diligence.interview import Ask
    from packtrain.diligence.judging import Ruled
    from packtrain.diligence.lists.add import ListToAdd
    from packtrain.diligence.paper_folder import SignedPaper
    from packtrain.diligence.rules.answers import SignedAnswer
    from packtrain.diligence.screening.record import SignedDisposition
    from packtrain.diligence.screening.state import ScreeningState
    from packtrain.documents.country_group import CountryGroup
    from packtrain.documents.list_record import ListRecord
    from packtrain.stages.declare import ApproveAnswers
    from packtrain.stages.flags import FlagReply
    from packtrain.stages.papers import WrittenPapers
    from packtrain.stages.screen import Answer


class DiligenceVerbs(StageRunner):
    """What a party declares, finds, answers and exchanges, and what a site decides on it."""

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

    def papers(self, into: Path | None = None) -> WrittenPapers:
        """Write the papers to print that this party's documents allow, each signed."""
        from packtrain.report.papers import render
        from packtrain.stages import papers

        with self._at_work(papers.STAGE, *everyone()):
            return papers.write_papers(self.folder, render, self._sink, into=into)

    def papers_as_pdf(self, place: Path, into: Path) -> tuple[Path, ...]:
        """Write a PDF copy of every paper of a folder, each verified first; return their paths."""
        from packtrain import durable
        from packtrain.report.papers.pdf import pdf_of

        written: list[Path] = []
        for name in self.check_papers(place):
            path = into / f"{name.removesuffix('.html')}.pdf"
            durable.write_bytes(path, pdf_of((place / name).read_bytes(), name))
            written.append(path)
        return tuple(written)

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
