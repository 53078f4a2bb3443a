"""The loss report: what of a folder cannot be carried at all, and what of the rest is not carried whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

from packtrain.errors import SourceUnreadable
from packtrain.units import format_bytes

NAMED: Final = 20
"""How many names of a kind the report shows; the listing has them all."""

LeftOut = Literal[
    "sockets, pipes and devices",
    "cannot be read",
    "symbolic links that leave the folder",
    "names that no reader takes",
    "extended attributes of more than 64 KiB (without them)",
]
"""Kinds of what stays behind: packing is refused until it is accepted."""
Lessened = Literal[
    "extended attributes that are not carried",
    "set-id and sticky bits (set by load --keep-owner alone)",
    "owners other than root (set by load --keep-owner alone)",
    "hard links to names outside of the folder",
    "hard links of symbolic links (carried as links of their own)",
    "holes carried as zeros",
]
"""Kinds of what is carried, but not as it was, or only on request."""


@dataclass(slots=True)
class Loss:
    """One kind: how many entries, the bytes of them where that says something, and the first names."""

    count: int = 0
    total_bytes: int = 0
    first: list[str] = field(default_factory=list[str])

    def add(self, shown: str, total_bytes: int) -> None:
        """Count one entry."""
        self.count += 1
        self.total_bytes += total_bytes
        if len(self.first) < NAMED:
            self.first.append(shown)


class LossReport:
    """Counts losses by kind; memory does not grow with their number.

    Args:
        listing: takes a line for everything that is left out.

    Attributes:
        left_out, lessened: losses by kind, in the order they came up.
    """

    def __init__(self, listing: BinaryIO | None = None) -> None:
        self.left_out: dict[LeftOut, Loss] = {}
        self.lessened: dict[Lessened, Loss] = {}
        self._listing = listing
        self._state = hashlib.sha256()

    def leave_out(self, kind: LeftOut, name: bytes, why: str = "") -> None:
        """Count something that stays behind."""
        shown = printable(name) + (f": {why}" if why else "")
        self.left_out.setdefault(kind, Loss()).add(shown, 0)
        line = f"{kind}\t{shown}\n".encode()
        self._state.update(line)
        if self._listing is not None:
            self._listing.write(line)

    def lessen(self, kind: Lessened, name: bytes, why: str = "", *, total_bytes: int = 0) -> None:
        """Count something that is carried, but not whole."""
        loss = self.lessened.setdefault(kind, Loss())
        # Of millions of entries that all belong to a user only the first are named.
        loss.add(printable(name) + (f": {why}" if why else "") if len(loss.first) < NAMED else "", total_bytes)

    def owner(self, name: bytes, uid: int, gid: int) -> None:
        """Count the owner of an entry."""
        if uid or gid:
            self.lessen("owners other than root (set by load --keep-owner alone)", name, f"{uid}:{gid}")

    @property
    def num_left_out(self) -> int:
        """Return how many entries stay behind."""
        return sum(loss.count for loss in self.left_out.values())

    def digest(self) -> str:
        """Return the SHA-256 over all that is left out, so that what was accepted can be told from what came after."""
        return self._state.hexdigest()

    def lines(self) -> list[str]:
        """Return the report as a person reads it: a line a kind, then its first names."""
        found: list[str] = []
        for kinds in (self.left_out, self.lessened):
            mark = "left out" if kinds is self.left_out else "carried, but"
            for kind, loss in kinds.items():
                size = f", {format_bytes(loss.total_bytes)}" if loss.total_bytes else ""
                found.append(f"{mark}: {kind}: {loss.count:,}{size}")
                found += [f"    {shown}" for shown in loss.first]
                if loss.count > len(loss.first):
                    found.append(f"    and {loss.count - len(loss.first):,} more")
        return found

    def summary(self) -> str:
        """Return what is left out in one line."""
        return "; ".join(f"{kind}: {loss.count}" for kind, loss in self.left_out.items())

    def summary_of_lessened(self) -> str:
        """Return what is carried, but not whole, in one line."""
        return "; ".join(
            f"{kind}: {loss.count}" + (f" ({format_bytes(loss.total_bytes)})" if loss.total_bytes else "")
            for kind, loss in self.lessened.items()
        )

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {
            name: {
                kind: {"count": loss.count, "bytes": loss.total_bytes, "first": loss.first}
                for kind, loss in kinds.items()
            }
            for name, kinds in (("left_out", self.left_out), ("lessened", self.lessened))
        }

    def refuse(self, where: str, hint: str = "remove them from the sources, or make them readable") -> None:
        """Raise if anything is left out.

        Raises:
            SourceUnreadable: with the counts and the first names of each kind.
        """
        if self.left_out:
            named = "; ".join(
                f"{kind}: {loss.count} ({', '.join(loss.first)}{', ...' if loss.count > len(loss.first) else ''})"
                for kind, loss in self.left_out.items()
            )
            raise SourceUnreadable(f"{self.num_left_out} sources cannot be carried: {named}", where=where, hint=hint)


def printable(name: bytes) -> str:
    """Return a raw name on one line: bytes that are no text, and what a terminal would act on, as escapes."""
    text = name[:1024].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
