"""Asking a declaration's questions one after the other: which one is next, and what was typed put where it belongs.

Nothing here knows a question of its own. The form's text says what a question is; the reader of answers says whether it
is asked: it is, if without an answer to it something would be missing. No rule is run, and nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from packtrain.diligence.answer_reader import is_answer, is_undisclosed
from packtrain.diligence.answers import PARTIES, PartyAnswers
from packtrain.diligence.draft import Draft
from packtrain.diligence.form_reader import Question, Table
from packtrain.diligence.full_form import ROLES
from packtrain.diligence.typed_answer import meanings, row_fields
from packtrain.errors import DeclarationFileError

ADD: Final = "add"
"""What is typed to begin a row where "none" is an answer too."""
_EVIDENCE: Final = "evidence"
_ROWS_OR_NONE: Final = re.compile(r".*a \[\[([a-z_.]+)\]\].*")
_RANGE: Final = re.compile(r"or ([a-z_]+) and ([a-z_]+)")
_FROM_TO: Final = re.compile(r"([0-9.]+)\s*%?\s*(?:-|to)\s*([0-9.]+)\s*%?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TOML_LIST: Final = re.compile(r'\["([^"]*)"\]')
"""An example that is written as the file wants it, and typed without the signs around it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as it is put to a person.

    Attributes:
        field: as declaration.toml spells it.
        help: what the form says of it.
        choices: the words that it may be, where there are some; "undisclosed" besides.
        default: what counts if nothing is typed: the answer before, or what the form proposes.
        fault: why what was typed last is no answer.
        is_optional: it may be left out.
    """

    field: str
    help: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""
    fault: str = ""
    is_optional: bool = False


Ask = Callable[[Asked], str]
"""Puts a question to a person; returns what was typed, "" for what is proposed."""
Missing = Callable[[bytes], tuple[str, ...]]
"""Returns which answers a file lacks; raises DeclarationFileError where one cannot be read."""


class Interview:
    """Asks, and keeps every answer as soon as it is given.

    Args:
        draft: what was answered before; it is changed.
        missing: says what a file lacks.
        ask: puts a question.
        keep: is called after each answer.
    """

    def __init__(self, draft: Draft, missing: Missing, ask: Ask, keep: Callable[[], None]) -> None:
        self._draft, self._lacks, self._put, self._keep = draft, missing, ask, keep
        self._party: tuple[Question, ...] = ()
        self._is_open_only = False

    def missing(self) -> tuple[str, ...]:
        """Return what has no answer."""
        return self._lacks(self._draft.text({}))

    def tables(self, tables: Iterable[Table], *, party: Table, is_open_only: bool = False) -> None:
        """Ask what is asked of these tables, in order.

        Args:
            tables: of a form.
            party: the questions of a party that is written out.
            is_open_only: ask what has no answer, and let stand what has one.
        """
        self._is_open_only = is_open_only
        self._party = tuple(question for question in party.questions if question.name not in ("same_as", "name"))
        for table in tables:
            if table.is_rows:
                self._rows(table)
            elif table.name in ROLES:
                self._role(table)
            else:
                self._fields(table.name, table.questions, table.help)

    def _role(self, table: Table) -> None:
        """Ask who has a role: the same party as another, or one that is written out; or nobody says."""
        role, draft = table.name, self._draft
        before = draft.shown(f"{role}.same_as") or draft.shown(f"{role}.name")
        likely = next((question.likely for question in table.questions if question.name == "same_as"), "")
        others = ", ".join(each for each in (PARTIES if role in PARTIES else ROLES) if each != role)

        def answers(typed: str) -> Iterator[Draft]:
            changed = draft.copy()
            if typed in ROLES:
                changed.put(role, {"same_as": typed})
            else:
                changed.take(f"{role}.same_as")
                changed.put(f"{role}.name", typed)
            yield changed

        said = f"{table.help}: the name, or the role of the same party: {others}"
        self._ask(Asked(role, said, (), before or likely), answers, stands=bool(before))
        if not draft.shown(f"{role}.same_as") and not is_undisclosed(draft.shown(f"{role}.name")):
            self._fields(role, self._party, table.help)

    def _rows(self, table: Table) -> None:
        """Ask every row that there is, then for further ones as long as one is missing or wanted."""
        number = 0
        while number < self._draft.num_rows(table.name) or self._wants_row(table, number):
            self._fields(f"{table.name}[{number}]", table.questions, table.help, is_row=True)
            number += 1

    def _wants_row(self, table: Table, number: int) -> bool:
        """Return whether there is to be a row more; it is begun then."""
        gap = next((gap for gap in self.missing() if f"({table.name}" in gap or f"in {table.name}" in gap), "")
        if not gap and (not number or self._is_open_only):
            return False
        field = f"{'another' if number else 'a'} [[{table.name}]]"
        asked = Asked(field, f"missing: {gap}" if gap else table.help, ("yes", "no"), "yes" if gap else "no")
        while (typed := (self._put(asked).strip() or asked.default).casefold()) not in (
            "yes",
            "y",
            "1",
            "no",
            "n",
            "2",
        ):
            asked = replace(asked, fault="yes or no")
        if typed not in ("yes", "y", "1"):
            return False
        self._is_open_only = False  # a new row is asked whole
        self._draft.put(f"{table.name}[{number}]", {})
        return True

    def _fields(self, place: str, questions: Iterable[Question], said: str, *, is_row: bool = False) -> None:
        for question in questions:
            path = f"{place}.{question.name}" if place else question.name
            if question.name == _EVIDENCE:
                self._evidence(path)
            elif self._is_asked(path, is_list=is_row and question.kind == "list"):
                if match := _ROWS_OR_NONE.fullmatch(question.help):
                    self._rows_or_none(path, Table(match[1], question.help, is_rows=True), question)
                else:
                    self._field(path, question, said)

    def _field(self, path: str, question: Question, said: str, *, is_optional: bool = False) -> None:
        before = self._draft.shown(path)
        known = next((each.help for each in self._party if each.name == question.name), "")
        words = question.help or known or question.name.replace("_", " ") + (f" ({said})" if said else "")
        words = _TOML_LIST.sub(r"\1", words)

        def answers(typed: str) -> Iterator[Draft]:
            for value in meanings(typed, question):
                changed = self._draft.copy()
                changed.put(path, value)
                yield changed
            if (fields := _RANGE.fullmatch(question.help)) and (ends := _FROM_TO.fullmatch(typed)):
                changed = self._draft.copy()
                changed.take(path)
                for field, end in zip(fields.groups(), ends.groups(), strict=True):
                    changed.put(f"{path.rpartition('.')[0]}.{field}", end)
                yield changed

        asked = Asked(path, words, question.choices, before or question.likely, is_optional=is_optional)
        self._ask(asked, answers, stands=bool(before))

    def _rows_or_none(self, path: str, table: Table, question: Question) -> None:
        """Ask for "none", "undisclosed", or rows whose fields are those of the record that reads them."""
        if not self._draft.num_rows(path):
            before = self._draft.shown(path)

            def answers(typed: str) -> Iterator[Draft]:
                changed = self._draft.copy()
                if typed in (ADD, "2"):
                    changed.put(f"{path}[0]", {})
                else:
                    changed.put(path, "none" if typed == "1" else typed)
                yield changed

            self._ask(Asked(path, question.help, ("none", ADD), before), answers, stands=bool(before))
        number = 0
        while number < self._draft.num_rows(path) or (number and self._wants_row(table, number)):
            for name in row_fields(path):
                self._row_field(f"{path}[{number}].{name}", name)
            number += 1

    def _row_field(self, path: str, name: str) -> None:
        if name == _EVIDENCE:
            self._evidence(path)
        elif name != "same_as":
            is_asked = self._is_asked(path, is_list=False)
            # A field that nobody misses is asked all the same, if it is not one of a party: nothing else names it.
            if is_asked or name not in PartyAnswers.__struct_fields__:
                self._field(path, Question(name), "", is_optional=not is_asked)

    def _evidence(self, path: str) -> None:
        """Ask for files that support the answers of a table, as many as there are."""
        while not self._is_open_only:
            number = self._draft.num_rows(path)
            place = f"{path}[{number}]"
            end = f"Enter after the last ({number} so far)" if number else "Enter where there is none"
            said = f"a file below the voyage folder that supports this, or its SHA-256; {end}"

            def answers(typed: str, place: str = place) -> Iterator[Draft]:
                changed = self._draft.copy()
                changed.put(place, {"what": path, "sha256" if _SHA256.fullmatch(typed) else "file": typed})
                yield changed

            if not self._ask(Asked(path, said, is_optional=True), answers):
                return
            self._field(f"{place}.what", Question("what", help="what it is, such as a register extract"), "")

    def _is_asked(self, path: str, *, is_list: bool) -> bool:
        """Return whether something would be missing without an answer to this."""
        if self._is_open_only and self._draft.shown(path):
            return False
        without = self._draft.copy()
        without.take(path)
        gaps = self._lacks(without.text({}))
        row = path.rpartition(".")[0]
        return path in gaps or (is_list and any(gap.endswith(f" {row}") for gap in gaps))

    def _ask(self, asked: Asked, answers: Callable[[str], Iterator[Draft]], *, stands: bool = False) -> bool:
        """Put one question until its answer can be read; return whether there is one, and keep it.

        `stands`: what is proposed is the answer before, and is left as it is written.
        """
        if stands and self._is_open_only:
            return True
        while True:
            typed = self._put(asked).strip()
            if not typed and (stands or asked.is_optional):
                return stands
            typed = typed or asked.default
            says = is_answer(typed)
            fault = "" if says else 'an answer is needed; "undisclosed" is one'
            for changed in answers(typed) if says else ():
                try:
                    self._lacks(changed.text({}))
                except DeclarationFileError as error:
                    fault = fault or error.what + (f": {error.expected}" if error.expected else "")
                except UnicodeEncodeError:
                    fault = fault or "this is no text in UTF-8"
                else:
                    self._draft.become(changed)
                    self._keep()
                    return True
            asked = replace(asked, fault=fault)
