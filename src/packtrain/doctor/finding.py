"""What one look found: in which state, why that matters to which verbs, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from packtrain.documents.parties import Role
    from packtrain.documents.voyage_file import VoyageFile

State = Literal["fault", "warn", "not shown", "ok", "not needed"]
"""fault: it stops a verb. warn: one may fail, be slow, or be less safe. not shown: it could not be asked. not needed:
it is not here, and nothing in this voyage asks for it."""
STATES: Final[tuple[State, ...]] = ("fault", "warn", "not shown", "ok", "not needed")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        what: what was looked at.
        found: what was seen there.
        verbs: the verbs it matters to.
        why: what happens to them otherwise; empty where all is well.
        remedy: the command, or the act, that mends it; empty where nothing is to be mended.
    """

    what: str
    state: State
    found: str
    verbs: tuple[str, ...] = ()
    why: str = ""
    remedy: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the finding as `--json` prints it."""
        return {
            "what": self.what,
            "state": self.state,
            "found": self.found,
            "verbs": list(self.verbs),
            "why": self.why,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom the machine is looked at.

    Attributes:
        role: the party that works here; None where nobody said: then for all three.
        root: its voyage folder, None without one.
        voyage: what voyage.toml says; None without one, and where it cannot be read.
        environment: variables of the caller.
    """

    role: Role | None
    root: Path | None
    voyage: VoyageFile | None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def is_for(self, *roles: Role) -> bool:
        """Return whether one of these parties may work here."""
        return self.role is None or self.role in roles

    def path(self, text: str) -> Path | None:
        """Return a path of voyage.toml; None without a voyage. Not resolved: that could hang."""
        return (self.root / Path(text).expanduser()).absolute() if self.root is not None else None


Look = Callable[[Subject], Sequence[Finding]]

_EVERYBODY: Final = "init check carry custody dossier return close update drives status report audit"
_OF_ROLE: Final[Mapping[str, str]] = {
    "consignor": f"{_EVERYBODY} plan prepare look withdraw lineage replay kit rehearse lists rules declare screen "
    "flags pack papers demo packtrain://",
    "operator": f"{_EVERYBODY} lists rules admit",
    "consignee": f"{_EVERYBODY} load train packtrain://",
}
"""The verbs of each party, by their first word."""


def for_role(finding: Finding, role: Role | None) -> Finding | None:
    """Return a finding with the verbs of this party alone; None where it matters to none of them."""
    if role is None or not finding.verbs:
        return finding
    verbs = tuple(verb for verb in finding.verbs if verb.split()[0] in _OF_ROLE[role].split())
    return replace(finding, verbs=verbs) if verbs else None
