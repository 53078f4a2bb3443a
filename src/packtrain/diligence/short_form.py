"""Does the short form apply? Only where everything is in one country and no owner is undisclosed.

The consignor asks before it signs, the operator asks again before it admits: the same sentence of the same function.
"""

from __future__ import annotations

from collections import defaultdict

from packtrain.diligence.answers import PARTIES
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import NO_ONE, DeclaredParty


def obstacles(declaration: Declaration) -> tuple[str, ...]:
    """Return why the short form does not apply, a sentence each; empty where it does.

    Compared are location, headquarters and ultimate parent's country of every party, and the site's country. A
    headquarters or a parent that is not stated counts as undisclosed, whatever the rest says.
    """
    countries: defaultdict[str, list[str]] = defaultdict(list)
    countries[declaration.site_country].append("site")
    undisclosed: list[str] = []
    for name in PARTIES:
        party: DeclaredParty = getattr(declaration, name)
        countries[party.location].append(f"{name} location")
        if party.headquarters is None:
            undisclosed.append(f"{name} headquarters")
        else:
            countries[party.headquarters].append(f"{name} headquarters")
        if party.ultimate_parent is None:
            undisclosed.append(f"{name} ultimate parent")
        if party.parent_country is not None:
            countries[party.parent_country].append(f"{name} ultimate parent")
        elif party.ultimate_parent not in (None, NO_ONE):
            undisclosed.append(f"{name} ultimate parent's country")
    found: list[str] = []
    if len(countries) > 1:
        spread = "; ".join(f"{country}: {', '.join(facts)}" for country, facts in sorted(countries.items()))
        found.append(f"not one country ({spread})")
    if undisclosed:
        found.append(f"undisclosed: {', '.join(undisclosed)}")
    return tuple(found)


def escapes(older: Declaration, newer: Declaration) -> bool:
    """Return whether an amendment leads from answers that need the full form back to the short one.

    Answers tried until one country is left look like this. Answering the full form does not, nor amending it, nor
    correcting one of six answers that need the full form before and after: there old and new values are shown, and the
    rules judge.
    """
    return newer.form == "short" and not obstacles(newer) and bool(older.form == "full" or obstacles(older))
