"""What is left of withdrawn samples: a table that holds their places and keeps their likes out. It has no byte of them.

docs/adr/0033-withdrawals.md says why places are held.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rfc8785

from packtrain.dataset.work_units import UnitFolder, UnitReceipt
from packtrain.documents.withdrawals import Withdrawals
from packtrain.units import GIB

COPY_OF_WITHDRAWN: Final = "withdrawn: the same bytes as a source that was withdrawn"
"""Why a whole source is set aside at reading."""
_PADDING: Final = {"left": ""}
_BATCH_ROWS: Final = 8192
_MEMORY_BYTES: Final = 1 * GIB


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The withdrawals in force: sources by name, and the SHA-256 of those that were ever read."""

    names: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()

    @classmethod
    def of(cls, document: Withdrawals) -> Withdrawn:
        """Return what holds by this document."""
        held = document.in_force()
        return cls(frozenset(held), frozenset(entry.sha256 for entry in held.values() if entry.sha256 is not None))

    def has_overtaken(self, receipt: UnitReceipt) -> bool:
        """Return whether a unit was read before a withdrawal, or its undoing, that touches bytes of a file in it."""
        holds_copy = any(record.num_samples and record.sha256 in self.digests for record in receipt.sources)
        return holds_copy or any(
            reject.error == COPY_OF_WITHDRAWN and reject.sha256 not in self.digests for reject in receipt.rejects
        )


def settle(table: Path, names: frozenset[str], units: UnitFolder, dataset: Path, spill: Path) -> None:
    """Write the table of what is left of the withdrawn samples: of those it has, and of those the units still hold.

    Call it before units are read and removed; called again it finds what it wrote. A unit whose samples stand in the
    index or among the drops of the data set goes before one that a run left which did not come to its end.

    Args:
        table: the table; it is removed where nothing is withdrawn.
        names: of the withdrawn sources.
        units: where units keep what they read.
        dataset: the folder of the data set.
        spill: a folder for what does not fit into memory.
    """
    from packtrain.dataset.index import SAMPLE_SCHEMA
    from packtrain.dataset.rows import row_writer

    if not names:
        table.unlink(missing_ok=True)
        return
    held = {row["source"] for row in _rows_of(table, ["source"])}
    missing = names - held
    with contextlib.closing(_in_units(units, missing, dataset, spill)) as found:
        first = next(found, None) if missing else None
        if first is None and table.exists() and held <= names:
            return
        kept = (row for row in _rows_of(table) if row["source"] in names)
        added = (_left_of(row) for row in itertools.chain([first] if first is not None else [], found))
        with row_writer(table, SAMPLE_SCHEMA) as rows:
            for row in heapq.merge(kept, added, key=lambda row: (row["kind"], row["key"])):
                rows.add(row)


def _left_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample's row without what says anything of its content but digests, measures and fingerprint."""
    return {
        **row,
        "unit": "",
        "blob_offset": 0,
        "part_bytes": 0,
        "part_sha256": "",
        "part_blocks": 0,
        "row_group": 0,
        "detail": "{}" if row["kind"] == "table" else _as_long_as(row["detail"]),
        "measures": sorted(dict(row["measures"] or ()).items()),
        "withdrawn": True,
    }


def _as_long_as(detail: str) -> str:
    """Return a detail of the same length in bytes: how much room a sample takes in a shard depends on it."""
    shortest = len(rfc8785.dumps(_PADDING))
    num_bytes = len(detail.encode("utf-8"))
    # A shorter one is "{}", or too short to tell anything.
    return rfc8785.dumps({"left": "#" * (num_bytes - shortest)}).decode() if num_bytes >= shortest else detail


def _rows_of(table: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    if not table.exists():
        return
    with contextlib.closing(pq.ParquetFile(table)) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
            yield from batch.to_pylist()


def _in_units(units: UnitFolder, names: frozenset[str], dataset: Path, spill: Path) -> Generator[dict[str, Any]]:
    """Yield the rows of these sources from the units' tables, of each source those of one unit."""
    from packtrain.dataset.database import open_database, rows_of_files
    from packtrain.dataset.index import DROPS, INDEX, SAMPLE_SCHEMA

    files = sorted(units.root.glob("??/*.samples.parquet"))
    if not files:
        return
    known = [path for path in (dataset / INDEX, dataset / DROPS) if path.exists()]
    spill.mkdir(parents=True, exist_ok=True)
    with open_database(_MEMORY_BYTES, spill) as connection:
        connection.execute("CREATE TABLE names AS SELECT unnest($names) AS source", {"names": sorted(names)})
        connection.execute(
            f"CREATE TABLE found AS SELECT s.* FROM {rows_of_files(files, 'filename = true, union_by_name = true')} s"  # noqa: S608 - quoted there
            " SEMI JOIN names ON names.source = s.source"
        )
        connection.execute("CREATE TABLE known (kind VARCHAR, key VARCHAR, sha256 VARCHAR)")
        for path in known:
            connection.execute(
                f"INSERT INTO known SELECT kind, key, sha256 FROM {rows_of_files([path])} t"  # noqa: S608 - quoted there
                " SEMI JOIN names ON names.source = t.source"
            )
        connection.execute(
            "CREATE TABLE chosen AS SELECT source, max_by(filename, (num, filename)) AS filename FROM"
            " (SELECT f.source, f.filename, count(k.key) AS num FROM found f LEFT JOIN known k"
            " ON k.kind = f.kind AND k.key = f.key AND k.sha256 = f.sha256 GROUP BY ALL) GROUP BY source"
        )
        relation = connection.sql(
            "SELECT f.* FROM found f SEMI JOIN chosen c ON c.source = f.source AND c.filename = f.filename"
            " ORDER BY f.kind, f.key"
        )
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            for row in batch.to_pylist():
                yield {name: row.get(name) for name in SAMPLE_SCHEMA.names}
