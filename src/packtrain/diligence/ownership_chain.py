"""From the holdings of a declaration to who is behind each party: computed, and held against what was declared."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from packtrain.diligence.full_form_gaps import OWNERSHIP_ROLES, party_of
from packtrain.diligence.ownership import Holding, capture, walk_up
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import NO_ONE, DeclaredParty
from packtrain.documents.full_form import WHOLE, DeclaredHolding

_WITHOUT_OWNERS: Final = ("public body", "treaty organisation")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a chain of owners, as declared.

    Attributes:
        kind: of a party or an owner; None where it is undisclosed, or nobody said who this is.
        headquarters: country; None where it is undisclosed.
    """

    name: str
    kind: str | None
    headquarters: str | None


@dataclass(frozen=True, slots=True)
class OwnershipChain:
    """Who is above one party.

    Attributes:
        role: customer, end_user, model_owner or trained_for.
        chain: the party first, then each parent that the shares make: the owner of more than half.
        end: "top": nobody is above the last of the chain; "undisclosed": half or more of it may belong to somebody
            who is not named; "cycle": its parents own each other; "not applicable": a public body or treaty
            organisation, with evidence.
        undisclosed: the part without a named owner of each company at or above the party, parts of 1.
        overfull: companies there whose owners hold more than the whole for certain.
    """

    role: str
    party: DeclaredParty
    chain: tuple[Member, ...]
    end: Literal["top", "undisclosed", "cycle", "not applicable"]
    undisclosed: Mapping[str, Fraction]
    overfull: Mapping[str, Fraction]

    @property
    def ultimate_parent(self) -> Member | None:
        """Return the last owner above; None where there is none, or it is not known (`end` tells which)."""
        return self.chain[-1] if self.end == "top" and len(self.chain) > 1 else None

    @property
    def agreement(self) -> Literal["agrees", "differs", "cannot be compared"]:
        """Return whether name and country of the declared ultimate parent are the computed ones."""
        if self.end not in ("top", "not applicable") or self.party.ultimate_parent is None:
            return "cannot be compared"
        parent = self.ultimate_parent
        computed = (NO_ONE, None) if parent is None else (parent.name, parent.headquarters)
        return "agrees" if computed == (self.party.ultimate_parent, self.party.parent_country) else "differs"


def chain_of_ownership(declaration: Declaration) -> tuple[OwnershipChain, ...]:
    """Return the chain above customer, end user, model owner and trained for; of those that are disclosed.

    Empty for a short form, which asks no shares. Statements that contradict themselves, such as a party that holds
    itself, are left out here; `full_form_gaps.gaps` names them.
    """
    full = declaration.full
    if full is None:
        return ()
    members = members_of(declaration)
    stated = [_holding(row) for row in full.holdings if row.owner is not None and row.owner != row.owned]
    dispersed = {name for name, member in members.items() if member.kind == "dispersed"}
    evidenced = {row.name for row in full.parties if row.evidence}
    companies = {name for name, member in members.items() if member.kind in ("company", None)}
    found = capture(stated, (), parties=companies)
    above = _above(full.holdings)
    named = {row.owned for row in stated}
    chains: list[OwnershipChain] = []
    for role in OWNERSHIP_ROLES:
        party = party_of(declaration, role)
        if party is None:
            continue
        own = members.get(party.name, Member(party.name, None, party.headquarters))
        end: Literal["top", "undisclosed", "cycle", "not applicable"]
        if own.kind in _WITHOUT_OWNERS:
            chain: tuple[str, ...] = (party.name,)
            end = "not applicable" if party.name in evidenced else "undisclosed"
        else:
            walk = walk_up(party.name, stated, dispersed=dispersed)
            chain, end = walk.chain, walk.end
            # A company of which no owner is named has one all the same.
            if end == "top" and chain[-1] not in named and _kind(members, chain[-1]) in ("company", None):
                end = "undisclosed"
        reached = set(_reached(party.name, above)) & companies
        chains.append(
            OwnershipChain(
                role=role,
                party=party,
                chain=tuple(members.get(name, Member(name, None, None)) for name in chain),
                end=end,
                undisclosed={name: part for name, part in found.undisclosed.items() if name in reached},
                overfull={name: part for name, part in found.overfull.items() if name in reached},
            )
        )
    return tuple(chains)


def members_of(declaration: Declaration) -> dict[str, Member]:
    """Return everybody that a full form names as a party or an owner, by name."""
    full = declaration.full
    if full is None:
        return {}
    members = {row.name: Member(row.name, row.kind, row.headquarters) for row in full.owners}
    kinds = {row.name: row.kind for row in full.parties}
    for role in ("shipper", "receiver", "operator", *OWNERSHIP_ROLES, "payer"):
        if (party := party_of(declaration, role)) is not None:
            members[party.name] = Member(party.name, kinds.get(party.name), party.headquarters)
    return members


def _kind(members: Mapping[str, Member], name: str) -> str | None:
    return members[name].kind if name in members else None


def _holding(row: DeclaredHolding) -> Holding:
    # A range the wrong way round says nothing; it must not stop a site that reads what a stranger signed.
    low, high = (row.low, row.high) if row.low <= row.high else (0, WHOLE)
    return Holding(row.owner or "", row.owned, Fraction(low, WHOLE), Fraction(high, WHOLE))


def _above(holdings: tuple[DeclaredHolding, ...]) -> dict[str, list[str]]:
    above: dict[str, list[str]] = {}
    for row in holdings:
        if row.owner is not None:
            above.setdefault(row.owned, []).append(row.owner)
    return above


def _reached(party: str, above: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a party and everybody above it, each once."""
    seen, queue = {party}, deque([party])
    while queue:
        name = queue.popleft()
        yield name
        for owner in above.get(name, ()):
            if owner not in seen:
                seen.add(owner)
                queue.append(owner)


@dataclass(frozen=True, slots=True)
class DrawnOwner:
    """One line of a drawing of owners.

    Attributes:
        depth: 0 for the party, 1 for its owners, and so on.
        label: name, kind and country; or why an owner is not named.
        share: what it holds of the line that it hangs on, such as "25 to 50 %"; "" for the party.
        is_undisclosed: nobody is named here.
        is_repeated: drawn in full elsewhere.
    """

    depth: int
    label: str
    share: str
    is_undisclosed: bool = False
    is_repeated: bool = False


MAX_DRAWN: Final = 400
"""Most lines of a drawing; further owners are counted in its last line."""


def drawn_owners(declaration: Declaration, party: str) -> tuple[DrawnOwner, ...]:
    """Return the owners above a party, line by line: each owner below the one that it holds a share of.

    Args:
        declaration: in the full form.
        party: its name.
    """
    full, members = declaration.full, members_of(declaration)
    rows: dict[str, list[DeclaredHolding]] = {}
    for row in full.holdings if full is not None else ():
        rows.setdefault(row.owned, []).append(row)
    lines: list[DrawnOwner] = []
    drawn: set[str] = set()
    # (depth, name, share): a stack, so that a chain of thousands of companies cannot exhaust the interpreter's.
    stack: list[tuple[int, str, str] | DrawnOwner] = [(0, party, "")]
    while stack:
        entry = stack.pop()
        if isinstance(entry, DrawnOwner):
            lines.append(entry)
            continue
        depth, name, share = entry
        member = members.get(name, Member(name, None, None))
        is_repeated = name in drawn
        lines.append(DrawnOwner(depth, _label(member), share, is_repeated=is_repeated))
        if is_repeated:
            continue
        drawn.add(name)
        owners = rows.get(name, [])
        if member.kind in ("company", None):
            unnamed = WHOLE - sum(row.low for row in owners if row.owner is not None)
            said = sum(row.low for row in owners if row.owner is None)
            if unnamed > said:
                stack.append(DrawnOwner(depth + 1, "nobody said", share_text(unnamed - said, unnamed - said), True))
        for row in reversed(owners):
            if row.owner is None:
                why = f"undisclosed: {row.unknown_because or 'no reason given'}"
                stack.append(DrawnOwner(depth + 1, why, share_text(row.low, row.high), True))
            else:
                stack.append((depth + 1, row.owner, share_text(row.low, row.high)))
    if len(lines) > MAX_DRAWN:
        rest = len(lines) - MAX_DRAWN + 1
        lines = [*lines[: MAX_DRAWN - 1], DrawnOwner(0, f"and {rest} more lines", "")]
    return tuple(lines)


def share_text(low: int, high: int) -> str:
    """Return a share in per cent, from millionths: "33.3333 %", or "25 to 50 %"."""
    least, most = (f"{value / 10_000:.4f}".rstrip("0").rstrip(".") for value in (low, high))
    return f"{least} %" if least == most else f"{least} to {most} %"


def _label(member: Member) -> str:
    kind = member.kind or "kind undisclosed"
    if kind == "dispersed":
        return f"{member.name} (dispersed)"
    return f"{member.name} ({kind}, {member.headquarters or 'headquarters undisclosed'})"
