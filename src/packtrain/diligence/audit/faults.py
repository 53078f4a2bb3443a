"""What an audit finds wrong: one value a fault, collected, never raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FaultKind = Literal[
    "missing",
    "no signature",
    "bad signature",
    "foreign key",
    "malformed",
    "wrong name",
    "unknown file",
    "link",
    "too large",
    "altered",
    "custody",
    "contradiction",
]
MAX_SHOWN_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not in order.

    Attributes:
        kind: missing (another document names it); no signature; bad signature (it does not fit the bytes); foreign key
            (no key of the list, or of a party that may not sign this); malformed; wrong name; unknown file; link (or a
            device); too large; altered (a dossier's manifest says otherwise); custody (of the log); contradiction
            (between documents).
        where: file name below the record, with the line for the custody log.
    """

    kind: FaultKind
    where: str
    what: str


def shown(name: str) -> str:
    """Return a file name of a stranger's folder as it may be printed."""
    return ascii(name)[1:-1][:MAX_SHOWN_NAME]
