"""From what people write in declaration.toml to values: countries, days, shares; what is not answered is collected.

"undisclosed" (or "unknown") is an answer and becomes None. An empty text, "?", "todo" and "tbd" are none: their fields
are listed, so that all of them are asked for at once.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TypeVar, get_args

from packtrain.digest import sha256_file
from packtrain.diligence.answers import EvidenceAnswers, Number, PartyAnswers, YesNo
from packtrain.diligence.countries import check_country
from packtrain.documents.declared_party import NO_ONE, DeclaredParty, Evidence
from packtrain.documents.full_form import WHOLE
from packtrain.errors import DeclarationFileError

_UNDISCLOSED: Final = frozenset({"undisclosed", "unknown"})
_NO_ANSWER: Final = frozenset({"", "?", "todo", "tbd"})
_YES_NO: Final = {"yes": True, "true": True, "no": False, "false": False}
_MOST: Final = 2**53 - 1
R = TypeVar("R")


def is_answer(text: str) -> bool:
    """Return whether a text answers anything: "", "?", "todo" and "tbd" do not."""
    return text.strip().casefold() not in _NO_ANSWER


def is_undisclosed(text: str) -> bool:
    """Return whether a text answers that the answer is not said: "undisclosed" or "unknown"."""
    return text.strip().casefold() in _UNDISCLOSED


class AnswerReader:
    """Reads the answers of one file and keeps which questions have none.

    Args:
        where: name of the file, for messages.
        root: the folder that files of evidence are named from.

    Attributes:
        missing: fields without an answer, in the order they were asked.
    """

    def __init__(self, where: str, root: Path) -> None:
        self.missing: list[str] = []
        self._where = where
        self._root = root

    def text(self, field: str, answer: str) -> str | None:
        """Return a text; None where it is undisclosed, or missing. "none" is spelled small."""
        if not is_answer(answer):
            self.missing.append(field)
            return None
        text = answer.strip()
        if is_undisclosed(text):
            return None
        return NO_ONE if text.casefold() == NO_ONE else text

    def name(self, field: str, answer: str) -> str:
        """Return a text that cannot be left undisclosed, "undisclosed" as it is written; "?" where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "?"
        return answer.strip()

    def choice(self, field: str, answer: str, options: object) -> str | None:
        """Return one of the values of a Literal type; None where it is undisclosed, or missing.

        Raises:
            DeclarationFileError: it is none of them.
        """
        known: tuple[str, ...] = get_args(options)
        text = self.text(field, answer)
        if text is None:
            return None
        found = next((each for each in known if each.casefold() == text.casefold()), None)
        if found is None:
            raise self._error(field, f"one of {', '.join(known)}; or undisclosed", text)
        return found

    def country(self, field: str, answer: str) -> str | None:
        """Return a country's code; None where it is undisclosed, or missing."""
        text = self.text(field, answer)
        return None if text is None else check_country(text, self._where, field)

    def day(self, field: str, answer: str) -> str | None:
        """Return a day as YYYY-MM-DD; None where it is undisclosed, or missing."""
        text = self.text(field, answer)
        if text is None:
            return None
        try:
            return datetime.date.fromisoformat(text).isoformat()
        except ValueError as error:
            raise self._error(field, "a day, such as 2026-03-31; or undisclosed", text) from error

    def yes_no(self, field: str, answer: YesNo) -> bool | None:
        """Return true or false; None where it is undisclosed, or missing."""
        if isinstance(answer, bool):
            return answer
        text = self.text(field, answer or "")
        if text is None:
            return None
        if text.casefold() not in _YES_NO:
            raise self._error(field, "yes, no or undisclosed", text)
        return _YES_NO[text.casefold()]

    def whole(self, field: str, answer: Number, unit: int = 1) -> int | None:
        """Return a number in whole parts: `unit` of them make one of what is written. None where it is not said.

        Raises:
            DeclarationFileError: no number, negative, or finer than a part.
        """
        if answer is None:
            self.missing.append(field)
            return None
        if isinstance(answer, str):
            text = self.text(field, answer.removesuffix("%"))
            if text is None:
                return None
        else:
            # The shortest text that is this float: what stood in the file, for up to 15 digits.
            text = repr(answer)
        try:
            parts = Decimal(text) * unit
        except InvalidOperation as error:
            raise self._error(field, "a number, or undisclosed", text) from error
        if not (parts.is_finite() and 0 <= parts <= _MOST) or parts != int(parts):
            raise self._error(field, f"a number from 0 on, in steps of 1/{unit}" if unit > 1 else "a count", text)
        return int(parts)

    def share(self, field: str, answer: Number) -> int | None:
        """Return a percentage in millionths of the whole; None where it is undisclosed, or missing."""
        parts = self.whole(field, answer, WHOLE // 100)
        if parts is not None and parts > WHOLE:
            raise self._error(field, "at most 100 per cent", str(answer))
        return parts

    def rows(self, field: str, answer: tuple[R, ...] | str | None) -> tuple[R, ...] | None:
        """Return the rows of a table; empty for "none", None where they are undisclosed, or missing."""
        if answer is None or answer == ():
            self.missing.append(field)
            return None
        if not isinstance(answer, str):
            return answer
        text = self.text(field, answer)
        if text is None:
            return None
        if text != NO_ONE:
            raise self._error(field, f"rows, none or undisclosed; [[{field}]] begins a row", text)
        return ()

    def texts(self, field: str, answer: tuple[str, ...] | str | None) -> tuple[str, ...] | None:
        """Return a list of texts; empty for "none", None where it is undisclosed, or missing."""
        rows = self.rows(field, answer)
        return None if rows is None else tuple(text.strip() for text in rows if is_answer(text))

    def evidence(self, field: str, answer: Sequence[EvidenceAnswers]) -> tuple[Evidence, ...]:
        """Return files of evidence with their SHA-256, read from the voyage folder where only a name is given.

        Raises:
            DeclarationFileError: a file is not there, or neither file nor digest is given, or both.
        """
        found: list[Evidence] = []
        for i, row in enumerate(answer):
            place = f"{field}.evidence[{i}]"
            what = self.name(f"{place}.what", row.what)
            if bool(row.file) == bool(row.sha256):
                raise self._error(place, "file or sha256", "both" if row.file else "neither")
            digest = self.digest(place, row.sha256) if row.sha256 else self._hash(place, row.file)
            found.append(Evidence(what=what, sha256=digest))
        return tuple(found)

    def digest(self, field: str, answer: str) -> str:
        """Return a SHA-256 as it is written.

        Raises:
            DeclarationFileError: it is none.
        """
        text = answer.strip()
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise self._error(field, "a SHA-256: 64 hex digits, small letters", text)
        return text

    def _hash(self, field: str, name: str) -> str:
        try:
            return sha256_file(self._root / name)
        except OSError as error:
            raise DeclarationFileError(
                f"{field}.file cannot be read: {error.strerror}",
                where=self._where,
                found=name,
                hint="name it from the voyage folder, for example evidence/register.pdf",
            ) from error

    def party(self, role: str, answers: PartyAnswers) -> DeclaredParty:
        """Return a party that is written out; its missing answers are collected, with "?" or None in their place."""
        name, address = self.name(f"{role}.name", answers.name), self.name(f"{role}.address", answers.address)
        location = self.name(f"{role}.location", answers.location)
        headquarters = self.country(f"{role}.headquarters", answers.headquarters)
        parent = self.text(f"{role}.ultimate_parent", answers.ultimate_parent)
        needs_country = parent != NO_ONE or is_answer(answers.parent_country)
        return DeclaredParty(
            name=name,
            address=address,
            location=location if location == "?" else check_country(location, self._where, f"{role}.location"),
            headquarters=headquarters,
            ultimate_parent=parent,
            parent_country=self.country(f"{role}.parent_country", answers.parent_country) if needs_country else None,
        )

    def _error(self, field: str, expected: str, found: str) -> DeclarationFileError:
        return DeclarationFileError(
            f"{field} is no answer that can be read",
            where=self._where,
            expected=expected,
            found=found[:80],
            hint="docs/reference/declaration-toml.md lists every question",
        )
