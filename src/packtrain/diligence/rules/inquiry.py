"""What a question gets, and what it gives: facts, groups and the day; findings, and the inputs that it used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec

from packtrain.diligence.rules.facts import NO_ONE, Facts, Licence, Party
from packtrain.documents.country_group import CountryGroup


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a question found: which of its cases, and why, in words."""

    case: str
    because: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a site's policy makes stricter than the pack; None and () leave the pack's values.

    Attributes:
        max_list_age_days, max_group_age_days: never larger than the pack's.
        required_lists: labels of lists without which a screening does not count.
    """

    max_list_age_days: int | None = None
    max_group_age_days: int | None = None
    required_lists: tuple[str, ...] = ()


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a rule pack sets for a question: numbers, words, names of groups."""


class Inquiry:
    """One question put to the facts on one day.

    Args:
        facts: what is judged.
        groups: country groups by name.
        as_of: the day.
        limits: of the site.
    """

    def __init__(self, facts: Facts, groups: Mapping[str, CountryGroup], as_of: date, limits: Limits) -> None:
        self.facts = facts
        self.groups = groups
        self.as_of = as_of
        self.limits = limits
        self.inputs: dict[str, None] = {}
        self.missing_groups: dict[str, None] = {}
        self.not_yet = ""

    def use(self, what: str, value: object) -> None:
        """Note a fact that was looked at."""
        self.inputs[f"{what}: {said(value)}"] = None

    def is_in(self, country: str | None, group: str, also: Collection[str] = ()) -> bool:
        """Return whether a country is in a group, or one of `also`; a missing group is noted, and leaves this open."""
        if country is None:
            return False
        if country in also:
            return True
        if (known := self.groups.get(group)) is None:
            self.missing_groups[group] = None
            return False
        return country in known.members

    def is_exempt(self, country: str | None, group: str) -> bool:
        """Return whether a country is in a group that makes things easier; without the group it is not."""
        known = self.groups.get(group)
        return known is not None and country in known.members

    def licences(self) -> tuple[Licence, ...]:
        """Return the licences that count: with evidence, and valid on this day for certain."""
        return tuple(
            licence
            for licence in self.facts.licences
            if licence.has_evidence and licence.valid_until is not None and licence.valid_until >= self.as_of
        )

    def parties(self, roles: Collection[str], what: str) -> Iterator[Party]:
        """Yield the parties in these roles, noting each as looked at for `what` (a field of a party)."""
        for party in self.facts.of(*roles):
            self.use(f"{what.replace('_', ' ')} of {party.name} ({', '.join(party.roles)})", getattr(party, what))
            yield party


@dataclass(frozen=True, slots=True)
class Question:
    """A test that rules of a pack name.

    Attributes:
        cases: the cases it can find; a pack gives a level to each, and to no other.
        parameters: what a pack has to set.
        ask: yields findings; everything found counts, in any order.
    """

    name: str
    cases: tuple[str, ...]
    parameters: type[Parameters]
    ask: Callable[[Inquiry, Any], Iterator[Finding]]


_MAX_LISTED: Final = 50


def said(value: object) -> str:
    """Return an answer in words; None is "not disclosed"."""
    match value:
        case None:
            return "not disclosed"
        case True:
            return "yes"
        case False:
            return "no"
        case tuple():
            listed = [str(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
            return "; ".join(listed[:_MAX_LISTED]) + more or NO_ONE
        case _:
            return str(value)


def key(name: str) -> str:
    """Return what two spellings of one name have in common: case and outer spaces do not part them."""
    return name.strip().casefold()


def is_none(answer: str | None) -> bool:
    """Return whether an answer is missing, or says that there is none."""
    return answer is None or key(answer) == NO_ONE
