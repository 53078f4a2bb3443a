"""What a full form lacks, judged on the signed document alone: by the consignor before signing, by the site again.

"undisclosed" is an answer and no gap; what it means is for the rules. A gap is a question that nobody answered: a
company whose owners are not mentioned, a leg that nobody carries, a route that does not end at the site.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from packtrain.diligence.answer_reader import is_answer
from packtrain.diligence.full_form import crosses_border
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import FullForm

OWNERSHIP_ROLES = ("customer", "end_user", "model_owner", "trained_for")
"""The roles whose chain of owners is asked for, and walked."""
_OWNED_KINDS = ("company", None)


def party_of(declaration: Declaration, role: str) -> DeclaredParty | None:
    """Return who has a role, of the six questions or of the full form; None where that is undisclosed."""
    if role in declaration.__struct_fields__:
        return getattr(declaration, role)
    return getattr(declaration.full, role) if declaration.full is not None else None


def gaps(declaration: Declaration) -> tuple[str, ...]:
    """Return what the full form of a declaration does not answer, in words; empty where it is whole.

    A short form has no gaps here; whether it applies is another question (`short_form.obstacles`).
    """
    full = declaration.full
    if full is None:
        return ("the answers of the full form",) if declaration.form == "full" else ()
    if declaration.form != "full":
        return ("a short form that holds answers of the full one",)
    found = [f"no answer to {place}" for place, text in _texts("full", full) if not is_answer(text)]
    found += _route(declaration, full)
    if not full.site.hardware:
        found.append("hardware of the site (site.hardware)")
    if declaration.data.personal_data and (full.personal is None or not full.personal.persons):
        found.append("whose personal data it is (data.persons)")
    found += _parties(declaration, full)
    found += _ownership(declaration, full)
    return tuple(dict.fromkeys(found))


def kinds_of(full: FullForm) -> dict[str, str | None]:
    """Return the kind of every party and owner, by name; None where it is undisclosed."""
    return {row.name: row.kind for row in (*full.owners, *full.parties)}


def _texts(place: str, node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, msgspec.Struct):
        for field in node.__struct_fields__:
            yield from _texts(f"{place}.{field}", getattr(node, field))
    elif isinstance(node, tuple):
        for i, item in enumerate(node):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from _texts(f"{place}[{i}]", item)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(node, str):
        yield place, node


def _route(declaration: Declaration, full: FullForm) -> Iterator[str]:
    if not full.carriers:
        yield "who carries the cases (carriage.carriers)"
    known = {carrier.name for carrier in full.carriers}
    for i, leg in enumerate(full.route):
        if not leg.carriers:
            yield f"who carries on carriage.legs[{i}]"
        for name in sorted(set(leg.carriers) - known):
            yield f"carrier {name} of carriage.legs[{i}] is not in carriage.carriers"
    if not crosses_border(declaration):
        return
    if not full.route:
        yield "the route over the border (carriage.legs)"
    elif full.route[-1].country not in (declaration.site_country, None):
        yield f"a route that ends in the site's country, {declaration.site_country} (carriage.legs)"


def _named(declaration: Declaration) -> Iterator[tuple[str, DeclaredParty]]:
    for role in ("shipper", "receiver", "operator", *OWNERSHIP_ROLES, "payer"):
        if (party := party_of(declaration, role)) is not None:
            yield role, party


def _parties(declaration: Declaration, full: FullForm) -> Iterator[str]:
    stated = {row.name for row in full.parties}
    known: dict[str, DeclaredParty] = {}
    for role, party in _named(declaration):
        if known.setdefault(party.name, party) != party:
            yield f"one answer for {party.name}: {role} says it differently (use same_as)"
        if party.name not in stated and is_answer(party.name) and party.name.casefold() != "undisclosed":
            yield f"facts of {party.name} (facts.{role})"
    names = Counter(row.name for row in (*full.parties, *full.owners))
    yield from (f"one answer for {name}: it is there {count} times" for name, count in names.items() if count > 1)


def _ownership(declaration: Declaration, full: FullForm) -> Iterator[str]:
    kinds = kinds_of(full)
    above: dict[str, list[str]] = {}
    for i, holding in enumerate(full.holdings):
        place = f"ownership.holdings[{i}]"
        above.setdefault(holding.owned, [])
        if holding.owned not in kinds:
            yield f"who {holding.owned} is, of {place} (neither a party nor in ownership.owners)"
        if holding.low > holding.high:
            yield f"a share in {place}: its least is more than its most"
        if holding.owner is None:
            if holding.unknown_because is None:
                yield f"why the owner in {place} is not named"
            continue
        above[holding.owned].append(holding.owner)
        if holding.owner not in kinds:
            yield f"who {holding.owner} is, of {place} (neither a party nor in ownership.owners)"
        if holding.owner == holding.owned:
            yield f"an owner of {holding.owned} in {place}: it cannot hold itself (leave treasury shares out)"
    # Upwards from the parties whose owners matter, as far as there are companies.
    roles = (party_of(declaration, role) for role in OWNERSHIP_ROLES)
    queue = list(dict.fromkeys(party.name for party in roles if party is not None))
    seen = set(queue)
    while queue:
        name = queue.pop(0)
        if name not in kinds or kinds[name] not in _OWNED_KINDS:
            continue
        if name not in above:
            yield f"who owns {name} (ownership.holdings; undisclosed is an answer)"
        fresh = [owner for owner in above.get(name, ()) if owner not in seen]
        seen.update(fresh)
        queue += fresh
