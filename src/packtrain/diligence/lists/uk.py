"""The UK Sanctions List as CSV: since 2026-01-28 the one list of the United Kingdom.

Verified against other public readers of it: a first line "Report Date: ..." above the headings; a row a name or
address, each with the "Unique ID" of its designation; "Name 6" is the family name or the whole name of a company,
"Name 1" to "Name 5" come before it; "Name type" is Primary Name, Primary name variation or Alias, in changing case;
"Alias strength" is "Low quality a.k.a" for weak aliases; native names stand in "Name non-latin script". The heading of
the kind was "Individual, Entity, Ship" before it was "Designation Type". The older list of the Treasury (headings
"Group ID", "Group Type") is another format and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.lists.csv_rows import Row, rows_under_headings
from packtrain.diligence.lists.days import day
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined
from packtrain.diligence.lists.scratch import Scratch

_NUMBER = "unique id"
_NAME = ("name 1", "name 2", "name 3", "name 4", "name 5", "name 6")
_ADDRESS = (*(f"address line {number}" for number in range(1, 7)), "address postal code")
_PAPERS = ("passport number", "national identifier number", "business registration number (s)", "imo number")
_COUNTRIES = ("nationality(/ies)", "current believed flag of ship")
_REMARKS = ("position", "parent company", "subsidiaries", "current owner/operator (s)", "other information")


def read(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of the list; see `reading.Importer` for errors."""

    def take_preamble(cells: object) -> None:
        tally.date_in_file = tally.date_in_file or day(str(cells))

    with Scratch() as scratch:
        for row in rows_under_headings(
            source.path, (_NUMBER, "name 1", "name 6", "name type"), take_preamble=take_preamble
        ):
            tally.num_rows += 1
            said = {heading: text for heading, text in row.cells.items() if text}
            scratch.put(_NUMBER, row.get(_NUMBER), {**said, "where": row.where})
        for number in scratch.keys(_NUMBER):
            rows = [Row(fields["where"], 0, fields) for fields in scratch.get(_NUMBER, number)]
            party = _party(rows, number, tally)
            if party is not None:
                yield party


def _party(rows: list[Row], number: str, tally: Tally) -> ListedParty | None:
    draft = Draft(rows[0].where)
    for row in rows:
        is_weak = row.get("alias strength").lower().startswith("low quality")
        is_first = row.get("name type").lower() in ("primary name", "")
        draft.name(joined(map(row.get, _NAME), " "), is_alias=not is_first, is_weak=is_weak)
        draft.name(row.get("name non-latin script"), is_alias=True)
        country = row.get("address country")
        draft.address((*map(row.get, _ADDRESS), country), country)
        draft.add("identifiers", *(f"{heading} {row.get(heading)}" for heading in _PAPERS if row.get(heading)))
        draft.add("countries", *map(row.get, _COUNTRIES))
        draft.add("programs", row.get("regime name"))
        draft.remark(*map(row.get, _REMARKS))
    kind = rows[0].get("designation type", "individual, entity, ship")
    return draft.party(tally, number, kind)
