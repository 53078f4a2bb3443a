"""Where the papers of a voyage contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packtrain.diligence.papers import Papers
from packtrain.documents.admission import Admission
from packtrain.documents.customs import Customs
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import ROLES
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment, ShippedDrive


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where documents contradict each other.

    Attributes:
        what: in words.
        by_reference: whether it is that one names another by digest which is not here, or is another one here.
    """

    what: str
    by_reference: bool = False

    def __str__(self) -> str:
        return self.what


def _named(what: str) -> Disagreement:
    return Disagreement(what, by_reference=True)


def disagreements(papers: Papers) -> list[Disagreement]:
    """Return where the documents contradict each other; empty where they belong together."""
    faults: list[Disagreement] = []
    plan, shipment, statement = papers.current(Plan), papers.current(Shipment), papers.current(PackingStatement)
    chain = papers.chain()
    declared = {name for name, _ in chain}
    attempts = {
        (document.shipment, document.attempt)
        for document in (plan, shipment, statement, *papers.groups().values())
        if document is not None
    }
    if len(attempts) > 1:
        faults.append(Disagreement(f"documents of different shipments or attempts: {_listed(attempts)}"))
    if chain and (missing := chain[-1][1].supersedes) is not None:
        faults.append(_named(f"the superseded declaration {missing[:12]} is missing"))
    if plan is not None:
        if plan.purpose != "cargo":
            faults.append(Disagreement(f"the plan is of a {plan.purpose}, not of cargo"))
        if chain and plan.declaration not in declared:
            named = (plan.declaration or "none")[:12]
            faults.append(_named(f"the plan names declaration {named}, which is not in the chain"))
    if shipment is not None:
        faults += _against_plan(papers, shipment, plan)
    if statement is not None:
        if statement.shipment_root != papers.digest(Shipment):
            faults.append(_named("the packing statement names another shipment root"))
        if statement.plan != papers.digest(Plan):
            faults.append(_named("the packing statement names another plan"))
        if chain and statement.declaration not in declared:
            faults.append(_named("the packing statement names a declaration that is not in the chain"))
    ready = papers.current(Ready)
    if ready is not None and ready.kit != papers.digest(Kit):
        faults.append(_named("the ready sheet is of another kit"))
    update = papers.current(KitUpdate)
    if update is not None and shipment is not None and update.shipment_root != papers.digest(Shipment):
        faults.append(_named("the kit update is of another shipment root"))
    if update is not None and not papers.holds(update.to_kit):
        faults.append(_named("the kit update names a kit that is not here"))
    admission = papers.current(Admission)
    if admission is not None:
        if admission.shipment_root != papers.digest(Shipment) or admission.plan != papers.digest(Plan):
            faults.append(_named("the admission is of another shipment or plan"))
        statements = {papers.digest(PackingStatement), *papers.superseded(PackingStatement)}
        if admission.packing_statement not in {*statements, None} or (chain and admission.declaration not in declared):
            faults.append(_named("the admission names a packing statement or declaration that is not here"))
        outcomes = {check.outcome for check in admission.checks}
        worst = "refuse" if "refuse" in outcomes else "hold" if "hold" in outcomes else "admit"
        if admission.verdict != worst:
            faults.append(Disagreement(f"the admission says {admission.verdict}, and its own checks make it {worst}"))
        for what, kind, named in (("screening", Screening, admission.screening), ("flags", Flags, admission.flags)):
            if named not in papers.made_by(kind, "operator"):
                sentence = f"the admission names {what} of the operator that are not here"
                faults.append(Disagreement(sentence, by_reference=not papers.holds(named)))
    customs = papers.current(Customs)
    if customs is not None:
        statements = {papers.digest(PackingStatement), *papers.superseded(PackingStatement)}
        if customs.packing_statement not in statements:
            faults.append(_named("the customs answers are of a packing statement that is not here"))
        if customs.supersedes is not None and customs.supersedes not in papers.superseded(Customs):
            faults.append(_named(f"the superseded customs answers {customs.supersedes[:12]} are missing"))
    faults += _against_runs(papers)
    export_list = papers.current(ExportList)
    if export_list is not None and shipment is not None and export_list.shipment != shipment.shipment:
        faults.append(Disagreement("the export list is of another shipment"))
    return faults


def _against_runs(papers: Papers) -> list[Disagreement]:
    """Return what is missing of the runs of the rules: each names the run before it, and the screening it rests on."""
    faults: list[Disagreement] = []
    for role in ROLES:
        runs, screenings = papers.made_by(Flags, role), papers.made_by(Screening, role)
        for run_digest, run in runs.items():
            if run.supersedes is not None and run.supersedes not in runs:
                faults.append(
                    Disagreement(
                        f"run {run.supersedes[:12]} of the rules by the {role}, which a later one names, is missing",
                        by_reference=not papers.holds(run.supersedes),
                    )
                )
            if run.screening is not None and run.screening not in screenings:
                faults.append(
                    Disagreement(
                        f"run {run_digest[:12]} of the rules names a screening of the {role} that is not here",
                        by_reference=not papers.holds(run.screening),
                    )
                )
        heads = runs.keys() - {run.supersedes for run in runs.values()}
        if len(heads) > 1:
            faults.append(Disagreement(f"the runs of the rules by the {role} form more than one chain"))
    known = {name for role in ROLES for name in papers.made_by(Flags, role)}
    faults += [
        Disagreement(
            f"an answer to {paper.document.rule} is to a run of the rules that is not here",
            by_reference=not papers.holds(paper.document.flags),
        )
        for paper in papers.by_name.values()
        if isinstance(paper.document, FlagAnswer) and paper.document.flags not in known
    ]
    return faults


def _against_plan(papers: Papers, shipment: Shipment, plan: Plan | None) -> list[Disagreement]:
    faults: list[Disagreement] = []
    if plan is None or shipment.plan != papers.digest(Plan):
        faults.append(_named("the shipment names another plan"))
        return faults
    if shipment.purpose != plan.purpose:
        faults.append(Disagreement(f"the shipment is a {shipment.purpose}, its plan is of a {plan.purpose}"))
    planned = {drive.uuid: drive for drive in plan.drives}
    if len({drive.uuid for drive in shipment.drives}) != len(shipment.drives):
        faults.append(Disagreement("the shipment names a drive twice"))
    if strangers := sorted(drive.label for drive in shipment.drives if not _is_planned(drive, planned)):
        faults.append(Disagreement(f"drives of the shipment differ from the plan: {', '.join(strangers)}"))
    named = {group.record: group.group for group in shipment.groups}
    for group_digest, group in papers.groups().items():
        if named.get(group_digest) != group.group or group.plan != shipment.plan:
            faults.append(Disagreement(f"group {group.group} is not the one that the shipment names"))
    return faults


def _is_planned(drive: ShippedDrive, planned: Mapping[str, PlannedDrive]) -> bool:
    """Return whether a shipped drive is one of the plan, or stands in the place of one."""
    place = planned.get(drive.planned_uuid)
    if place is None or (place.label, place.case) != (drive.label, drive.case):
        return False
    # A plan does not know the serials of drives that took their turn in a bay, nor of one that came for a failed one.
    return bool(drive.replaces) or place.serial in (None, drive.serial)


def _listed(attempts: set[tuple[str, int]]) -> str:
    return ", ".join(f"{shipment} attempt {attempt}" for shipment, attempt in sorted(attempts))
