"""An audit as numbered sections of rows and sentences, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from packtrain.diligence.audit.answers import Audit, CaseHeld
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import DeclaredHardware
from packtrain.report.audit_flags import flag_blocks
from packtrain.report.audit_site import home_blocks, site_blocks, trained_blocks
from packtrain.report.audit_words import Block, Rows, Sentences, from_document, yes_no
from packtrain.units import format_bytes


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its title, and what stands in it."""

    title: str
    blocks: tuple[Block, ...]
    has_drawing: bool = field(default=False)


_SELF_ASSERTED = "Every date is self-asserted: by the clock of whoever signed it."


def sections(audit: Audit) -> list[Section]:
    """Return all sections, in the order in which an auditor asks."""
    titled: Sequence[tuple[str, Iterable[Block]]] = (
        ("Is the record whole?", _verdict(audit)),
        ("Whose data", _whose_data(audit)),
        ("For whom trained, and what for", _for_whom(audit)),
        ("Owned by whom", _owned_by(audit)),
        ("On which machines", _machines(audit)),
        ("In whose hands, when", _hands(audit)),
        ("Which flags, and how answered", flag_blocks(audit.flagged)),
        ("What the site decided", site_blocks(audit.site_verdicts)),
        ("What was loaded and trained", trained_blocks(audit.trained)),
        ("What came home, and what was destroyed", home_blocks(audit.came_home)),
        ("What this record cannot say", (Sentences(audit.cannot_say),)),
    )
    return [
        Section(f"{number}  {title}", tuple(blocks), has_drawing=number == 4)
        for number, (title, blocks) in enumerate(titled, 1)
    ]


def _verdict(audit: Audit) -> Iterator[Block]:
    verdict = audit.verdict
    yield Sentences((f"{verdict.sentence}.",), is_strong=True)
    rows = [
        ("record", f"{audit.form} {audit.source}"),
        ("voyage", audit.voyage or "not told"),
        ("shipment", f"{audit.shipment}, attempt {audit.attempt}" if audit.shipment else "not packed, as far as told"),
    ]
    if audit.dossier is not None:
        rows.append(("dossier", f"tag manifest {audit.dossier}"))
    rows.append(("keys from", verdict.trusted_keys or "nowhere: nobody vouches for a key here (see --parties)"))
    rows += [
        (
            f"key {number}",
            f"{use.fingerprint}, {use.owner or 'nobody says whose'}: signatures: {use.num_signatures}, on "
            f"{', '.join(use.kinds)}",
        )
        for number, use in enumerate(verdict.keys, 1)
    ]
    rows += [("key it brings", f"{text} (shown, not trusted)") for text in verdict.keys_inside]
    yield Rows(rows)
    if audit.faults:
        yield Sentences(("Faults, all that were found:",))
        yield Rows([(fault.kind, f"{fault.where}: {fault.what}") for fault in audit.faults])
    if audit.stands_out:
        yield Sentences(("What stands out in the voyage itself:", *(f"- {text}" for text in audit.stands_out)))
    yield Sentences(("Documents:",))
    yield Rows(
        [
            (
                row.name,
                f"{row.signature}{f'; second: {row.second_signature}' if row.second_signature else ''}"
                f"{'' if row.is_believed else '; what it says is not told below'}; sha256 {row.sha256[:16]}",
            )
            for row in audit.documents
        ]
    )
    yield Sentences((_SELF_ASSERTED, audit.legal))


def _nothing(what: str) -> Iterator[Block]:
    yield Sentences((f"No declaration that can be believed is here: {what} is not known.",))


def _whose_data(audit: Audit) -> Iterator[Block]:
    answer = audit.whose_data
    if answer is None:
        yield from _nothing("whose data this is")
        return
    source = answer.source or "undisclosed"
    rows = [
        ("shipped by", _party(answer.shipper)),
        ("data", answer.data.description),
        ("categories", ", ".join(answer.data.categories) or "none named"),
        ("from where", source if answer.is_source_asked else "not asked: short form"),
        ("personal data", yes_no(answer.data.personal_data)),
    ]
    if answer.personal is not None:
        rows.append(("controller", answer.personal.controller or "undisclosed"))
        rows.append(("lawful basis", answer.personal.lawful_basis or "undisclosed"))
        rows += [
            (
                "persons",
                f"{'undisclosed number' if row.number is None else f'{row.number:,}'} of {row.country or 'undisclosed'}"
                f", {row.kind or 'undisclosed kind'}; transfer: {row.transfer_tool or 'undisclosed'}",
            )
            for row in answer.personal.persons
        ]
    rows += [
        ("erased by", answer.data.erased_by),
        ("at most", f"{format_bytes(answer.most_bytes)} on {answer.most_drives} drives"),
    ]
    yield from_document(answer.told)
    yield Rows(rows)


def _for_whom(audit: Audit) -> Iterator[Block]:
    answer = audit.for_whom
    if answer is None:
        yield from _nothing("for whom is trained")
        return
    is_full = answer.form == "full"
    rows = [
        ("form", answer.form),
        ("trained for", _party(answer.trained_for)),
        ("received by", _party(answer.receiver)),
    ]
    for name, party in (
        ("end user", answer.end_user),
        ("customer", answer.customer),
        ("model owner", answer.model_owner),
        ("payer", answer.payer),
    ):
        if is_full or party is not None:
            rows.append((name, _party(party) if party is not None else "undisclosed"))
    rows.append(("end use", answer.end_use))
    if is_full:
        uses = answer.prohibited_uses
        rows.append(("prohibited uses", "undisclosed" if uses is None else ", ".join(uses) or "none ticked"))
    rows.append(("what returns", answer.returns))
    if answer.home is not None:
        home = answer.home
        recipient = _party(home.recipient) if home.recipient is not None else "undisclosed"
        rows.append(("model goes to", f"{home.country or 'undisclosed'}, {recipient}"))
        rows.append(("operations", home.training_operations or "undisclosed"))
        rows.append(("weights class", home.classification or "undisclosed"))
    rows += [
        (
            f"parent, {parent.role}",
            f"{parent.party}: declared {parent.declared}; by shares {parent.computed}; {parent.agreement}",
        )
        for parent in answer.parents
    ]
    yield from_document(answer.told)
    yield Rows(rows)


def _owned_by(audit: Audit) -> Iterator[Block]:
    answer = audit.owned_by
    if answer is None:
        yield from _nothing("who owns the parties")
        return
    yield from_document(answer.told)
    if not answer.chains:
        yield Sentences(("Short form: no shares were asked. Declared parents stand in section 3.",))
    for chain in answer.chains:
        rows = [
            ("party", f"{chain.party} ({', '.join(chain.roles)})"),
            ("chain", " <- ".join(chain.chain)),
            ("ends at", chain.end),
            ("undisclosed", "; ".join(chain.undisclosed) or "no part"),
        ]
        rows += [("contradicts itself", text) for text in chain.overfull]
        yield Rows(rows)


def _machines(audit: Audit) -> Iterator[Block]:
    answer = audit.machines
    if answer is None:
        yield from _nothing("which machines were meant")
        return
    rows = [
        ("operated by", _party(answer.operator)),
        ("site", f"{answer.site_country}{f', {answer.address}' if answer.address else ''}"),
        ("hardware class", answer.hardware_class),
    ]
    if answer.kilowatts is not None:
        rows.append(("power", f"{answer.kilowatts:,} kW, attested: {yes_no(answer.infrastructure_attested)}"))
    rows += [(f"machines {number}", _hardware(row)) for number, row in enumerate(answer.hardware, 1)]
    rows += [("licence", text) for text in answer.licences]
    yield from_document(answer.told)
    yield Rows(rows)


def _hardware(row: DeclaredHardware) -> str:
    count = "undisclosed number of" if row.count is None else f"{row.count:,}"
    return (
        f"{count} {row.item}; advanced computing: {yes_no(row.is_advanced_computing)}; "
        f"class {row.classification or 'undisclosed'}; origin {row.origin or 'undisclosed'}; "
        f"authority: {row.authority or 'undisclosed'}; moves over a border: {yes_no(row.moves)}"
    )


def _hands(audit: Audit) -> Iterator[Block]:
    answer = audit.in_whose_hands
    if answer.statement is not None:
        yield from_document(answer.statement)
    for case in answer.cases:
        yield Rows(list(_case(case)))
    if answer.drives_lost:
        yield Rows([("drive lost", text) for text in answer.drives_lost])
    if answer.entries:
        yield Sentences((f"Entries of {answer.log}:",))
        yield Rows([(str(entry.line), f"{entry.what or 'not told'}; {entry.signature}") for entry in answer.entries])
    if answer.proven:
        yield Sentences(("Proven by heads that others signed:", *(f"- {text}" for text in answer.proven)))
    yield Sentences(("Not provable here:", *(f"- {text}" for text in answer.not_provable)))


def _case(case: CaseHeld) -> Iterator[tuple[str, str]]:
    stated = f"stated: carrier {case.carrier}, seal {case.stated_seal}" if case.carrier else "on no packing statement"
    yield f"case {case.case}", f"{stated}; drives {', '.join(case.drives) or 'not stated'}"
    for period in case.periods:
        until = f"until {period.until}" if period.until else "to the end of this log"
        yield "held by", f"the {period.holder}, {period.how} {period.since}, {until} (entry {period.entry})"
    if not case.periods:
        yield "held by", "nobody says"
    if case.released_to is not None:
        yield "released to", f"the {case.released_to}, and not accepted as far as this log goes"
    if len(case.seals) > 1:
        yield "seals", ", ".join(case.seals)
    for text in case.seals_broken:
        yield "SEAL BROKEN", text
    for text in case.seals_checked:
        yield "seal checked", text


def _party(party: DeclaredParty) -> str:
    headquarters = party.headquarters or "undisclosed"
    return f"{party.name}, {party.address}, {party.location}; headquarters {headquarters}"
