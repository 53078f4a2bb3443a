"""The customs answers of a packing statement, made from customs.toml."""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence.answer_reader import is_answer
from packtrain.diligence.customs.answers import (
    CaseAnswers,
    CustomsFile,
    OtherAnswers,
    PartyAnswers,
    decode_customs_file,
)
from packtrain.diligence.customs.assign import assign_drives, printed_serials
from packtrain.diligence.customs.reader import CustomsReader, decimals_of
from packtrain.documents.codec import digest
from packtrain.documents.customs import (
    Carriage,
    Customs,
    CustomsCase,
    CustomsParty,
    DriveKind,
    OtherGoods,
)
from packtrain.documents.packing_statement import PackingStatement
from packtrain.errors import CustomsIncomplete

NONE_DECLARED = "none declared"


@dataclass(frozen=True, slots=True)
class CustomsStated:
    """The answers, and what of them is missing; with a gap the document holds placeholders and is not for signing."""

    customs: Customs
    missing: tuple[str, ...]
    where: str

    def whole(self) -> Customs:
        """Return the document.

        Raises:
            CustomsIncomplete: something is not answered; all of it is named.
        """
        if self.missing:
            raise CustomsIncomplete(
                f"{len(self.missing)} questions have no answer: {'; '.join(self.missing)}",
                where=self.where,
                hint='answer them in customs.toml ("none" is an answer), then run "packtrain papers" again',
            )
        return self.customs


def state_customs(payload: bytes, statement: PackingStatement, where: str, stated_on: str) -> CustomsStated:
    """Return what customs.toml says of the goods of a packing statement, unsigned.

    Raises:
        CustomsFileError: it cannot be read, or an answer cannot be right.
    """
    answers = decode_customs_file(payload, where)
    reader = CustomsReader(where)
    reference, place = reader.line("reference", answers.reference), reader.line("place", answers.place)
    consignor = reader.party("consignor", answers.consignor)
    consignee = reader.party("consignee", answers.consignee)
    holder = _holder(reader, answers.carnet.holder, consignor, consignee)
    representative = reader.line("carnet.representative", answers.carnet.representative)
    carriage = _carriage(reader, answers)
    currency = reader.currency("value.currency", answers.value.currency)
    decimals = decimals_of(currency)
    if not answers.drive:
        reader.missing.append("[[drive]]: make, model, value and tariff code of the drives")
    goods = [reader.goods(f"drive[{number}]", row, decimals) for number, row in enumerate(answers.drive)]
    drives = assign_drives(reader, answers.drive, statement)
    customs = Customs(
        shipment=statement.shipment,
        attempt=statement.attempt,
        shipment_root=statement.shipment_root,
        packing_statement=digest(statement),
        reference=reference,
        place=place,
        consignor=consignor,
        consignee=consignee,
        holder=holder,
        representative=representative,
        carriage=carriage,
        currency=currency,
        decimals=decimals,
        value_basis=reader.line("value.basis", answers.value.basis),
        recorded_data=_recorded_data(reader, answers, decimals),
        freight=reader.exact("value.freight", answers.value.freight, decimals),
        insurance=reader.exact("value.insurance", answers.value.insurance, decimals),
        seal_type=reader.line("seals.type", answers.seals.type),
        seal_maker=reader.line("seals.maker", answers.seals.maker),
        drive_kinds=tuple(
            DriveKind(goods=kind, drives=tuple(drive.uuid for drive in named))
            for kind, named in zip(goods, drives, strict=True)
        ),
        others=tuple(_other(reader, n, row, statement, decimals) for n, row in enumerate(answers.other)),
        cases=_cases(reader, answers.case, statement),
        printed_serials=printed_serials(reader, answers.serials, statement),
        stated_on=stated_on,
        supersedes=None,
    )
    if not reader.missing:
        _refuse_light_cases(reader, customs, statement)
    return CustomsStated(customs, tuple(reader.missing), where)


def _holder(
    reader: CustomsReader, answer: PartyAnswers | str, consignor: CustomsParty, consignee: CustomsParty
) -> CustomsParty:
    if isinstance(answer, PartyAnswers):
        return reader.party("carnet.holder", answer)
    if not is_answer(answer):
        reader.missing.append("carnet.holder")
        return consignor
    same_as = {"consignor": consignor, "consignee": consignee}.get(answer.strip())
    if same_as is None:
        reader.refuse("carnet.holder", '"consignor", "consignee", or a table [carnet.holder]', answer)
    return same_as


def _carriage(reader: CustomsReader, answers: CustomsFile) -> Carriage:
    row = answers.carriage
    return Carriage(
        reason=reader.line("carriage.reason", row.reason),
        intended_use=reader.line("carriage.intended_use", row.intended_use),
        returns_by=reader.day("carriage.returns_by", row.returns_by),
        incoterm=reader.line("carriage.incoterm", row.incoterm),
        dispatch=reader.country("carriage.dispatch", row.dispatch),
        destination=reader.country("carriage.destination", row.destination),
        port_of_exit=reader.line("carriage.port_of_exit", row.port_of_exit),
        port_of_entry=reader.line("carriage.port_of_entry", row.port_of_entry),
        transport=reader.line("carriage.transport", row.transport),
    )


def _recorded_data(reader: CustomsReader, answers: CustomsFile, decimals: int) -> int | None:
    answer = answers.value.recorded_data
    if isinstance(answer, str) and answer.strip().casefold() == NONE_DECLARED:
        return None
    return reader.exact("value.recorded_data", answer, decimals)


def _other(
    reader: CustomsReader, number: int, row: OtherAnswers, statement: PackingStatement, decimals: int
) -> OtherGoods:
    place = f"other[{number}]"
    case = reader.line(f"{place}.case", row.case)
    known = [case.label for case in statement.cases]
    if case != "?" and case not in known:
        reader.refuse(f"{place}.case", f"a case of the packing statement: {', '.join(known)}", case)
    serial = reader.line(f"{place}.serial", row.serial)
    pieces = reader.exact(f"{place}.pieces", row.pieces, 0, least=1, most=1_000_000)
    if pieces > 1 and serial not in ("none", "?"):
        reader.refuse(f"{place}.pieces", "1, as the row has a serial number; a row for each piece", pieces)
    goods = reader.goods(place, row, decimals)
    return OtherGoods(goods=goods, case=case if case in known else known[0], pieces=pieces, serial=serial)


def _cases(
    reader: CustomsReader, rows: tuple[CaseAnswers, ...], statement: PackingStatement
) -> tuple[CustomsCase, ...]:
    labels = [row.label.strip() for row in rows]
    known = [case.label for case in statement.cases]
    if strange := [label for label in labels if label not in known or labels.count(label) > 1]:
        reader.refuse("case", f"one [[case]] for each of {', '.join(known)}", ", ".join(strange))
    by_label = dict(zip(labels, rows, strict=True))
    found: list[CustomsCase] = []
    for label in known:
        row, place = by_label.get(label, CaseAnswers()), f"case {label}"
        millimetres = [
            reader.exact(f"{place}.{side}_cm", getattr(row, f"{side}_cm"), 1, least=1, most=100_000)
            for side in ("length", "width", "height")
        ]
        found.append(
            CustomsCase(
                label=label,
                marks=reader.line(f"{place}.marks", row.marks),
                length_mm=millimetres[0],
                width_mm=millimetres[1],
                height_mm=millimetres[2],
                gross_grams=reader.exact(f"{place}.gross_kg", row.gross_kg, 3, least=1, most=10**9),
            )
        )
    return tuple(found)


def _refuse_light_cases(reader: CustomsReader, customs: Customs, statement: PackingStatement) -> None:
    """Refuse a case that weighs less than what is in it: one of the two numbers is wrong."""
    grams = {uuid: kind.goods.net_grams for kind in customs.drive_kinds for uuid in kind.drives}
    for case, packed in zip(customs.cases, statement.cases, strict=True):
        net = sum(grams[drive.uuid] for drive in packed.drives)
        net += sum(other.goods.net_grams * other.pieces for other in customs.others if other.case == case.label)
        if net > case.gross_grams:
            reader.refuse(
                f"case {case.label}.gross_kg", f"not less than its contents, {net} g", f"{case.gross_grams} g"
            )
