"""What screening found, what nobody has decided yet, and how old the lists and country groups are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Final

import msgspec

from packtrain.diligence.rules.facts import Candidate
from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, key

Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class MaxAge(Parameters, frozen=True, kw_only=True):
    """How many days old a list or group may be; a site's policy may ask for less."""

    max_age_days: Days


def _candidates(inquiry: Inquiry, *, addresses: bool) -> Iterator[Candidate]:
    screening = inquiry.facts.screening
    found = [each for each in screening.candidates if each.is_address == addresses] if screening is not None else []
    inquiry.use("candidates", len(found) if screening is not None else "not screened")
    yield from found


def _in_words(candidate: Candidate) -> str:
    # As long as "packtrain screen show" writes it, and as "screen answer" takes it.
    return f"{candidate.identifier[:12]}: {candidate.subject} is like {candidate.listed} on {candidate.list_label}"


def _names(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    facts = inquiry.facts
    # What a listed owner or director means for a party is the ownership rules' to say.
    elsewhere = {key(owner.name) for owner in facts.owners}
    elsewhere |= {key(share.owner) for share in facts.shares if share.owner is not None}
    elsewhere |= {key(director) for party in facts.parties for director in party.directors or ()}
    elsewhere -= {key(party.name) for party in facts.parties}
    for candidate in _candidates(inquiry, addresses=False):
        if candidate.disposition is None:
            yield Finding("open", f"{_in_words(candidate)}; nobody has decided whether it is the same")
        elif candidate.disposition == "true match" and key(candidate.subject) not in elsewhere:
            yield Finding("match", f"{_in_words(candidate)}, and is the same")
    for text in facts.screening.left_out if facts.screening is not None else ():
        yield Finding("open", f"more candidates than were kept: {text}")


def _addresses(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    for candidate in _candidates(inquiry, addresses=True):
        if candidate.disposition is None:
            yield Finding("open", f"{_in_words(candidate)}; nobody has decided whether it is the same")
        elif candidate.disposition == "true match":
            yield Finding("match", f"{_in_words(candidate)}, and is the same")


def _lists(inquiry: Inquiry, wanted: MaxAge) -> Iterator[Finding]:
    facts, limits = inquiry.facts, inquiry.limits
    screening = facts.screening
    lists = screening.lists if screening is not None else ()
    inquiry.use("screened on", screening.signed_on if screening is not None else "not screened")
    inquiry.use("lists", tuple(f"{each.label} of {each.dated}" for each in lists))
    if screening is None or not lists:
        yield Finding("not screened in the full form" if facts.is_full else "not screened", "not screened: no list")
    else:
        most = _stricter(wanted.max_age_days, limits.max_list_age_days)
        for each in lists:
            if because := _age(each.dated, screening.signed_on, most):
                yield Finding("old", f"list {each.label} {because} when the screening was signed")
    labels = {each.label for each in lists}
    for label in limits.required_lists:
        if label not in labels:
            yield Finding("missing", f"the site's policy requires the list {label}")


def _stricter(ours: int, theirs: int | None) -> int:
    return ours if theirs is None else min(ours, theirs)


def _age(dated: date, on: date, most: int) -> str:
    """Return in words what is wrong with the date of a list; "" where nothing is."""
    days = (on - dated).days
    if days < -1:  # it is tomorrow already where a publisher sits
        return f"is dated {dated}, after {on}"
    return f"was {days} days old, at most {most} are allowed," if days > most else ""


def _four_eyes(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    for addresses in (False, True):
        for each in _candidates(inquiry, addresses=addresses):
            if each.is_strong and each.disposition == "false match" and not each.has_two_signers:
                yield Finding("one person", f"{_in_words(each)}; one person alone dismissed it")


def _groups(inquiry: Inquiry, wanted: MaxAge) -> Iterator[Finding]:
    most = _stricter(wanted.max_age_days, inquiry.limits.max_group_age_days)
    for name, group in sorted(inquiry.groups.items()):
        inquiry.use(f"country group {name}", f"as of {group.as_of}, from {group.source}")
        if because := _age(date.fromisoformat(group.as_of), inquiry.as_of, most):
            yield Finding("old", f"country group {name} {because} on {inquiry.as_of}")


QUESTIONS: Final = (
    Question("name_candidates", ("open", "match"), Nothing, _names),
    Question("address_candidates", ("open", "match"), Nothing, _addresses),
    Question("lists_fresh", ("not screened in the full form", "not screened", "old", "missing"), MaxAge, _lists),
    Question("four_eyes", ("one person",), Nothing, _four_eyes),
    Question("groups_fresh", ("old",), MaxAge, _groups),
)
