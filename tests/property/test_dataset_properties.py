"""Names, shares, slices, shards and duplicates hold for any input, not only for the ones we thought of."""

import io
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packtrain.dataset.index import SAMPLE_SCHEMA
from packtrain.dataset.kinds.animation import animated_webp
from packtrain.dataset.miniature import LEAST_OF_A_KIND, shares
from packtrain.dataset.rows import row_writer
from packtrain.dataset.selection import Selection
from packtrain.dataset.shards import ShardLayout, WriteJob, lay_out, write_shard
from packtrain.dataset.sources import SourceFile, Sources, key_prefix, name_of_text, text_of_name
from packtrain.dataset.work_units import UnitFolder, slice_sources
from packtrain.digest import sha256_bytes
from packtrain.documents.recipe import RecipeSection

UNIT = "ab" * 32


def _row(number: int, kind: str, sha256: str, size_bytes: int = 0, offset: int = 0) -> dict[str, Any]:
    return {
        "key": f"key-{number:08d}",
        "kind": kind,
        "source": f"raw/{number}",
        "source_sha256": "0" * 64,
        "sha256": sha256,
        "suffix": "bin",
        "table": "",
        "num_rows": 0,
        "unit": UNIT,
        "blob_offset": offset,
        "blob_bytes": size_bytes,
        "split": "train",
        "measures": [],
        "fingerprint": b"",
        "withdrawn": False,
        "part_bytes": 0,
        "part_sha256": "",
        "part_blocks": 0,
        "row_group": 0,
        "detail": "{}",
    }


@given(st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw and b"/" not in raw))
def test_every_raw_name_survives_as_text(raw: bytes) -> None:
    text = text_of_name(raw)
    text.encode("utf-8")
    assert name_of_text(text) == raw


@given(st.text(max_size=300))
def test_a_key_fits_a_tar_header_and_a_shard_name(name: str) -> None:
    prefix = key_prefix(name.encode("utf-8", "replace").decode())
    assert len(prefix) <= 61
    assert prefix.isascii()
    assert prefix == prefix.lower()
    assert "." not in prefix


@given(st.dictionaries(st.sampled_from(["table", "image", "clip"]), st.integers(0, 10**6)), st.integers(1, 10**4))
def test_shares_take_no_more_than_there_are_and_no_less_than_they_must(available: dict[str, int], wanted: int) -> None:
    found = shares({(kind, "train"): there for kind, there in available.items()}, wanted)
    taken = {kind: number for (kind, _), number in found.items()}
    least = {kind: min(there, LEAST_OF_A_KIND) for kind, there in available.items()}
    assert all(least[kind] <= taken[kind] <= available[kind] for kind in available)
    assert sum(taken.values()) == max(min(wanted, sum(available.values())), sum(least.values()))


@given(st.lists(st.integers(0, 5_000_000), max_size=80), st.sampled_from([1, 100_000, 1 << 20, 1 << 23]))
def test_slices_partition_the_sources_in_order(sizes: list[int], target_bytes: int) -> None:
    files = [SourceFile(f"raw/{i:04d}", size, 0) for i, size in enumerate(sizes)]
    units = list(slice_sources((("image", file) for file in files), RecipeSection(), target_bytes))
    assert [file for unit in units for file in unit.files] == files
    assert len({unit.unit_id for unit in units}) == len(units)


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=1500), min_size=1, max_size=12), st.integers(1, 8000))
def test_shards_give_back_every_sample_to_tarfile_and_to_the_index(payloads: list[bytes], shard_bytes: int) -> None:
    rows = [
        _row(i, "image", sha256_bytes(p), len(p), sum(len(q) for q in payloads[:i])) for i, p in enumerate(payloads)
    ]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "raw").mkdir()
        (root / "voyage").mkdir()
        units = UnitFolder(root / "units")
        units.blobs(UNIT).parent.mkdir(parents=True)
        units.blobs(UNIT).write_bytes(b"".join(payloads))
        sources = Sources([root / "raw"], root / "voyage")
        index: list[dict[str, Any]] = []
        members: dict[str, bytes] = {}
        for found in lay_out(rows, shard_bytes, "r" * 64):
            if not isinstance(found, ShardLayout):
                index.append(found)
                continue
            write_shard(WriteJob(found, sources, units, root / "receipts", root / "dataset"))
            with tarfile.open(root / "dataset" / found.name) as archive:
                for member in archive:
                    stream = archive.extractfile(member)
                    assert stream is not None
                    members[member.name] = stream.read()
        assert [members[f"{row['key']}.bin"] for row in rows] == payloads
        for row, payload in zip(index, payloads, strict=True):
            whole = (root / "dataset" / row["shard"]).read_bytes()
            assert whole[row["offset"] : row["offset"] + row["length"]] == payload


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["clip", "image", "table"]), st.sampled_from(["aa", "bb", "cc", "dd"]))),
    st.integers(1, 4),
)
def test_of_equal_samples_the_first_is_kept_however_they_are_spread_over_units(
    samples: list[tuple[str, str]], num_units: int
) -> None:
    rows = [_row(i, kind, digest) for i, (kind, digest) in enumerate(samples)]
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        first.setdefault((row["kind"], row["sha256"]), row["key"])
    with tempfile.TemporaryDirectory() as name:
        files: list[Path] = []
        for unit in range(num_units):
            files.append(Path(name) / f"{unit}.parquet")
            with row_writer(files[-1], SAMPLE_SCHEMA) as writer:
                for row in rows[unit::num_units]:
                    writer.add(row)
        with Selection(files, Path(name) / "spill", RecipeSection()) as selection:
            selection.settle()
            kept, dropped = list(selection.kept()), list(selection.dropped())
            counts = [*selection.splits(), *selection.drops()]
    assert [row["key"] for row in kept] == sorted(
        first.values(), key=lambda key: (next(r["kind"] for r in rows if r["key"] == key), key)
    )
    assert {row["key"]: row["kept_key"] for row in dropped} == {
        row["key"]: first[row["kind"], row["sha256"]] for row in rows if row["key"] not in first.values()
    }
    assert sum(count.num_samples for count in counts) == len(rows)


@settings(max_examples=25)
@given(st.integers(1, 20), st.integers(1, 20), st.lists(st.integers(0, 255), min_size=1, max_size=5))
def test_an_animation_keeps_every_frame_and_pixel(width: int, height: int, greys: list[int]) -> None:
    frames = [Image.new("RGB", (width, height), (grey, 255 - grey, grey // 2)) for grey in greys]
    payload = animated_webp(frames, [i / 25 for i in range(len(frames))])
    with Image.open(io.BytesIO(payload)) as animation:
        assert getattr(animation, "n_frames", 1) == len(frames)
        for number, frame in enumerate(frames):
            animation.seek(number)
            assert animation.convert("RGB").tobytes() == frame.tobytes()
