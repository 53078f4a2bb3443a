"""index.parquet and the tables beside it: what their columns are.

index.parquet, one row a sample, in the order of the shards:

    key             name of the sample, unique in the data set; its members in the tar are KEY.suffix and KEY.json
    kind            table, image or clip
    shard           file below the data set's folder
    offset, length  where in the shard the media member's bytes are; for tables first row and number of rows, which are
                    exactly one row group
    sha256          of these bytes; for tables of the rows as `pyarrow.csv.write_csv` writes them at its defaults
    source          name of the source: the label of its source path, then the path below it
    source_sha256   of the whole source file
    detail          JSON: what is known of the sample (box of a crop, times of frames, rows of a block)
    recipe          SHA-256 of the recipe
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from packtrain.dataset.arrow import Schema

INDEX: Final = "index.parquet"
REJECTS: Final = "rejects.parquet"
DUPLICATES: Final = "duplicates.parquet"
SOURCES: Final = "sources.parquet"

INDEX_SCHEMA: Final[Schema] = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("sha256", pa.string()),
        ("source", pa.string()),
        ("source_sha256", pa.string()),
        ("detail", pa.string()),
        ("recipe", pa.string()),
    ]
)
REJECT_SCHEMA: Final[Schema] = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("kind", pa.string()),
        ("stage", pa.string()),
        ("place", pa.string()),
        ("error", pa.string()),
        ("bytes", pa.int64()),
    ]
)
DUPLICATE_SCHEMA: Final[Schema] = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("sha256", pa.string()),
        ("kept_key", pa.string()),
        ("kept_source", pa.string()),
    ]
)
SOURCE_SCHEMA: Final[Schema] = pa.schema(
    [
        ("path", pa.string()),
        ("kind", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("samples", pa.int64()),
    ]
)
# Between the passes, a table a unit: a sample that has no shard yet. `blob_offset` -1: its bytes are the source itself.
# A block of a table is a row group of a part (table_parts.py) that begins there; its `blob_bytes` are those of its CSV.
SAMPLE_SCHEMA: Final[Schema] = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("source_sha256", pa.string()),
        ("sha256", pa.string()),
        ("suffix", pa.string()),
        ("table", pa.string()),
        ("num_rows", pa.int64()),
        ("unit", pa.string()),
        ("blob_offset", pa.int64()),
        ("blob_bytes", pa.int64()),
        ("part_bytes", pa.int64()),
        ("part_sha256", pa.string()),
        ("part_blocks", pa.int64()),
        ("row_group", pa.int64()),
        ("detail", pa.string()),
    ]
)
