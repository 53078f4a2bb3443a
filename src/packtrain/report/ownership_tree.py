"""Owners above the parties of a declaration as plain text: a tree a party, and who the shares say is the last owner."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.diligence.ownership_chain import DrawnOwner, OwnershipChain, chain_of_ownership, drawn_owners
from packtrain.documents.declaration import Declaration


def ownership_text(declaration: Declaration) -> str:
    """Return the trees of all parties whose owners are asked for; empty for a short form.

    A party of several roles is drawn once.
    """
    parts: list[str] = []
    for roles, chain in chains_by_party(declaration):
        lines = drawn_owners(declaration, chain.party.name)
        parts.append("\n".join([f"{', '.join(roles)}:", *tree_lines(lines), f"  {one_line(verdict_text(chain))}"]))
    return "\n\n".join(parts)


def chains_by_party(declaration: Declaration) -> list[tuple[list[str], OwnershipChain]]:
    """Return each party once with all of its roles in words, in the order of the roles."""
    found: dict[str, tuple[list[str], OwnershipChain]] = {}
    for chain in chain_of_ownership(declaration):
        found.setdefault(chain.party.name, ([], chain))[0].append(chain.role.replace("_", " "))
    return list(found.values())


def verdict_text(chain: OwnershipChain) -> str:
    """Return in words where the chain of owners ends, and whether that is what was declared."""
    last = chain.chain[-1].name
    computed = {
        "not applicable": "ownership not applicable: a public body or treaty organisation, with evidence",
        "undisclosed": f"last owner by shares: undisclosed, above {last}",
        "cycle": f"last owner by shares: none, {last} is above itself",
        "top": f"last owner by shares: {last}" if len(chain.chain) > 1 else "last owner by shares: nobody above it",
    }[chain.end]
    declared = chain.party.ultimate_parent or "undisclosed"
    return f"{computed}; declared: {declared}; {chain.agreement}"


def tree_lines(lines: Sequence[DrawnOwner]) -> list[str]:
    """Return lines with branches drawn before them."""
    # is_open[d]: a later line hangs on the same branch at depth d, so its stroke goes on. Read from the end.
    is_open: list[bool] = []
    drawn: list[str] = []
    for line in reversed(lines):
        del is_open[line.depth + 1 :]
        is_open += [False] * (line.depth + 1 - len(is_open))
        stem = "".join("│   " if is_open[depth] else "    " for depth in range(1, line.depth))
        knee = "" if line.depth == 0 else "├── " if is_open[line.depth] else "└── "
        again = " (drawn above)" if line.is_repeated else ""
        drawn.append(f"  {stem}{knee}{line.share + ' ' if line.share else ''}{one_line(line.label)}{again}")
        if line.depth:
            is_open[line.depth] = True
    return drawn[::-1]


def one_line(text: str) -> str:
    """Return a name of a stranger's document without the characters that move a cursor, or that XML forbids."""
    return "".join(c if c.isprintable() else "·" for c in text)
