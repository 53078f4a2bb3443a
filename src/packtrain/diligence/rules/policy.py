"""site.toml: what a site asks for beyond the rule pack. It raises, requires and shortens; it never lowers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.diligence.rules.inquiry import Limits
from packtrain.diligence.rules.pack import MOST_OF_A_RECALLED_RULE, Rule, RulePack, highest, rank
from packtrain.documents.codec import Label
from packtrain.documents.flags import Level
from packtrain.documents.toml_file import decode_toml
from packtrain.errors import PolicyError

POLICY_FILE: Final = "site.toml"
_REFERENCE: Final = "docs/reference/rules.md"
_Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]


class _SecondSigner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    levels: tuple[Level, ...] = ()
    rules: tuple[str, ...] = ()


class _PolicyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_list_age_days: _Days | None = None
    max_group_age_days: _Days | None = None
    required_lists: tuple[Label, ...] = ()
    levels: dict[Level, Level] = msgspec.field(default_factory=dict[Level, Level])
    rules: dict[str, Level] = msgspec.field(default_factory=dict[str, Level])
    second_signer: _SecondSigner = _SecondSigner()


@dataclass(frozen=True, slots=True)
class Policy:
    """A site's policy, checked against a rule pack. Without arguments: the pack as it is.

    Attributes:
        limits: ages and required lists.
        by_level: level of the pack -> level at this site.
        by_rule: "RULE" or "RULE.case" -> at least this level.
        second_signer_levels, second_signer_rules: answers to these count with two signers only.
        sha256: of the file's bytes; None without one.
    """

    limits: Limits = field(default_factory=Limits)
    by_level: Mapping[Level, Level] = field(default_factory=dict[Level, Level])
    by_rule: Mapping[str, Level] = field(default_factory=dict[str, Level])
    second_signer_levels: frozenset[Level] = frozenset()
    second_signer_rules: frozenset[str] = frozenset()
    sha256: str | None = None

    def raised(self, rule: Rule, case: str, level: Level) -> Level:
        """Return the level of one finding at this site: never lower than the pack's."""
        most: Level = level
        if level in self.by_level:
            most = highest((most, self.by_level[level]))
        for name in (rule.id, f"{rule.id}.{case}"):
            if name in self.by_rule:
                most = highest((most, self.by_rule[name]))
        if rule.mark == "recalled" and rank(most) > rank(MOST_OF_A_RECALLED_RULE):
            return MOST_OF_A_RECALLED_RULE
        return most

    def needs_second_signer(self, rule: str, level: Level) -> bool:
        """Return whether an answer counts only when two persons signed one; an exception to a STOP always does."""
        return level == "STOP" or level in self.second_signer_levels or rule in self.second_signer_rules


NO_POLICY: Final = Policy()
"""The rule pack as it is."""


def read_policy(payload: bytes, where: str, pack: RulePack) -> Policy:
    """Return the policy that site.toml spells.

    Raises:
        PolicyError: not TOML, an unknown field, a rule or case that the pack does not have, or anything that would make
            the pack milder: a lower level, an older list.
    """
    file = decode_toml(_PolicyFile, payload, where, error=PolicyError, reference=_REFERENCE)
    for what, days in (("max_list_age_days", file.max_list_age_days), ("max_group_age_days", file.max_group_age_days)):
        test = "lists_fresh" if what == "max_list_age_days" else "groups_fresh"
        most = max((age for rule in pack.rules if rule.question.name == test for age in _ages(rule)), default=None)
        if days is not None and most is not None and days > most:
            raise _milder(f"{what} is larger than the rule pack's", where, f"at most {most}", str(days))
    for level, wanted in file.levels.items():
        if rank(wanted) < rank(level):
            raise _milder(f"levels.{level} lowers a level", where, f"{level} or higher", wanted)
    for name, wanted in file.rules.items():
        _check_rule(pack, name, wanted, where)
    for name in file.second_signer.rules:
        if pack.rule(name) is None:
            raise _unknown(pack, name, where)
    return Policy(
        limits=Limits(file.max_list_age_days, file.max_group_age_days, file.required_lists),
        by_level=file.levels,
        by_rule=file.rules,
        second_signer_levels=frozenset(file.second_signer.levels),
        second_signer_rules=frozenset(file.second_signer.rules),
        sha256=sha256_bytes(payload),
    )


def _ages(rule: Rule) -> Iterator[int]:
    age = getattr(rule.parameters, "max_age_days", None)
    if isinstance(age, int):
        yield age


def _check_rule(pack: RulePack, name: str, wanted: Level, where: str) -> None:
    identifier, dot, case = name.partition(".")
    rule = pack.rule(identifier)
    if rule is None:
        raise _unknown(pack, identifier, where)
    if dot and case not in rule.levels:
        raise PolicyError(
            f"rules: {identifier} has no such case",
            where=where,
            expected=", ".join(rule.levels),
            found=case,
            hint="name a case of the rule, or the rule alone",
        )
    # A whole rule is compared with its gravest case: "HOLD" beside a STOP reads as if the STOP were gone.
    least = rule.levels[case] if dot else rule.most
    if rank(wanted) < rank(least):
        raise _milder(f"rules.{name} lowers a level", where, f"{least} or higher", wanted)
    if rule.mark == "recalled" and rank(wanted) > rank(MOST_OF_A_RECALLED_RULE):
        raise PolicyError(
            f"rules.{name} is marked recalled: its wording could not be read again",
            where=where,
            expected=f"at most {MOST_OF_A_RECALLED_RULE}",
            found=wanted,
            hint=f'name it in [second_signer] rules: "{identifier}" then needs two persons to answer',
        )


def _milder(what: str, where: str, expected: str, found: str) -> PolicyError:
    return PolicyError(what, where=where, expected=expected, found=found, hint="a site's policy may only be stricter")


def _unknown(pack: RulePack, name: str, where: str) -> PolicyError:
    return PolicyError(
        f"the rule pack {pack.id} has no such rule",
        where=where,
        expected=", ".join(rule.id for rule in pack.rules),
        found=name,
        hint='"packtrain rules show" lists them',
    )
