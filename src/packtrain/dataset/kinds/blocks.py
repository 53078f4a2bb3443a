"""A block of rows: its form in text, what is measured of it, and the types that a shard can hold."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from packtrain.dataset.arrow import Schema, Table

MEASURES: Final = ("rows", "columns", "null_fraction", "text_bytes", "distinct_row_fraction")


def csv_of(block: Table) -> bytes:
    """Return a block as CSV by pyarrow's writer at its defaults: a header line, text in quotes, null as nothing."""
    target = io.BytesIO()
    pa_csv.write_csv(block, target)
    return target.getvalue()


def stored_schema(schema: Schema) -> Schema:
    """Return the types a block has after it was written to Parquet and read again: seconds become milliseconds.

    Blocks are brought to these types before anything is computed of them: a digest then holds for what is in the shard,
    and a block that was stored once is stored the second time as the same bytes.
    """
    target = io.BytesIO()
    with pq.ParquetWriter(target, schema, version="2.6", store_schema=False):
        pass
    target.seek(0)
    return pa.schema([pa.field(field.name, field.type) for field in pq.read_schema(target)])


class BlockMeasures(Mapping[str, float]):
    """What is known of a block: each is computed when it is asked for. Of pieces of adopted row groups two are.

    rows, columns           numbers
    null_fraction           share of the cells that are null or an empty text, 0 to 1
    text_bytes              length of all texts in UTF-8
    distinct_row_fraction   different rows over rows
    """

    def __init__(self, block: Table) -> None:
        self._block = block
        self._known: dict[str, float] = {}

    def __getitem__(self, name: str) -> float:
        """Return one measure."""
        if name not in self._known:
            self._known[name] = self._measured(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(MEASURES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(MEASURES)

    def _measured(self, name: str) -> float:
        import pyarrow.compute

        pc: Any = pyarrow.compute  # its functions are made when it is imported: no checker sees them
        block = self._block
        texts = [column for column in block.columns if _is_text(column.type)]
        match name:
            case "rows":
                return float(block.num_rows)
            case "columns":
                return float(block.num_columns)
            case "null_fraction":
                num_empty = sum(column.null_count for column in block.columns)
                num_empty += sum(pc.sum(pc.equal(pc.binary_length(column), 0)).as_py() or 0 for column in texts)
                return num_empty / (block.num_rows * block.num_columns)
            case "text_bytes":
                return float(sum(pc.sum(pc.binary_length(column)).as_py() or 0 for column in texts))
            case "distinct_row_fraction":
                # Most tables have a column of numbers that no two rows share, and it comes first.
                distinct = pc.count_distinct(block.column(0), mode="all").as_py()
                if distinct < block.num_rows:
                    distinct = block.group_by(block.schema.names, use_threads=False).aggregate([]).num_rows
                return distinct / block.num_rows
            case _:
                raise KeyError(name)


def _is_text(data_type: Any) -> bool:
    return pa.types.is_string(data_type) or pa.types.is_large_string(data_type)
