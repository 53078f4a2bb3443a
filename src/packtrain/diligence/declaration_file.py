"""declaration.toml: the questions as the consignor answers them, and the declaration that they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from packtrain.diligence.answer_reader import AnswerReader, is_answer
from packtrain.diligence.answers import PARTIES, DataAnswers, DeclarationFile, PartyAnswers, answers_full_form
from packtrain.diligence.countries import check_country
from packtrain.diligence.full_form import read_full_form
from packtrain.diligence.full_form_gaps import gaps
from packtrain.diligence.short_form import obstacles
from packtrain.documents.declaration import Declaration, DeclaredData, DeclaredParty
from packtrain.documents.toml_file import MAX_TOML_BYTES, decode_toml
from packtrain.errors import DeclarationFileError, DeclarationIncomplete, DeclarationMissing
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.units import parse_bytes

DECLARATION_FILE: Final = "declaration.toml"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the answers make.

    Attributes:
        declaration: in the full form where that is needed and whole; else the six questions alone.
        missing: what the full form asks and nobody answered; empty where the declaration stands as it is.
    """

    declaration: Declaration
    missing: tuple[str, ...]


def read_declaration_file(folder: VoyageFolder) -> bytes:
    """Return the bytes of declaration.toml.

    Raises:
        DeclarationMissing: there is none.
    """
    path = folder.root / DECLARATION_FILE
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_TOML_BYTES + 1)
    except FileNotFoundError as error:
        raise DeclarationMissing(
            "declaration.toml is not there",
            where=str(folder.root),
            hint='"packtrain declare --ask" asks for it, six questions first; --write-form writes one to fill in',
        ) from error


def evidence_files(payload: bytes) -> tuple[str, ...]:
    """Return the names of all files of evidence in a declaration.toml, as written; empty where it cannot be read."""
    try:
        answers = decode_answers(payload, DECLARATION_FILE)
    except DeclarationFileError:
        return ()
    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, msgspec.Struct):
            if (name := getattr(node, "file", None)) is not None:
                found.append(name)
            for field in node.__struct_fields__:
                walk(getattr(node, field))
        elif isinstance(node, tuple):
            for item in node:  # pyright: ignore[reportUnknownVariableType]
                walk(item)  # pyright: ignore[reportUnknownArgumentType]

    walk(answers)
    return tuple(dict.fromkeys(name for name in found if name))


def declare_from(payload: bytes, voyage: str, where: str, root: Path) -> Answered:
    """Return the declaration that these answers make: dated now, amending nothing.

    Args:
        payload: the bytes of declaration.toml.
        voyage: the voyage's name.
        where: name of the file, for messages.
        root: the voyage folder, from which files of evidence are named.

    Raises:
        DeclarationFileError: not TOML, an unknown field, or an answer that cannot be one (no such country or size).
        DeclarationIncomplete: some of the six questions have no answer; all of them are named.
    """
    answers = decode_answers(payload, where)
    six = _six_questions(answers, voyage, where, root)
    if not obstacles(six) and not answers_full_form(answers):
        return Answered(six, ())
    reader = AnswerReader(where, root)
    full = read_full_form(answers, six, lambda role: written_out(answers, role, where), reader, where)
    declaration = msgspec.structs.replace(six, form="full", full=full)
    # A gap that stands for a missing answer is said once, by the name of its field.
    unsaid = [gap for gap in gaps(declaration) if not gap.startswith("no answer to ")]
    missing = tuple(dict.fromkeys([*reader.missing, *unsaid]))
    return Answered(six, missing) if missing else Answered(declaration, ())


def decode_answers(payload: bytes, where: str) -> DeclarationFile:
    """Return the answers of a declaration.toml as they are written.

    Raises:
        DeclarationFileError: not TOML, or an unknown field.
    """
    return decode_toml(
        DeclarationFile,
        payload,
        where,
        error=DeclarationFileError,
        reference="docs/reference/declaration-toml.md",
    )


def six_gaps(payload: bytes, where: str, root: Path) -> tuple[str, ...]:
    """Return which of the six questions have no answer, by field; whether they are all is not looked at.

    Raises:
        DeclarationFileError: see `declare_from`.
    """
    answers = decode_answers(payload, where)
    reader = AnswerReader(where, root)
    _read_six(answers, reader, where)
    try:
        if is_answer(str(answers.site_country)):
            check_country(answers.site_country, where, "site_country")
        if is_answer(str(answers.most_bytes or "")):
            _size(answers.most_bytes, where)
        if answers.most_drives:
            _positive(answers.most_drives, where)
    except ValueError as error:
        raise DeclarationFileError(str(error), where=where) from error
    return tuple(reader.missing)


def _read_six(answers: DeclarationFile, reader: AnswerReader, where: str) -> dict[str, DeclaredParty]:
    """Return the parties of the six questions; the reader collects which of all six have no answer."""
    parties = {role: reader.party(role, written_out(answers, role, where)[1]) for role in PARTIES}
    for field, answer in (
        ("end_use", answers.end_use),
        ("hardware_class", answers.hardware_class),
        ("site_country", answers.site_country),
        ("returns", answers.returns),
        ("most_bytes", "" if answers.most_bytes is None else str(answers.most_bytes)),
        ("most_drives", "" if not answers.most_drives else str(answers.most_drives)),
        ("data.description", answers.data.description),
        ("data.categories", " ".join(answers.data.categories)),
        ("data.personal_data", "" if answers.data.personal_data is None else "answered"),
        ("data.erased_by", answers.data.erased_by),
    ):
        reader.name(field, answer)
    return parties


def _six_questions(answers: DeclarationFile, voyage: str, where: str, root: Path) -> Declaration:
    reader = AnswerReader(where, root)
    parties = _read_six(answers, reader, where)
    if reader.missing:
        raise DeclarationIncomplete(
            "not every one of the six questions is answered",
            where=where,
            expected='an answer to each; "undisclosed" is one',
            found=f"no answer to {', '.join(reader.missing)}",
            hint='answer them in declaration.toml; a guess is worse than "undisclosed"',
        )
    try:
        return Declaration(
            voyage=voyage,
            form="short",
            shipper=parties["shipper"],
            receiver=parties["receiver"],
            operator=parties["operator"],
            trained_for=parties["trained_for"],
            end_use=answers.end_use.strip(),
            hardware_class=answers.hardware_class.strip(),
            site_country=check_country(answers.site_country, where, "site_country"),
            data=_declared_data(answers.data, reader),
            most_bytes=_size(answers.most_bytes, where),
            most_drives=_positive(answers.most_drives, where),
            returns=answers.returns.strip(),
            full=None,
            signed_on=instant(),
            supersedes=None,
            changes=(),
        )
    except ValueError as error:
        raise DeclarationFileError(str(error), where=where) from error


def text_answers(declaration: Declaration) -> dict[str, str]:
    """Return the answers of a declaration that are plain text, by field: those that could be there and say nothing."""
    answers = {
        "end_use": declaration.end_use,
        "hardware_class": declaration.hardware_class,
        "returns": declaration.returns,
        "data.description": declaration.data.description,
        "data.categories": " ".join(declaration.data.categories),
        "data.erased_by": declaration.data.erased_by,
    }
    for name in PARTIES:
        party: DeclaredParty = getattr(declaration, name)
        answers |= {f"{name}.name": party.name, f"{name}.address": party.address}
    return answers


def written_out(answers: DeclarationFile, role: str, where: str) -> tuple[str, PartyAnswers]:
    """Return the role under which the party of this one is written out, and its answers there.

    Raises:
        DeclarationFileError: same_as beside answers of its own, or roles that are the same as each other in a circle.
    """
    seen = [role]
    while True:
        own: PartyAnswers = getattr(answers, seen[-1])
        if own.same_as is None:
            return seen[-1], own
        if own != PartyAnswers(same_as=own.same_as):
            raise DeclarationFileError(
                f"{seen[-1]} has same_as and answers of its own",
                where=where,
                hint="keep one of the two: a party is said once",
            )
        if own.same_as in seen:
            raise DeclarationFileError(
                f"{role}.same_as leads in a circle",
                where=where,
                found=" -> ".join([*seen, own.same_as]),
                hint="write one of these parties out",
            )
        seen.append(own.same_as)


def _declared_data(data: DataAnswers, reader: AnswerReader) -> DeclaredData:
    card = (data.card or "").strip()
    return DeclaredData(
        description=data.description.strip(),
        categories=tuple(category.strip() for category in data.categories if is_answer(category)),
        personal_data=bool(data.personal_data),
        erased_by=data.erased_by.strip(),
        card=reader.digest("data.card", card) if card else None,
    )


def _size(answer: int | str | None, where: str) -> int:
    assert answer is not None, "a missing answer was named before"
    total_bytes = answer if isinstance(answer, int) else parse_bytes(answer)
    return _in_range("most_bytes", total_bytes, where)


def _positive(answer: int | None, where: str) -> int:
    assert answer is not None, "a missing answer was named before"
    return _in_range("most_drives", answer, where)


def _in_range(field: str, number: int, where: str) -> int:
    if not 1 <= number <= 2**53 - 1:
        raise DeclarationFileError(
            f"{field} is out of range", where=where, expected="1 to 9007199254740991", found=str(number)
        )
    return number
