"""What the documents of a record say against each other, and what one of them has and another lacks."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.arrival import check_cases, check_coverage, check_custody, statements_left_out
from packtrain.diligence.audit.amended import amendments
from packtrain.diligence.audit.evidence import named_evidence
from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.flags_answer import admitted_in_spite_of
from packtrain.diligence.audit.hands import Hands
from packtrain.diligence.audit.heads import heads_of, lines_of_revoked_keys
from packtrain.diligence.audit.log import CustodyLog
from packtrain.diligence.audit.reading import Record, SeenDocument
from packtrain.diligence.audit.references import dangling
from packtrain.diligence.audit.sanitised import sanitisations
from packtrain.diligence.disagreements import disagreements
from packtrain.diligence.hand_over import NOTED_ALONE, num_common
from packtrain.diligence.packing import names_statement
from packtrain.diligence.provenance import provenance_faults
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.export_list import ExportList
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags, finding_digest
from packtrain.documents.inspection import Inspection
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import REVIEWING_RIGHTS, SIGNING_RIGHTS, Role
from packtrain.documents.provenance import Provenance
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.units import counted


def contradictions(record: Record, hands: Hands) -> list[Fault]:
    """Return everything that documents, log and manifests say against each other."""
    faults = [*dangling(record)]
    # Those by reference are told by `dangling`, with the digests.
    papers = record.papers()
    said = [each.what for each in disagreements(papers) if not each.by_reference]
    if (provenance := papers.current(Provenance)) is not None:
        said += [f"the provenance does not follow: {fault}" for fault in provenance_faults(provenance, papers)]
    faults += [Fault("contradiction", "documents", sentence) for sentence in said]
    faults += _first_of_all(record)
    faults += [*amendments(record), *_chains(record)]
    faults += _packing(record)
    faults += hands.faults
    faults += _hand_overs(record, hands)
    faults += _logs(record)
    faults += [
        Fault("custody", f"line {each.line}", f"{each.kind}: {each.what}") for each in heads_of(record).contradictions
    ]
    faults += lines_of_revoked_keys(record)
    faults += _answers(record)
    faults += _admitted(record)
    faults += _refused(record)
    faults += _one_key(record)
    faults += [*_closings(record), *_inspections(record), *sanitisations(record)]
    faults += _evidence(record)
    return faults


def _first_of_all(record: Record) -> Iterator[Fault]:
    if "declaration.json" not in record.documents:
        yield Fault("missing", "declaration.json", "no declaration: nothing says who ships what to whom")


def _chains(record: Record) -> Iterator[Fault]:
    heads = declaration_heads(record)
    if len(heads) > 1:
        names = ", ".join(sorted(seen.sha256[:16] for seen, _ in heads))
        yield Fault("contradiction", "declarations", f"they form more than one chain, which end in {names}")


def declaration_heads(record: Record) -> list[tuple[SeenDocument, Declaration]]:
    """Return the declarations that no other supersedes; more than one make more than one chain."""
    declarations = record.all_of(Declaration)
    superseded = {declaration.supersedes for _, declaration in declarations}
    return [(seen, declaration) for seen, declaration in declarations if seen.sha256 not in superseded]


def _packing(record: Record) -> Iterator[Fault]:
    statement, shipment = record.current(PackingStatement), record.current(Shipment)
    if statement is None:
        return
    found = [check_cases(statement)]
    if shipment is not None:
        found.append(check_coverage(shipment, statement))
    digest = record.documents["packing-statement.json"].sha256
    if not record.custody.lines:
        yield Fault("missing", record.custody.name, "a packing statement is here, and no entry says what became of it")
    elif not record.custody.faults:
        superseded = record.papers().superseded(PackingStatement)
        found.append(check_custody(record.custody.believed, statement, digest, superseded))
        for sentence in statements_left_out(record.custody.believed, {digest, *superseded}):
            yield Fault("missing", record.custody.name, sentence)
    for finding in found:
        if finding.outcome == "refuse":
            yield Fault("contradiction", "packing-statement.json", finding.detail)
    sealed = {
        case
        for _, event in record.custody.events
        if event.verb == "sealed" and names_statement(event, digest)
        for case in event.cases
    }
    for case in statement.cases:
        if record.custody.lines and case.label not in sealed:
            what = f"no entry seals case {case.label} under the packing statement"
            yield Fault("custody", record.custody.name, what)


def _hand_overs(record: Record, hands: Hands) -> Iterator[Fault]:
    """Yield what the verdict rests on and the log does not tell: its tail may have been cut."""
    admission = record.current(Admission)
    if admission is None or admission.verdict != "admit" or admission.own_site or not record.custody.lines:
        return
    for case in sorted({drive.case for drive in admission.drives}):
        story = hands.cases.get(case)
        if story is None or not any(period.holder != "consignor" for period in story.periods):
            what = f"the site admitted drives of case {case}, and no entry says that the case left the consignor"
            yield Fault("custody", record.custody.name, f"{what}: entries are missing at the end, or were never made")


def _logs(record: Record) -> Iterator[Fault]:
    for other in record.other_logs.values():
        yield from compare_logs(record.custody, other, f"{other.name} beside it")


def compare_logs(own: CustodyLog, other: CustodyLog, name: str) -> Iterator[Fault]:
    """Yield where a log and another copy of it differ, but for what each side notes by itself at the end."""
    mine, theirs = own.lines, other.lines
    common = num_common([line.digest for line in mine], [line.digest for line in theirs])
    tails = (mine[common:], theirs[common:])
    if all(all(line.event is not None and line.event.verb in NOTED_ALONE for line in tail) for tail in tails):
        return
    if all(tails):
        where = f"{own.name}, line {common + 1}"
        yield Fault("custody", where, f"forked: {name} has another entry at this place, and both are signed")
    elif tails[1]:
        what = f"it ends {len(tails[1])} entries before {name} does: its tail was cut, or it is an older copy"
        yield Fault("custody", own.name, what)


def _answers(record: Record) -> Iterator[Fault]:
    runs = {seen.sha256: flags for seen, flags in record.all_of(Flags)}
    for seen, answer in record.all_of(FlagAnswer):
        flags = runs.get(answer.flags)
        result = flags.result_of(answer.rule) if flags is not None else None
        if flags is None:
            continue  # named as missing already
        if result is None or finding_digest(flags, result) != answer.finding:
            what = f"it answers another finding of {answer.rule} than the run that it names has"
            yield Fault("contradiction", seen.name, what)
    screenings = {seen.sha256: screening for seen, screening in record.all_of(Screening)}
    for seen, disposition in record.all_of(Disposition):
        screening = screenings.get(disposition.screening)
        if screening is not None and not any(
            candidate.id == disposition.candidate for subject in screening.subjects for candidate in subject.candidates
        ):
            what = f"it answers candidate {disposition.candidate[:16]}, which the screening that it names has not"
            yield Fault("contradiction", seen.name, what)


def _admitted(record: Record) -> Iterator[Fault]:
    if names := admitted_in_spite_of(record):
        what = f"the site admitted, and its own run of the rules had unresolved at that time: {', '.join(names)}"
        yield Fault("contradiction", "admission.json", what)


def _refused(record: Record) -> Iterator[Fault]:
    """Yield what came of a shipment that the site did not admit."""
    verdicts = {seen.sha256: admission for seen, admission in record.all_of(Admission)}
    export_list = record.current(ExportList)
    if export_list is not None and (named := verdicts.get(export_list.admission)) and named.verdict != "admit":
        yield Fault("contradiction", "export-list.json", f"it rests on a verdict that is {named.verdict}")
    if verdicts and all(admission.verdict != "admit" for admission in verdicts.values()):
        for line, event in record.custody.events:
            if event.verb == "loaded":
                what = "drives were loaded, and no verdict of the site admits them"
                yield Fault("contradiction", f"{record.custody.name}, line {line.number}", what)


def _one_key(record: Record) -> Iterator[Fault]:
    """Yield where nobody vouches for keys, and what one party signs bears several all the same."""
    found: dict[Role, dict[str, list[str]]] = {}
    for seen in record.documents.values():
        role = _only_signer(seen)
        if role is not None and seen.signature.standing == "unvouched":
            found.setdefault(role, {}).setdefault(seen.signature.fingerprint, []).append(seen.name)
    for line, event in record.custody.events:
        if line.signature.standing == "unvouched":
            keys = found.setdefault(event.by, {})
            keys.setdefault(line.signature.fingerprint, []).append(f"{record.custody.name}, line {line.number}")
    for role, keys in sorted(found.items()):
        if len(keys) > 1:
            rare = min(keys.values(), key=len)
            what = f"what the {role} alone signs bears {len(keys)} keys: {', '.join(sorted(keys))}"
            yield Fault("contradiction", "; ".join(sorted(rare)[:5]), what)


def _only_signer(seen: SeenDocument) -> Role | None:
    """Return the one party that a document can be of; None where there are several, or a second person may sign."""
    if seen.kind in REVIEWING_RIGHTS or seen.document is None:
        return None
    by: Role | None = getattr(seen.document, "by", None)
    entitled: list[Role] = [role for role, kinds in SIGNING_RIGHTS.items() if seen.kind in kinds]
    return by or (entitled[0] if len(entitled) == 1 else None)


def _closings(record: Record) -> Iterator[Fault]:
    shipment, export_list = record.current(Shipment), record.current(ExportList)
    for seen, closing in record.all_of(Closing):
        if shipment is not None and closing.shipment != shipment.shipment:
            yield Fault("contradiction", seen.name, f"it closes another shipment: {closing.shipment}")
        if closing.export_list is None and export_list is not None:
            yield Fault("contradiction", seen.name, "it says that nothing came home, and an export list is here")


def _inspections(record: Record) -> Iterator[Fault]:
    shipment = record.current(Shipment)
    for seen, sheet in record.all_of(Inspection):
        if shipment is not None and sheet.shipment not in (None, shipment.shipment):
            yield Fault("contradiction", seen.name, f"it was made for another shipment: {sheet.shipment}")
        if sheet.is_fit and sheet.faults:
            what = f"it calls the site fit, and {counted(len(sheet.faults), 'finding')} of it say otherwise"
            yield Fault("contradiction", seen.name, what)


def _evidence(record: Record) -> Iterator[Fault]:
    named = {digest for _, _, digest in named_evidence(record)}
    for digest in sorted(record.evidence - named):
        yield Fault("unknown file", f"evidence/{digest[:16]}", "no document names this file")
