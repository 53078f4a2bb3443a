"""The questions of a form, read from its own text: what is asked at a terminal is what stands in the file.

There is one list of questions, the text of `form_text.py`. A question that is added there is asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

_HEADER: Final = re.compile(r"(?:# )?(\[\[?)([a-z_.]+)\]\]?(?:\s+# ?(.*))?")
_KEY: Final = re.compile(r'(?:# )?([a-z_]+) = ("[^"]*"|\[\]|0|false)(?:\s+# ?(.*))?')
_ABOUT_NEXT: Final = re.compile(r"# ([a-z_]+): (.*)")
_NUMBERED: Final = re.compile(r"([1-6]): (.*)")
_CHOICES: Final = re.compile(r"(.*?)((?:[a-z ]+ \| )+[a-z ]+)")


@dataclass(frozen=True, slots=True)
class Question:
    """One field of a form.

    Attributes:
        name: of the field within its table.
        kind: "text", "list", "count" or "yes_no".
        help: what the form says of it.
        choices: the words that it may be, where there are some.
        likely: the answer that the form proposes, "" for none.
        number: of the six questions; inherited by those that follow it.
    """

    name: str
    kind: str = "text"
    help: str = ""
    choices: tuple[str, ...] = ()
    likely: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a form; `name` is "" for the questions before the first, `is_rows` says that it may come again."""

    name: str
    help: str = ""
    is_rows: bool = False
    number: int = 0
    questions: list[Question] = field(default_factory=list["Question"])


def tables_of(text: str) -> list[Table]:
    """Return the tables of a form with their questions, in the order of the text."""
    tables = [Table("")]
    about: dict[str, str] = {}
    number = 0
    follows_header = False
    for line in text.splitlines():
        if match := _HEADER.fullmatch(line):
            number, said = _number(match[3] or "", number)
            tables.append(Table(match[2], said, match[1] == "[[", number))
        elif match := _KEY.fullmatch(line):
            name, blank = match[1], match[2]
            number, said = _number(about.pop(name, "") or match[3] or "", number)
            kind = {"[]": "list", "0": "count", "false": "yes_no"}.get(blank, "text")
            question = Question(name, kind, said, likely=blank.strip('"') if kind == "text" else "", number=number)
            tables[-1].questions.append(_with_choices(question))
        elif match := _ABOUT_NEXT.fullmatch(line):
            about[match[1]] = match[2]
        elif line.startswith("# ") and follows_header:
            tables[-1] = replace(tables[-1], help=f"{tables[-1].help} {line[2:]}")
        elif line.startswith("# ") and tables[-1].questions and tables[-1].questions[-1].help.endswith("of:"):
            last = tables[-1].questions.pop()
            tables[-1].questions.append(_with_choices(replace(last, help=f"{last.help} {line[2:]}")))
        follows_header = _HEADER.fullmatch(line) is not None
    return [table for table in tables if table.name or table.questions]


def party_table(tables: list[Table]) -> Table:
    """Return the table that asks everything of a party: the first one, which says the most."""
    return next(table for table in tables if table.name == "shipper")


def in_order(tables: list[Table]) -> Iterator[Table]:
    """Yield the tables of the six questions in the order of their numbers, the first one's fields by number too."""
    pieces: list[Table] = []
    for table in tables:
        numbers = dict.fromkeys(question.number for question in table.questions) if not table.name else [table.number]
        for number in numbers:
            questions = [each for each in table.questions if table.name or each.number == number]
            pieces.append(replace(table, number=number, questions=questions))
    yield from sorted(pieces, key=lambda table: table.number)


def comments_of(tables: list[Table]) -> dict[str, str]:
    """Return what the form says of each table and field, by dotted name."""
    found = {table.name: table.help for table in tables if table.name and table.help}
    for table in tables:
        for question in table.questions:
            said = " | ".join(question.choices) if question.choices and not question.help else question.help
            if said:
                found[f"{table.name}.{question.name}" if table.name else question.name] = said
    return found


def _number(said: str, before: int) -> tuple[int, str]:
    match = _NUMBERED.fullmatch(said)
    return (int(match[1]), match[2]) if match else (before, said)


def _with_choices(question: Question) -> Question:
    if question.kind == "yes_no" or question.help.startswith("yes or no"):
        return replace(question, help=question.help.removeprefix("yes or no").removeprefix(": "), choices=("yes", "no"))
    if match := _CHOICES.fullmatch(question.help):
        return replace(question, help=match[1].strip(), choices=tuple(match[2].strip().split(" | ")))
    return question
