"""index.parquet and the tables beside it: what their columns are.

index.parquet, one row a sample, in the order of the shards:

    key             name of the sample, unique in the data set; its members in the tar are KEY.suffix and KEY.json
    kind            table, image or clip
    split           train, validation or test; "train" where the recipe holds nothing back
    shard           file below the data set's folder
    offset, length  where in the shard the media member's bytes are; for tables first row and number of rows, which are
                    exactly one row group
    sha256          of these bytes; for tables of the rows as `pyarrow.csv.write_csv` writes them at its defaults
    source          name of the source: the label of its source path, then the path below it
    source_sha256   of the whole source file
    detail          JSON: what is known of the sample (box of a crop, times of frames, rows of a block). In an adopted
                    tar also `sample_key` (what the sample is called there), `suffix` of the media member, and `members`
                    (by suffix, offset and length of the others)
    recipe          SHA-256 of the recipe

drops.parquet, one row a sample that was read and not kept, by kind and key:

    reason          filter, duplicate, near-duplicate or withdrawn
    rule            which rule of the recipe, in words ("width_pixels at least 64")
    value, limit    what was measured (of near-duplicates the distance or the share in common) and what is allowed; null
                    where nothing was measured
    kept_key, kept_source    the sample that was kept instead, or "" where none was; of a duplicate the first of
                    the same bytes, which may be a near-duplicate itself: its own row then says of what
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from packtrain.dataset.arrow import Schema

INDEX: Final = "index.parquet"
REJECTS: Final = "rejects.parquet"
DROPS: Final = "drops.parquet"
SOURCES: Final = "sources.parquet"

INDEX_SCHEMA: Final[Schema] = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("split", pa.string()),
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
DROP_SCHEMA: Final[Schema] = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("source_sha256", pa.string()),
        ("sha256", pa.string()),
        ("reason", pa.string()),
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
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
        ("licence", pa.string()),
    ]
)
# What the walk lists, before anything is opened.
MANIFEST_SCHEMA: Final[Schema] = pa.schema(
    [
        ("path", pa.string()),
        ("kind", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
    ]
)
# The same of shards that are adopted, with what a description says of each, or "".
ADOPTED_SCHEMA: Final[Schema] = pa.schema(
    [
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("split", pa.string()),
        ("kind", pa.string()),
    ]
)
# Between the passes, a table a unit: a sample that has no shard yet. `blob_offset` -1: its bytes are the source itself.
# `withdrawn`: all that is left of a sample whose source was withdrawn; it holds its place, so that no other one moves.
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
        ("measures", pa.map_(pa.string(), pa.float64())),
        ("fingerprint", pa.binary()),
        ("withdrawn", pa.bool_()),
    ]
)
