"""Rule packs: dated TOML whose words, levels, sources and numbers are data; only the test that a rule names is code.

A pack is read whole or refused whole, with the rule and what is wrong with it: an unknown test, a case without a level,
a rule that is only remembered and would hold a voyage, a date that is none.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.diligence.rules.inquiry import Parameters, Question
from packtrain.diligence.rules.registry import QUESTIONS
from packtrain.documents.codec import Label
from packtrain.documents.flags import LEVELS, MAX_RULES, Level, Mark, RuleId
from packtrain.documents.toml_file import decode_toml
from packtrain.errors import RulePackError

BUILT_IN: Final = "pack_v0.toml"
MOST_OF_A_RECALLED_RULE: Final[Level] = "FLAG"
"""A wording that nobody could read again must not stop anybody."""
_REFERENCE: Final = "docs/reference/rules.md"
_MEND: Final = "a pack is read whole or not at all: mend that rule"
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class _PackSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Label
    date: date
    about: _Line


class _RuleSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: RuleId
    title: _Line
    test: _Line
    levels: dict[str, Level]
    mark: Mark
    source: _Line
    source_url: Annotated[str, msgspec.Meta(pattern=r"\Ahttps://[^\s]+\Z", max_length=500)] | None = None
    form: Literal["both", "full"] = "both"
    in_force_from: date | None = None
    in_force_to: date | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class _PackFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pack: _PackSection
    rule: Annotated[tuple[_RuleSection, ...], msgspec.Meta(min_length=1, max_length=MAX_RULES)]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a pack.

    Attributes:
        levels: how grave each case of its question is.
        is_full_only: the short form does not ask for what it looks at.
        in_force_from, in_force_to: first and last day; None is open.
    """

    id: str
    title: str
    question: Question
    parameters: Parameters
    levels: Mapping[str, Level]
    mark: Mark
    source: str
    source_url: str | None
    is_full_only: bool
    in_force_from: date | None
    in_force_to: date | None

    def is_in_force(self, day: date) -> bool:
        """Return whether the rule counts on a day; the first and the last day count."""
        return not (
            (self.in_force_from is not None and day < self.in_force_from)
            or (self.in_force_to is not None and day > self.in_force_to)
        )

    @property
    def most(self) -> Level:
        """Return the highest level that the pack gives to any of its cases."""
        return highest(tuple(self.levels.values()))


@dataclass(frozen=True, slots=True)
class RulePack:
    """A checked rule pack; `sha256` is over its bytes."""

    id: str
    date: date
    about: str
    sha256: str
    rules: tuple[Rule, ...]

    def rule(self, identifier: str) -> Rule | None:
        """Return the rule of this name, or None."""
        return next((rule for rule in self.rules if rule.id == identifier), None)


def rank(level: Level) -> int:
    """Return the place of a level among the levels, rising."""
    return LEVELS.index(level)


def highest(levels: tuple[Level, ...]) -> Level:
    """Return the highest of one or more levels."""
    return max(levels, key=rank)


def built_in_pack() -> RulePack:
    """Return the rule pack that comes with packtrain."""
    payload = importlib.resources.files(__package__ or __name__).joinpath(BUILT_IN).read_bytes()
    return read_pack(payload, BUILT_IN)


def read_pack(payload: bytes, where: str) -> RulePack:
    """Return the rule pack that TOML bytes spell.

    Raises:
        RulePackError: not TOML, an unknown field or test, a rule twice, a case without a level or a level for a case
            that the test does not have, a recalled rule above FLAG, parameters that do not fit, a period that ends
            before it begins.
    """
    file = decode_toml(_PackFile, payload, where, error=RulePackError, reference=_REFERENCE)
    rules: dict[str, Rule] = {}
    for section in file.rule:
        rule = _rule(section, f"{where}, rule {section.id}")
        if rule.id in rules:
            raise RulePackError("two rules of one name", where=where, found=rule.id, hint=_MEND)
        rules[rule.id] = rule
    return RulePack(file.pack.id, file.pack.date, file.pack.about, sha256_bytes(payload), tuple(rules.values()))


def _rule(section: _RuleSection, where: str) -> Rule:
    question = QUESTIONS.get(section.test)
    if question is None:
        raise RulePackError(
            "unknown test",
            where=where,
            expected=f"one of {', '.join(sorted(QUESTIONS))}",
            found=section.test,
            hint=_MEND,
        )
    if set(section.levels) != set(question.cases):
        raise RulePackError(
            "levels for other cases than the test has",
            where=where,
            expected=", ".join(sorted(question.cases)),
            found=", ".join(sorted(section.levels)),
            hint=_MEND,
        )
    for case, level in section.levels.items():
        if section.mark == "recalled" and rank(level) > rank(MOST_OF_A_RECALLED_RULE):
            raise RulePackError(
                f'a rule marked "recalled" is above {MOST_OF_A_RECALLED_RULE}',
                where=f"{where}, case {case}",
                expected=f"at most {MOST_OF_A_RECALLED_RULE}",
                found=level,
                hint="read its source again and mark it verified, or lower it",
            )
    if section.in_force_from and section.in_force_to and section.in_force_to < section.in_force_from:
        raise RulePackError(
            "in force until before it begins",
            where=where,
            expected=f"{section.in_force_from} or later",
            found=section.in_force_to.isoformat(),
            hint=_MEND,
        )
    try:
        parameters = msgspec.convert(section.parameters, question.parameters)
    except msgspec.ValidationError as error:
        raise RulePackError(
            f"parameters do not fit the test {section.test}: {error}", where=where, hint=_MEND
        ) from error
    return Rule(
        id=section.id,
        title=section.title,
        question=question,
        parameters=parameters,
        levels=section.levels,
        mark=section.mark,
        source=section.source,
        source_url=section.source_url,
        is_full_only=section.form == "full",
        in_force_from=section.in_force_from,
        in_force_to=section.in_force_to,
    )
