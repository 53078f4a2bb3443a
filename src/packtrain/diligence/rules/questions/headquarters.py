"""Where those sit for whom a model is trained, and who sits above them; for whom it is trained, and for what."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from packtrain.diligence.rules.facts import NO_ONE, Ancestor, Party
from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, key, said


class ControlledCountry(Parameters, frozen=True, kw_only=True):
    """Which roles are looked at, and where they may not sit: members of a group, and countries besides."""

    roles: tuple[str, ...]
    group: str
    also: tuple[str, ...]


class Roles(Parameters, frozen=True, kw_only=True):
    """Which roles are looked at."""

    roles: tuple[str, ...]


class NoParameters(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class Words(Parameters, frozen=True, kw_only=True):
    """Beginnings of words to look for, in any script."""

    words: tuple[str, ...]


def _has_advanced_hardware(inquiry: Inquiry) -> bool | None:
    """Return whether advanced computing items are at the site; None where some hardware does not say."""
    rows = inquiry.facts.site.hardware
    inquiry.use("advanced computing items at the site", tuple(f"{row.item}: {said(row.is_advanced)}" for row in rows))
    if any(row.is_advanced for row in rows):
        return True
    return None if not rows or any(row.is_advanced is None for row in rows) else False


def _export_finding(inquiry: Inquiry, because: str, has_advanced: bool | None) -> Finding:
    if has_advanced is None:
        return Finding("hardware unknown", f"{because}; whether the site has advanced computing items is not said")
    licences = inquiry.licences()
    inquiry.use("licences held, with evidence and valid on the day", tuple(each.number for each in licences))
    if licences:
        numbers = ", ".join(f"{each.number} of {each.authority} for {each.covers}" for each in licences)
        return Finding("licensed", f"{because}; advanced computing items; held: {numbers}; whether it covers this: ask")
    return Finding("unlicensed", f"{because}; advanced computing items; no licence with evidence")


def _controlled(inquiry: Inquiry, wanted: ControlledCountry) -> Iterator[Finding]:
    has_advanced = _has_advanced_hardware(inquiry)
    for party in inquiry.parties(wanted.roles, "headquarters"):
        # Asked first, so that a missing group shows even where the hardware makes no difference today.
        is_controlled = inquiry.is_in(party.headquarters, wanted.group, wanted.also)
        if is_controlled and has_advanced is not False:
            because = f"{party.name} ({', '.join(party.roles)}) has its headquarters in {party.headquarters}"
            yield _export_finding(inquiry, because, has_advanced)


def _ancestors(inquiry: Inquiry, party: Party) -> tuple[Ancestor, ...]:
    """Return who is above a party, without "many owners", who sit nowhere."""
    dispersed = {key(owner.name) for owner in inquiry.facts.owners if owner.kind == "dispersed"}
    return tuple(ancestor for ancestor in party.above if key(ancestor.name) not in dispersed)


def _controlled_parent(inquiry: Inquiry, wanted: ControlledCountry) -> Iterator[Finding]:
    has_advanced = _has_advanced_hardware(inquiry)
    for party in inquiry.parties(wanted.roles, "declared_parent"):
        above = _ancestors(inquiry, party)
        inquiry.use(f"owners above {party.name}", tuple(f"{each.name} in {said(each.headquarters)}" for each in above))
        places = [(each.name, each.headquarters) for each in above]
        if party.declared_parent is not None and not is_none(party.declared_parent):
            places.append((party.declared_parent, party.parent_country))
        for name, country in dict.fromkeys(places):
            if inquiry.is_in(country, wanted.group, wanted.also) and has_advanced is not False:
                because = f"{name}, above {party.name} ({', '.join(party.roles)}), has its headquarters in {country}"
                yield _export_finding(inquiry, because, has_advanced)
        yield from _disagreements(inquiry, party, above)


def _disagreements(inquiry: Inquiry, party: Party, above: Sequence[Ancestor]) -> Iterator[Finding]:
    if party.above_ends == "cycle":
        yield Finding("disagrees", f"the owners above {party.name} own each other: nobody is at the top")
        return
    # Without shares there is nothing to compare with; that they are missing is another rule's to say.
    is_known = bool(above) or any(key(share.owned) == key(party.name) for share in inquiry.facts.shares)
    if party.declared_parent is None or not is_known or (not above and party.above_ends != "top"):
        return
    computed = above[-1].name if above else NO_ONE
    if key(computed) != key(party.declared_parent):
        yield Finding(
            "disagrees",
            f"ultimate parent of {party.name}: declared {party.declared_parent}, by its owners' shares {computed}",
        )


def _unstated(inquiry: Inquiry, wanted: Roles) -> Iterator[Finding]:
    for role in wanted.roles:
        if role in inquiry.facts.unstated_roles:
            inquiry.use(role.replace("_", " "), None)
            yield Finding("unstated", f"who the {role.replace('_', ' ')} is was not disclosed")
    for party in inquiry.parties(wanted.roles, "headquarters"):
        if party.headquarters is None:
            yield Finding("unstated", f"headquarters of {party.name} not disclosed")
        inquiry.use(f"ultimate parent of {party.name}", party.declared_parent)
        if party.declared_parent is None:
            yield Finding("unstated", f"ultimate parent of {party.name} not disclosed")
        elif not is_none(party.declared_parent) and party.parent_country is None:
            yield Finding("unstated", f"country of {party.declared_parent}, parent of {party.name}, not disclosed")
        for each in _ancestors(inquiry, party):
            if each.headquarters is None:
                yield Finding("unstated", f"headquarters of {each.name}, above {party.name}, not disclosed")


def _trained_for(inquiry: Inquiry, _: NoParameters) -> Iterator[Finding]:
    facts = inquiry.facts
    trained_for = [party.name for party in facts.of("trained_for")]
    end_users = [party.name for party in facts.of("end_user")]
    inquiry.use("trained for", tuple(trained_for) or None)
    inquiry.use("end user", tuple(end_users) or None)
    inquiry.use("evidence of a contract", facts.contract.has_evidence)
    if not trained_for:
        yield Finding("undeclared", "for whom the model is trained was not disclosed")
    elif end_users and set(map(key, end_users)) != set(map(key, trained_for)) and not facts.contract.has_evidence:
        yield Finding(
            "no contract",
            f"trained for {', '.join(trained_for)}, used by {', '.join(end_users)}, and no contract is shown",
        )


def _end_use(inquiry: Inquiry, wanted: Words) -> Iterator[Finding]:
    facts = inquiry.facts
    inquiry.use("end use", facts.end_use)
    if facts.is_full:
        inquiry.use("uses that export law names", facts.prohibited_uses)
        if facts.prohibited_uses is None:
            yield Finding("box open", "whether the model serves one of the named uses was not disclosed")
        for use in facts.prohibited_uses or ():
            yield Finding("box ticked", f"declared use: {use}")
    text = unicodedata.normalize("NFKC", facts.end_use).casefold()
    found = [word for word in wanted.words if _begins_a_word(word, text)]
    if found:
        yield Finding("words", f"the end use has the words {', '.join(found)}: {facts.end_use}")


def _begins_a_word(word: str, text: str) -> bool:
    wanted = unicodedata.normalize("NFKC", word).casefold()
    # Scripts that write no spaces between words have no beginnings to hold on to.
    return re.search(rf"(?<!\w){re.escape(wanted)}", text) is not None if wanted.isascii() else wanted in text


_EXPORT_CASES: Final = ("unlicensed", "licensed", "hardware unknown")
QUESTIONS: Final = (
    Question("controlled_headquarters", _EXPORT_CASES, ControlledCountry, _controlled),
    Question("controlled_parent", (*_EXPORT_CASES, "disagrees"), ControlledCountry, _controlled_parent),
    Question("headquarters_unstated", ("unstated",), Roles, _unstated),
    Question("trained_for", ("undeclared", "no contract"), NoParameters, _trained_for),
    Question("end_use", ("box ticked", "box open", "words"), Words, _end_use),
)
