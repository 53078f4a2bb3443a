"""The formats of lists by name: who reads each, and which files belong to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from packtrain.diligence.lists import csl, eu, mapped_csv, ofac_csv, ofac_xml, opensanctions, uk, un
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Importer, ListSource, Tally
from packtrain.documents.list_record import ListFormat
from packtrain.errors import ListUnreadable

IMPORTERS: Final[Mapping[ListFormat, Importer]] = {
    "csl-json": csl.read_json,
    "csl-csv": csl.read_csv,
    "ofac-csv": ofac_csv.read,
    "ofac-xml": ofac_xml.read,
    "eu-xml": eu.read_xml,
    "eu-csv": eu.read_csv,
    "uk-csv": uk.read,
    "un-xml": un.read,
    "opensanctions-simple": opensanctions.read_simple,
    "opensanctions-ftm": opensanctions.read_ftm,
    "csv": mapped_csv.read,
}


def source_of(list_format: ListFormat, files: Sequence[Path], columns: Mapping[str, str]) -> ListSource:
    """Return the files of a list by their role.

    Args:
        list_format: what they are.
        files: as the user gave them: one file; for "ofac-csv" its three files or the folder they lie in.
        columns: field -> heading, for "csv" alone.

    Raises:
        ListUnreadable: not the files of this format, or columns that it has no use for or cannot do without.
    """
    _check_columns(list_format, columns)
    paths = _ofac_files(files) if list_format == "ofac-csv" else _one_file(list_format, files)
    for path in paths.values():
        if not path.is_file():
            raise ListUnreadable("no such file" if not path.exists() else "not a regular file", where=str(path))
    return ListSource(paths, columns)


def read(list_format: ListFormat, source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of a list; see `reading.Importer` for errors."""
    return IMPORTERS[list_format](source, tally)


def _one_file(list_format: str, files: Sequence[Path]) -> dict[str, Path]:
    if len(files) != 1:
        raise ListUnreadable(f"a list in the format {list_format} is one file", expected="1", found=str(len(files)))
    return {"": files[0]}


def _ofac_files(files: Sequence[Path]) -> dict[str, Path]:
    where = str(files[0]) if len(files) == 1 else None
    given = sorted(files[0].iterdir()) if len(files) == 1 and files[0].is_dir() else list(files)
    paths: dict[str, Path] = {}
    for path in given:
        role = ofac_csv.FILE_NAMES.get(path.name.lower())
        if role is None:
            continue
        if role in paths:
            raise ListUnreadable(
                f"two files of {role}",
                where=where,
                found=f"{paths[role].name} and {path.name}",
                hint="the SDN list (sdn, add, alt) and the consolidated one (cons_*) are two lists, with a label each",
            )
        paths[role] = path
    missing = [role for role in (ofac_csv.PARTIES, ofac_csv.ADDRESSES, ofac_csv.ALIASES) if role not in paths]
    if missing:
        raise ListUnreadable(
            f"no file of {' and none of '.join(missing)}",
            where=where,
            expected="sdn.csv, add.csv and alt.csv, or cons_prim.csv, cons_add.csv and cons_alt.csv",
            hint="give the three files, or the folder they lie in: without aliases and addresses the list is half",
        )
    return paths


def _check_columns(list_format: str, columns: Mapping[str, str]) -> None:
    if list_format != "csv":
        if columns:
            raise ListUnreadable(f"the format {list_format} has its own columns", hint='--columns belongs to "csv"')
        return
    unknown = next((field for field in columns if field not in mapped_csv.FIELDS), None)
    if unknown is not None:
        raise ListUnreadable("no such field", expected=", ".join(mapped_csv.FIELDS), found=unknown)
    if "name" not in columns and "address" not in columns:
        raise ListUnreadable(
            "no column is named for names or addresses", hint='for example --columns "name=Company,address=Seat"'
        )
