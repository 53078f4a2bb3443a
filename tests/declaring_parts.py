"""A person who knows the answers of a declaration.toml and is asked for them; and the file's way, to compare."""

from pathlib import Path

import msgspec
import pytest

from packtrain.diligence.draft import Draft
from packtrain.diligence.interview import Asked
from packtrain.documents.declaration import Declaration
from packtrain.errors import FullFormNeeded
from packtrain.events import discard
from packtrain.stages import declare
from three_parties import three_parties
from voyage_papers import Papers

SCENARIOS = Path(__file__).parent / "scenarios"
LAWFUL = (SCENARIOS / "lawful-voyage.declaration.toml").read_text()
REPORTED = (SCENARIOS / "reported-voyage.declaration.toml").read_text()


class Person:
    """Answers from a declaration.toml that it has in its head; remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.knows = Draft(text.encode())
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.rows: dict[str, int] = {}

    def __call__(self, asked: Asked) -> str:
        self.faults += [asked.fault] if asked.fault else []
        assert len(self.asked) < 500, f"asked without end: {self.asked[-3:]}"
        self.asked.append(asked.field)
        if asked.field.endswith("]]"):
            table = asked.field.split("[[")[1][:-2]
            number = self.rows[table] = self.rows.get(table, 0) + 1
            return "yes" if number <= self.knows.num_rows(table) else "no"
        if asked.field.endswith(".evidence"):
            number = self.asked.count(asked.field) - 1
            row = self.knows.get(f"{asked.field}[{number}]") or {}
            return row.get("sha256") or row.get("file") or ""
        if self.knows.num_rows(asked.field) and isinstance(self.knows.get(f"{asked.field}[0]"), dict):
            self.rows[asked.field] = 1
            return "add"
        low = self.knows.shown(asked.field.replace("percent", "at_least")) if "percent" in asked.field else ""
        if low:
            return f"{low} to {self.knows.shown(asked.field.replace('percent', 'at_most'))}"
        role = self.knows.shown(f"{asked.field}.same_as") or self.knows.shown(f"{asked.field}.name")
        return role if isinstance(self.knows.get(asked.field), dict) else self.knows.shown(asked.field)


def by_file(root: Path, text: str, voyage: str = "test voyage") -> Declaration:
    """Sign the same answers as a file: the six first where more is asked, as a file gets there."""
    papers = Papers(root, three_parties(root, voyage))
    if "[customer]" in text:
        papers.answer(text[: text.index("[customer]")])
        with pytest.raises(FullFormNeeded):
            declare.declare(papers.consignor, discard)
    papers.declare(text)
    return papers.consignor.read_signed(Declaration)


def said(declaration: Declaration) -> Declaration:
    """Return a declaration without what the clock made of it."""
    changes = tuple(change for change in declaration.changes if not change.startswith("full: "))
    return msgspec.structs.replace(declaration, signed_on="2026-01-02T03:04:05Z", supersedes=None, changes=changes)
