"""A list as CSV with headings of its own: the user says which column is which field.

Made for lists that a company or an authority keeps itself. Commas, semicolons or tabs: whichever the line of headings
has most of. A cell of aliases, addresses, countries, programmes or identifiers may hold several, with semicolons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from packtrain.diligence.lists.csv_rows import heading, likely_delimiter, rows_under_headings
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, several

FIELDS: Final = (
    "id",
    "kind",
    "name",
    "alias",
    "weak_alias",
    "address",
    "country",
    "program",
    "identifier",
    "remarks",
    "source_url",
)
"""What a column may stand for. Without a column for `id` an entry is named by the line it stands on."""
_PLURALS: Final = {"country": "countries", "program": "programs", "identifier": "identifiers"}


def read(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield an entry a row; see `reading.Importer` for errors. An entry with an address and no name is an address."""
    columns = {field: heading(text) for field, text in source.columns.items()}
    for row in rows_under_headings(source.path, tuple(columns.values()), likely_delimiter(source.path)):
        tally.num_rows += 1
        said = {field: row.get(text) for field, text in columns.items()}
        party = _draft(said, row.where).party(
            tally, said.get("id") or f"line {row.line}", _kind(said), said.get("source_url")
        )
        if party is not None:
            yield party


def _draft(said: Mapping[str, str], where: str) -> Draft:
    draft = Draft(where)
    draft.name(said.get("name"))
    for alias in several(said.get("alias")):
        draft.name(alias, is_alias=True)
    for alias in several(said.get("weak_alias")):
        draft.name(alias, is_alias=True, is_weak=True)
    countries = several(said.get("country"))
    for address in several(said.get("address")):
        draft.address([address], countries[0] if len(countries) == 1 else None)
    for field, plural in _PLURALS.items():
        draft.add(plural, *several(said.get(field)))
    draft.remark(said.get("remarks"))
    return draft


def _kind(said: Mapping[str, str]) -> str:
    if not any(said.get(field) for field in ("name", "alias", "weak_alias")):
        return "address"
    return said.get("kind", "")
