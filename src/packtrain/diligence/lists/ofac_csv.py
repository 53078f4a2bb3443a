"""OFAC's lists as CSV: SDN.CSV, ADD.CSV and ALT.CSV (or CONS_PRIM, CONS_ADD, CONS_ALT), joined on the entry's number.

Verified against published files of 2018 and the readers of others: no headings; 12, 6 and 5 columns; `-0-` for
nothing; programmes as "SDGT] [IFSR"; weak aliases in the remarks only, as "a.k.a. 'SHORT'."; remarks that go on in
SDN_COMMENTS.CSV; a last row of the single byte 0x1A. Not verified: the encoding of letters beyond ASCII; lines that
are not UTF-8 are read as Windows-1252.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.diligence.lists.csv_rows import plain_rows
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined
from packtrain.diligence.lists.scratch import Scratch
from packtrain.errors import ListUnreadable

PARTIES, ADDRESSES, ALIASES, COMMENTS = "parties", "addresses", "aliases", "comments"
FILE_NAMES: Final = {
    "sdn.csv": PARTIES,
    "cons_prim.csv": PARTIES,
    "add.csv": ADDRESSES,
    "cons_add.csv": ADDRESSES,
    "alt.csv": ALIASES,
    "cons_alt.csv": ALIASES,
    "sdn_comments.csv": COMMENTS,
    "cons_comments.csv": COMMENTS,
}
"""Lower-case name of a file -> its role. The roles of addresses and aliases must be there: half a list is none."""
_COLUMNS: Final = {PARTIES: 12, ADDRESSES: 6, ALIASES: 5, COMMENTS: 2}
_NOTHING: Final = "-0-"
_WEAK_ALIAS: Final = re.compile(r"\b[af]\.k\.a\.?,? '(.+?)'(?=[.;,]|\Z)")
_COUNTRY: Final = re.compile(r"\A(?:alt\. )?(?:nationality|citizen) (.+)\Z", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(
    r"\b(No\.|Number|#|ID|Passport|SSN|SWIFT/BIC|IMO|MMSI|FEIN|Cedula|Document|Digital Currency Address|BIK)\b.*\d",
    re.IGNORECASE,
)


def read(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of the three files; see `reading.Importer` for errors."""
    with Scratch() as scratch:
        for role in (ADDRESSES, ALIASES, COMMENTS):
            if role in source.paths:
                for _, cells in _rows(source.paths[role], role):
                    scratch.put(role, cells[0], {str(number): cell for number, cell in enumerate(cells)})
        seen = Scratch()
        with seen:
            for where, cells in _rows(source.paths[PARTIES], PARTIES):
                tally.num_rows += 1
                seen.put(PARTIES, cells[0], {})
                party = _party(where, cells, scratch, tally)
                if party is not None:
                    yield party
            for role in (ADDRESSES, ALIASES):
                missing = sum(not seen.has(PARTIES, key) for key in scratch.keys(role))
                if missing:
                    tally.left_out[f"{role} of an entry that is not there"] += missing


def _party(where: str, cells: list[str], scratch: Scratch, tally: Tally) -> ListedParty | None:
    number, name, kind, programs, title, call_sign, *_, flag, owner, remarks = cells
    draft = Draft(where)
    draft.name(name)
    for alias in scratch.get(ALIASES, number):
        draft.name(alias["3"], is_alias=True)
        draft.remark(alias["4"])
    for address in scratch.get(ADDRESSES, number):
        draft.address((address["2"], address["3"], address["4"]), address["4"])
        draft.remark(address["5"])
    draft.add("programs", *re.split(r"\]\s*\[|;", programs.strip("[] ")))
    draft.add("countries", flag)
    draft.add("identifiers", f"Call sign {call_sign}" if call_sign else None)
    whole = remarks + "".join(more["1"] for more in scratch.get(COMMENTS, number))
    for alias in _WEAK_ALIAS.findall(whole):
        draft.name(alias, is_alias=True, is_weak=True)
    for said in whole.rstrip(". ").split(";"):
        country = _COUNTRY.match(said.strip())
        if country:
            draft.add("countries", country[1].rstrip("."))
        elif _IDENTIFIER.search(said):
            draft.add("identifiers", said)
    draft.remark(title, f"owner {owner}" if owner else None, whole)
    return draft.party(tally, number, kind or "entity")


def _rows(path: Path, role: str) -> Iterator[tuple[str, list[str]]]:
    for line, cells in plain_rows(path, other_encoding="cp1252"):
        where = f"{path.name}, line {line}"
        cells = ["" if cell.strip() == _NOTHING else cell.strip() for cell in cells]
        if len(cells) != _COLUMNS[role]:
            raise ListUnreadable(
                "row has another number of cells than this file of OFAC's",
                where=where,
                expected=str(_COLUMNS[role]),
                found=str(len(cells)),
                hint="fetch the file again: it may be cut off; " + joined(FILE_NAMES),
            )
        if not cells[0].isdecimal():
            raise ListUnreadable("row does not begin with the number of an entry", where=where, found=cells[0][:40])
        yield where, cells
