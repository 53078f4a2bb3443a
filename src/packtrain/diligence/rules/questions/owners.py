"""Who is owned by listed parties, how far that can be said, and how much is not disclosed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Final

import msgspec

from packtrain.diligence.ownership import Capture, Holding, Threshold, capture
from packtrain.diligence.rules.facts import Share
from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, key, said

PerCent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_DISCLOSED: Final = ("person", "dispersed")
_PUBLIC: Final = ("public body", "treaty organisation")


class OwnedByListed(Parameters, frozen=True, kw_only=True):
    """A regime, and from which share on it counts a company as owned; `is_included`: exactly that share counts."""

    regime: str
    per_cent: PerCent
    is_included: bool


class Undisclosed(Parameters, frozen=True, kw_only=True):
    """Whose owners must be known, what part may stay open, how old a statement may be, what needs a paper."""

    roles: tuple[str, ...]
    max_undisclosed_per_cent: PerCent
    max_age_days: Annotated[int, msgspec.Meta(ge=1)]
    evidence_from_per_cent: PerCent


def listed_names(inquiry: Inquiry) -> frozenset[str]:
    """Return the names (by `key`) that somebody has found to be on a list."""
    screening = inquiry.facts.screening
    candidates = screening.candidates if screening is not None else ()
    return frozenset(
        key(each.subject) for each in candidates if each.disposition == "true match" and not each.is_address
    )


def per_cent(share: Fraction) -> str:
    """Return a share as people write it; not rounded up to a threshold it does not reach."""
    hundredths = share * 10_000
    whole = hundredths.numerator // hundredths.denominator
    text = f"{whole // 100}.{whole % 100:02d}".rstrip("0").rstrip(".")
    return f"{text}{'' if hundredths == whole else '…'} %"


def _capture(inquiry: Inquiry, threshold: Threshold) -> tuple[Capture, dict[str, str]]:
    """Return what the shares say, by `key` of the names, and how each name is written."""
    facts = inquiry.facts
    names = {key(name): name for share in facts.shares for name in (share.owned, share.owner) if name is not None}
    names |= {key(owner.name): owner.name for owner in facts.owners}
    names |= {key(party.name): party.name for party in facts.parties}
    holdings = [
        Holding(key(share.owner), key(share.owned), min(share.low, share.high), max(share.low, share.high))
        for share in facts.shares
        if share.owner is not None and key(share.owner) != key(share.owned)
    ]
    listed = sorted(listed_names(inquiry))
    inquiry.use("found on a list", tuple(names.get(each, each) for each in listed))
    inquiry.use("shares", tuple(_in_words(share) for share in facts.shares))
    return capture(holdings, listed, threshold, sorted({key(party.name) for party in facts.parties})), names


def _in_words(share: Share) -> str:
    low, high = per_cent(share.low), per_cent(share.high)
    amount = low if share.low == share.high else f"{low} to {high}"
    return f"{said(share.owner)} holds {amount} of {share.owned}"


def _owned(inquiry: Inquiry, wanted: OwnedByListed) -> Iterator[Finding]:
    found, names = _capture(inquiry, Threshold(Fraction(wanted.per_cent, 100), wanted.is_included))
    for party in inquiry.facts.parties:
        caught = found.caught.get(key(party.name))
        if caught is None:
            continue
        roles = f"{party.name} ({', '.join(party.roles)})"
        if caught.share is None:
            yield Finding("caught", f"{roles} is on a list itself")
        else:
            owners = ", ".join(names.get(owner, owner) for owner in caught.owners)
            yield Finding("caught", f"{per_cent(caught.share)} of {roles} is held by {owners} ({wanted.regime})")


def _possibly_owned(inquiry: Inquiry, wanted: OwnedByListed) -> Iterator[Finding]:
    found, _ = _capture(inquiry, Threshold(Fraction(wanted.per_cent, 100), wanted.is_included))
    for party in inquiry.facts.parties:
        share = found.possible.get(key(party.name))
        if key(party.name) in found.caught:
            # Certain is more than possible: another owner that is found must not take this flag away.
            yield Finding("possible", f"{party.name} ({', '.join(party.roles)}) is listed, or owned by listed parties")
        elif share is not None:
            yield Finding(
                "possible",
                f"listed parties may hold up to {per_cent(share)} of {party.name} ({', '.join(party.roles)}): "
                "ranges and undisclosed parts leave it open",
            )


def _minority(inquiry: Inquiry, wanted: OwnedByListed) -> Iterator[Finding]:
    found, _ = _capture(inquiry, Threshold(Fraction(wanted.per_cent, 100), wanted.is_included))
    for share in inquiry.facts.shares:
        # Whatever its size: a share that grows past the threshold must not take this flag away.
        if share.owner is not None and key(share.owner) in found.caught and share.high > 0:
            yield Finding("minority", f"{_in_words(share)}, and is listed or owned by listed parties")
    listed = listed_names(inquiry)
    of_listed: dict[str, str] = {}
    for party in inquiry.facts.parties:
        inquiry.use(f"directors of {party.name}", party.directors)
        if key(party.name) in found.caught:
            of_listed |= {key(director): party.name for director in party.directors or ()}
    for party in inquiry.facts.parties:
        for director in party.directors or ():
            if key(director) in listed:
                yield Finding("director", f"{director}, director of {party.name}, is on a list")
            elif key(director) in of_listed and key(of_listed[key(director)]) != key(party.name):
                yield Finding("director", f"{director} is a director of {party.name} and of {of_listed[key(director)]}")


def _undisclosed(inquiry: Inquiry, wanted: Undisclosed) -> Iterator[Finding]:
    facts = inquiry.facts
    kinds = {key(owner.name): owner.kind for owner in facts.owners}
    kinds |= {key(party.name): party.kind for party in facts.parties}
    proven = {key(owner.name) for owner in facts.owners if owner.has_evidence}
    proven |= {key(party.name) for party in facts.parties if party.evidence}
    above: dict[str, list[Share]] = {}
    for share in facts.shares:
        above.setdefault(key(share.owned), []).append(share)
    queue = list(dict.fromkeys(party.name for party in inquiry.parties(wanted.roles, "kind")))
    seen = set(map(key, queue))
    for name in queue:  # grows while it is read: upwards through everybody who holds a share
        kind, shares = kinds.get(key(name)), above.get(key(name), [])
        inquiry.use(f"owners of {name}", tuple(map(_in_words, shares)) or kind)
        if kind in _PUBLIC:
            if key(name) not in proven:
                yield Finding("no evidence", f"{name}: owners do not apply to a {kind}, and no paper shows that it is")
        elif kind not in _DISCLOSED:
            yield from _gaps(inquiry, name, shares, wanted)
        for share in shares:
            if share.owner is not None and key(share.owner) not in seen:
                seen.add(key(share.owner))
                queue.append(share.owner)


def _gaps(inquiry: Inquiry, name: str, shares: list[Share], wanted: Undisclosed) -> Iterator[Finding]:
    named = [share for share in shares if share.owner is not None]
    rest = max(Fraction(0), 1 - sum((min(share.low, share.high) for share in named), Fraction(0)))
    if rest * 100 > wanted.max_undisclosed_per_cent:
        reasons = "; ".join(
            dict.fromkeys(share.unknown_because for share in shares if share.owner is None and share.unknown_because)
        )
        yield Finding(
            "undisclosed", f"owners of {per_cent(rest)} of {name} not disclosed{f': {reasons}' * bool(reasons)}"
        )
    oldest = inquiry.as_of - timedelta(days=wanted.max_age_days)
    for share in named:
        if share.as_of is None or share.as_of < oldest:
            yield Finding("old", f"{_in_words(share)}: stated as of {said(share.as_of)}")
        if share.high * 100 >= wanted.evidence_from_per_cent and not share.has_evidence:
            yield Finding("no evidence", f"{_in_words(share)}: no paper shows it")


QUESTIONS: Final = (
    Question("owned_by_listed", ("caught",), OwnedByListed, _owned),
    Question("possibly_owned_by_listed", ("possible",), OwnedByListed, _possibly_owned),
    Question("listed_minority", ("minority", "director"), OwnedByListed, _minority),
    Question("owners_undisclosed", ("undisclosed", "old", "no evidence"), Undisclosed, _undisclosed),
)
