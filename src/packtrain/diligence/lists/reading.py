"""What every importer takes and gives: the files of a list, a tally of what was read, and names on one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain.diligence.lists.entry import EntryKind, ListedAddress, ListedName, ListedParty
from packtrain.errors import ListUnreadable

MAX_TEXT: Final = 8192
"""Characters of one name, address or remark that are kept; the longest name on a published list has about 600."""
MAX_PARTS: Final = 10_000
"""Names, addresses or rows of one entry: more are a file that is not what it is given as."""
MAX_ENTRY_BYTES: Final = 8 << 20
"""Bytes of one entry (an XML element, a JSON object, a row) that are held in memory."""

# Controls, and the marks that turn the direction of writing: they hide what a name looks like.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
_NOTHING: Final = frozenset({"", "-", "-0-", "n/a"})


@dataclass(slots=True)
class Tally:
    """What was read of a list so far.

    Attributes:
        label: of the list; entries carry it.
        num_rows: rows, lines or elements that hold (a part of) an entry.
        left_out: reason -> how many of them became no entry.
        date_in_file: the day that the file states of itself, YYYY-MM-DD.
    """

    label: str
    num_rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    date_in_file: str | None = None


@dataclass(frozen=True, slots=True)
class ListSource:
    """The files of one list, and how the user says they are to be read.

    Attributes:
        paths: role of the file -> where it lies; a list of one file has the role "".
        columns: field -> heading of its column, for lists in a form of their own.
    """

    paths: Mapping[str, Path]
    columns: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def path(self) -> Path:
        """Return the path of a list that is one file."""
        return self.paths[""]


Importer = Callable[[ListSource, Tally], Iterator[ListedParty]]
"""Yields the entries of a list; raises ListUnreadable, with the line or entry, at the first thing that does not fit."""


def one_line(text: str | None) -> str:
    """Return text without control and direction marks, runs of blanks as one, cut at MAX_TEXT; "" for None."""
    if not text:
        return ""
    return " ".join(_UNSEEN.sub(" ", text[: 2 * MAX_TEXT]).split())[:MAX_TEXT].rstrip()


def joined(parts: Iterable[str | None], separator: str = ", ") -> str:
    """Return the parts that say something, on one line."""
    return separator.join(filter(None, map(one_line, parts)))[:MAX_TEXT]


def several(text: str | None, separator: str = ";") -> list[str]:
    """Return the values of a field that holds several, each on one line."""
    return list(filter(None, map(one_line, (text or "").split(separator))))


class Draft:
    """One entry while its parts are gathered: keeps the order, drops repetitions and what names nothing.

    Args:
        where: file and line or number, for messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._names: dict[str, ListedName] = {}
        self._addresses: dict[tuple[str, str | None], ListedAddress] = {}
        self._sets: dict[str, dict[str, None]] = {}
        self._remarks: dict[str, None] = {}

    def name(self, text: str | None, *, is_alias: bool = False, is_weak: bool = False) -> None:
        """Add a name. Given twice, it is an alias, or weak, only if it is so both times."""
        spelt = one_line(text)
        if spelt.casefold() in _NOTHING:
            return
        before = self._names.get(spelt)
        if before is not None:
            is_alias, is_weak = is_alias and before.is_alias, is_weak and before.is_weak
        self._names[spelt] = ListedName(spelt, is_alias, is_weak)
        self._bounded(len(self._names), "names")

    def address(self, parts: Iterable[str | None], country: str | None = None) -> None:
        """Add an address; one that is nothing but a country counts as a country of the entry."""
        text, land = joined(parts), one_line(country) or None
        if text.casefold() in _NOTHING or text == land:
            self.add("countries", land)
            return
        self._addresses[text, land] = ListedAddress(text, land)
        self._bounded(len(self._addresses), "addresses")

    def add(self, kind: str, *values: str | None) -> None:
        """Add values to "countries", "programs" or "identifiers"."""
        kept = self._sets.setdefault(kind, {})
        kept.update(dict.fromkeys(filter(None, map(one_line, values))))
        self._bounded(len(kept), kind)

    def remark(self, *texts: str | None) -> None:
        """Add free text."""
        self._remarks.update(dict.fromkeys(filter(None, map(one_line, texts))))
        self._bounded(len(self._remarks), "remarks")

    def party(self, tally: Tally, entry_id: str | None, kind: str, source_url: str | None = None) -> ListedParty | None:
        """Return the entry, or None (and count it as left out) where it has neither a name nor a listed address.

        Raises:
            ListUnreadable: it has no number or key of its own.
        """
        key = one_line(entry_id)
        if not key:
            raise ListUnreadable("entry has no number of its own", where=self._where)
        known_kind = _KINDS.get(kind.casefold(), "unknown")
        if not self._names and not (known_kind == "address" and self._addresses):
            tally.left_out["entry without a name"] += 1
            return None
        return ListedParty(
            list_label=tally.label,
            entry_id=key,
            kind=known_kind,
            names=self._ordered_names(),
            addresses=tuple(self._addresses.values()),
            countries=tuple(self._sets.get("countries", ())),
            programs=tuple(self._sets.get("programs", ())),
            identifiers=tuple(self._sets.get("identifiers", ())),
            remarks=joined(self._remarks, " | "),
            source_url=one_line(source_url) or None,
        )

    def _ordered_names(self) -> tuple[ListedName, ...]:
        """Return the names, the first a first name: where a list gives aliases alone, the first of them stands in."""
        return tuple(sorted(self._names.values(), key=lambda name: name.is_alias))

    def _bounded(self, number: int, what: str) -> None:
        if number > MAX_PARTS:
            raise ListUnreadable(
                f"one entry has too many {what}", where=self._where, expected=f"at most {MAX_PARTS}", found=str(number)
            )


_KINDS: Final[dict[str, EntryKind]] = {
    "person": "person",
    "individual": "person",
    "organisation": "organisation",
    "organization": "organisation",
    "entity": "organisation",
    "enterprise": "organisation",
    "company": "organisation",
    "publicbody": "organisation",
    "vessel": "vessel",
    "ship": "vessel",
    "aircraft": "aircraft",
    "airplane": "aircraft",
    "address": "address",
}
"""How lists call what they name."""
