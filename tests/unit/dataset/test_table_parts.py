import errno
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.kinds.blocks import csv_of, stored_schema
from packtrain.dataset.part import Part
from packtrain.dataset.shards import ShardLayout, WriteJob, lay_out, write_shard
from packtrain.dataset.sources import Sources
from packtrain.dataset.table_parts import PartReader, PartWriter
from packtrain.dataset.work_units import UnitFolder
from packtrain.digest import sha256_bytes
from packtrain.errors import IntegrityError

UNIT = "ab" * 32


def _blocks(num_blocks: int, num_rows: int = 3) -> list[Any]:
    return [
        pa.table({"n": [f"{number}-{row}" for row in range(num_rows)], "word": ["same"] * num_rows})
        for number in range(num_blocks)
    ]


def _written(blobs: io.BytesIO, blocks: list[Any], shard_bytes: int = 1 << 30) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    writer = PartWriter(blobs, shard_bytes)
    for number, block in enumerate(blocks):
        text = csv_of(block)
        rows.append(
            {
                "key": f"key-{number:08d}",
                "kind": "table",
                "source": "raw/a.csv",
                "source_sha256": "0" * 64,
                "sha256": sha256_bytes(text),
                "suffix": "parquet",
                "table": "a-s01",
                "num_rows": block.num_rows,
                "unit": UNIT,
                "blob_bytes": len(text),
                "detail": "{}",
                "split": "train",
                "withdrawn": False,
            }
        )
        writer.add(block, "s01", len(text), rows[-1])
    writer.close()
    return rows


def _shards(root: Path, blobs: bytes, rows: list[dict[str, Any]], shard_bytes: int = 1 << 30) -> dict[str, bytes]:
    (root / "raw").mkdir(parents=True, exist_ok=True)
    (root / "voyage").mkdir(exist_ok=True)
    units = UnitFolder(root / "units")
    units.blobs(UNIT).parent.mkdir(parents=True, exist_ok=True)
    units.blobs(UNIT).write_bytes(blobs)
    found: dict[str, bytes] = {}
    for layout in lay_out(rows, shard_bytes, "r" * 64):
        if isinstance(layout, ShardLayout):
            sources = Sources([root / "raw"], root / "voyage")
            write_shard(WriteJob(layout, sources, units, root / "receipts", root / "dataset"))
            found[layout.name] = (root / "dataset" / layout.name).read_bytes()
    return found


def test_a_shard_of_which_nothing_was_dropped_is_the_part(tmp_path: Path) -> None:
    blobs = io.BytesIO()
    blobs.write(b"what came before")
    rows = _written(blobs, _blocks(3))
    (shard,) = _shards(tmp_path, blobs.getvalue(), rows).values()
    assert shard == blobs.getvalue()[len(b"what came before") :]
    assert pq.ParquetFile(io.BytesIO(shard)).num_row_groups == 3


_NUMBERS = st.lists(st.integers(-(2**60), 2**60) | st.none(), min_size=3, max_size=3)
_CELLS = st.lists(st.sampled_from([None, "", "a", "ö" * 9]), min_size=3, max_size=3)


@given(
    st.lists(st.tuples(_CELLS, _NUMBERS), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
    st.sampled_from([1, 60, 200, 1 << 30]),
)
def test_a_shard_written_anew_has_the_bytes_of_one_that_is_copied(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[tuple[list[str | None], list[int | None]]],
    dropped: set[int],
    shard_bytes: int,
) -> None:
    schema = stored_schema(pa.schema([("a.b", pa.string()), ("t", pa.timestamp("s")), ("n", pa.int64())]))
    blocks = [
        pa.Table.from_arrays(
            [
                pa.array(texts, pa.string()),
                pa.array(numbers, pa.int64()).cast(schema.field("t").type),
                pa.array(numbers, pa.int64()),
            ],
            schema=schema,
        )
        for texts, numbers in contents
    ]
    kept = [number for number in range(len(blocks)) if number not in dropped]
    if not kept:
        return
    root = tmp_path_factory.mktemp("parts")
    whole, fewer = io.BytesIO(), io.BytesIO()
    rows = _written(whole, blocks, shard_bytes)
    kept_only = _written(fewer, [blocks[number] for number in kept], shard_bytes)
    from_whole = _shards(root / "whole", whole.getvalue(), [rows[number] for number in kept], shard_bytes)
    from_kept = _shards(root / "kept", fewer.getvalue(), kept_only, shard_bytes)
    assert from_whole == from_kept
    assert b"".join(from_kept.values()) == fewer.getvalue()


def test_long_blocks_with_repeats_are_the_same_when_they_are_written_anew(tmp_path: Path) -> None:
    blocks = [
        pa.table({"id": [f"{number}{row}" for row in range(5000)], "word": [f"w{row % 7}" for row in range(5000)]})
        for number in range(4)
    ]
    whole, fewer = io.BytesIO(), io.BytesIO()
    rows = _written(whole, blocks)
    _written(fewer, [blocks[0], blocks[2]])
    (shard,) = _shards(tmp_path, whole.getvalue(), [rows[0], rows[2]]).values()
    assert shard == fewer.getvalue()
    group = pq.ParquetFile(io.BytesIO(shard)).metadata.row_group(0)
    assert [group.column(i).has_dictionary_page for i in range(2)] == [False, True]


@pytest.mark.parametrize("kept", [[0, 1, 2], [0, 2]])
def test_no_changed_byte_of_a_part_gets_into_a_shard(tmp_path: Path, kept: list[int]) -> None:
    blobs = io.BytesIO()
    rows = _written(blobs, _blocks(3, 40))
    sound = blobs.getvalue()
    expected = _shards(tmp_path / "sound", sound, [rows[number] for number in kept])
    for at in range(0, len(sound), 7):
        damaged = bytearray(sound)
        damaged[at] ^= 0x55
        try:
            found = _shards(tmp_path / "damaged", bytes(damaged), [rows[number] for number in kept])
        except IntegrityError:
            continue
        assert found == expected  # a byte of the block that was dropped, or one that nobody reads


def test_a_full_disk_is_told_as_such_and_the_source_is_not_blamed() -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        _written(Full(), _blocks(2, 100_000))
    assert caught.value.errno == errno.ENOSPC


def test_a_part_that_is_thrown_away_writes_nothing_more(tmp_path: Path) -> None:
    blobs = io.BytesIO()
    writer = PartWriter(blobs, 1 << 30)
    (block,) = _blocks(1)
    writer.add(block, "s01", 10, {})
    blobs.seek(0)
    blobs.truncate()
    writer.discard()
    writer.close()
    assert blobs.getvalue() == b""
    again: dict[str, object] = {}
    writer.add(block, "s01", 10, again)
    writer.close()
    assert again["blob_offset"] == 0
    part = Part(0, len(blobs.getvalue()), sha256_bytes(blobs.getvalue()), 1)
    assert (again["part_bytes"], again["part_sha256"]) == (part.num_bytes, part.sha256)
    path = tmp_path / "blobs"
    path.write_bytes(blobs.getvalue())
    with path.open("rb") as stream:
        assert PartReader(stream, part).block(0).equals(block)
