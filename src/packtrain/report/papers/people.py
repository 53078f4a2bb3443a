"""How papers name the parties: by what parties.json calls them, and their role."""

from __future__ import annotations

from packtrain.documents.parties import Parties, Role


def name_of(parties: Parties, role: Role) -> str:
    """Return a party's name and role."""
    party = parties.of(role)
    return f"{party.name} ({role})" if party is not None and party.name != role else role
