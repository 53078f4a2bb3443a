import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from packtrain.dataset.shards import ShardLayout, WriteJob, finished, lay_out, tar_header, write_shard
from packtrain.dataset.sources import Sources
from packtrain.dataset.work_units import UnitFolder
from packtrain.digest import sha256_bytes
from packtrain.errors import IntegrityError, SourceChanged


def _row(key: str, payload: bytes, offset: int, kind: str = "image", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "source": "raw/a.png",
        "source_sha256": "0" * 64,
        "sha256": sha256_bytes(payload),
        "suffix": "png",
        "table": "",
        "num_rows": 0,
        "unit": "ab" * 32,
        "blob_offset": offset,
        "blob_bytes": len(payload),
        "split": "train",
        "withdrawn": False,
        "part_bytes": 0,
        "part_sha256": "",
        "part_blocks": 0,
        "row_group": 0,
        "detail": '{"box":[0,0,1,1]}',
        **more,
    }


def _job(tmp_path: Path, layout: ShardLayout, blobs: bytes) -> WriteJob:
    raw = tmp_path / "raw"
    raw.mkdir(exist_ok=True)
    (tmp_path / "voyage").mkdir(exist_ok=True)
    units = UnitFolder(tmp_path / "units")
    path = units.blobs("ab" * 32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(blobs)
    return WriteJob(layout, Sources([raw], tmp_path / "voyage"), units, tmp_path / "receipts", tmp_path / "dataset")


def _layouts(rows: list[dict[str, Any]], shard_bytes: int) -> tuple[list[dict[str, Any]], list[ShardLayout]]:
    found = list(lay_out(rows, shard_bytes, "r" * 64))
    return (
        [item for item in found if isinstance(item, dict)],
        [item for item in found if isinstance(item, ShardLayout)],
    )


PAYLOADS = [bytes([n]) * (400 * n + 1) for n in range(1, 8)]
ROWS = [_row(f"key-{i:08d}", payload, sum(len(p) for p in PAYLOADS[:i])) for i, payload in enumerate(PAYLOADS)]


@pytest.mark.parametrize("shard_bytes", [1, 5000, 1 << 20])
def test_the_index_names_the_bytes_of_every_sample(tmp_path: Path, shard_bytes: int) -> None:
    rows, layouts = _layouts(ROWS, shard_bytes)
    for layout in layouts:
        shard = write_shard(_job(tmp_path, layout, b"".join(PAYLOADS)))
        assert shard.bytes <= max(shard_bytes, 512 * 14) + 1024
    assert len(rows) == len(PAYLOADS)
    for row, payload in zip(rows, PAYLOADS, strict=True):
        whole = (tmp_path / "dataset" / row["shard"]).read_bytes()
        assert whole[row["offset"] : row["offset"] + row["length"]] == payload


def test_a_stock_tar_reader_finds_pairs_with_fixed_headers(tmp_path: Path) -> None:
    _, (layout,) = _layouts(ROWS, 1 << 20)
    write_shard(_job(tmp_path, layout, b"".join(PAYLOADS)))
    with tarfile.open(tmp_path / "dataset" / layout.name) as archive:
        members = archive.getmembers()
    assert [m.name for m in members] == [f"{row['key']}.{end}" for row in ROWS for end in ("png", "json")]
    assert {(m.mtime, m.uid, m.gid, m.mode, m.uname, m.type) for m in members} == {
        (0, 0, 0, 0o644, "", tarfile.REGTYPE)
    }


def test_our_header_is_the_one_tarfile_writes() -> None:
    info = tarfile.TarInfo("a-00000001.png")
    info.size = 123_456_789
    theirs = info.tobuf(tarfile.USTAR_FORMAT)
    # tarfile fills the device numbers of a regular file with zeros in octal; we leave them empty, as POSIX allows.
    assert tar_header(info.name, info.size)[:148] == theirs[:148]
    assert tarfile.TarInfo.frombuf(tar_header(info.name, info.size), "ascii", "strict").size == info.size


def test_a_finished_shard_is_known_by_its_layout(tmp_path: Path) -> None:
    _, (layout,) = _layouts(ROWS, 1 << 20)
    job = _job(tmp_path, layout, b"".join(PAYLOADS))
    assert finished(job) is None
    shard = write_shard(job)
    assert finished(job) == shard
    _, (other,) = _layouts(ROWS[:-1], 1 << 20)
    assert finished(_job(tmp_path, other, b"".join(PAYLOADS))) is None


def test_a_blob_that_changed_on_disk_is_an_integrity_error(tmp_path: Path) -> None:
    _, (layout,) = _layouts(ROWS, 1 << 20)
    blobs = bytearray(b"".join(PAYLOADS))
    blobs[700] ^= 1
    job = _job(tmp_path, layout, bytes(blobs))
    with pytest.raises(IntegrityError, match="changed on disk"):
        write_shard(job)
    assert not (job.dataset / layout.name).exists()


@pytest.mark.parametrize("now", [b"short", b"longer than before", b"sam3 length"])
def test_a_source_carried_as_it_is_must_be_what_was_read(tmp_path: Path, now: bytes) -> None:
    before = b"same length"
    _, (layout,) = _layouts([_row("key-00000000", before, -1)], 1 << 20)
    job = _job(tmp_path, layout, b"")
    (tmp_path / "raw" / "a.png").write_bytes(now)
    with pytest.raises(SourceChanged, match=r"a\.png"):
        write_shard(job)


def test_a_source_that_became_a_pipe_is_a_change_and_is_not_waited_for(tmp_path: Path) -> None:
    _, (layout,) = _layouts([_row("a-00000000", b"was read", -1)], 1 << 20)
    job = _job(tmp_path, layout, b"")
    os.mkfifo(tmp_path / "raw" / "a.png")
    with pytest.raises(SourceChanged):
        write_shard(job)


def test_kinds_and_tables_never_share_a_shard() -> None:
    rows = [
        _row("c-1", b"c", 0, "clip"),
        _row("i-1", b"i", 1),
        _row("t-1", b"t", 2, "table", table="one-s01", num_rows=4),
        _row("t-2", b"u", 3, "table", table="one-s01", num_rows=2),
        _row("t-3", b"v", 4, "table", table="two-s01", num_rows=4),
    ]
    index, layouts = _layouts(rows, 1 << 20)
    assert [layout.name for layout in layouts] == [
        "shards/clips-000000.tar",
        "shards/images-000000.tar",
        "shards/tables/one-s01-000000.parquet",
        "shards/tables/two-s01-000000.parquet",
    ]
    assert [(row["offset"], row["length"]) for row in index[2:]] == [(0, 4), (4, 2), (0, 4)]


def test_the_end_of_a_shard_is_two_empty_blocks(tmp_path: Path) -> None:
    _, (layout,) = _layouts(ROWS[:1], 1 << 20)
    write_shard(_job(tmp_path, layout, PAYLOADS[0]))
    assert (tmp_path / "dataset" / layout.name).read_bytes()[-1024:] == bytes(1024)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "dataset" / layout.name).read_bytes())) as archive:
        assert len(archive.getnames()) == 2
