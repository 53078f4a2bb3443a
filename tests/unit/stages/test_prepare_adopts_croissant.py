"""A croissant.json in the source folder says which files are shards, and what their digests are."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.adopt.croissant import read_card
from packtrain.digest import sha256_file
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import SourceUnreadable, TooManyRejects
from packtrain.stages.prepare import prepare
from packtrain.training.loader import SampleStore
from shard_parts import adopting_folder, rows_of, samples, stamp, tar_of
from source_parts import clip, csv_text, ignore, jpeg, voyage_folder


def write_card(root: Path, distribution: list[dict[str, Any]]) -> None:
    card = {"@type": "sc:Dataset", "name": "x", "license": "CC0", "distribution": distribution}
    (root / "croissant.json").write_text(json.dumps(card))


def file_object(root: Path, name: str, **more: Any) -> dict[str, Any]:
    said = {"@type": "cr:FileObject", "@id": name, "contentUrl": name, "sha256": sha256_file(root / name)}
    return {**said, **more}


def described(root: Path) -> Path:
    root.mkdir()
    (root / "named.tar").write_bytes(tar_of(samples(3, 1)))
    (root / "other.tar").write_bytes(tar_of(samples(3, 2)))
    (root / "deep").mkdir()
    (root / "deep" / "x.parquet").parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"x": [1, 2, 3]}), root / "deep" / "x.parquet")
    (root / "table.csv").write_bytes(csv_text(3))
    (root / "LICENSE").write_bytes(b"CC0\n")
    write_card(
        root,
        [
            file_object(root, "named.tar"),
            file_object(root, "table.csv"),
            {"@type": "cr:FileSet", "@id": "sets", "includes": "**/*.parquet"},
            {"@type": "cr:FileSet", "@id": "inner", "containedIn": {"@id": "named.tar"}, "includes": "*.tar"},
        ],
    )
    return root


def test_the_description_says_which_files_are_adopted(tmp_path: Path) -> None:
    root = described(tmp_path / "set")
    before = stamp(root)
    folder = adopting_folder(tmp_path / "voyage", root, "croissant")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(root) == before
    dataset = folder.read(Dataset)
    assert [(s.name, s.kind, s.num_samples) for s in dataset.shards] == [
        ("shards/set/deep/x.parquet", "table", 1),
        ("shards/set/named.tar", "image", 3),
    ]
    reasons = {row["path"]: row["error"] for row in rows_of(folder.work / "dataset" / "rejects.parquet")}
    assert set(reasons) == {"set/other.tar", "set/table.csv"}
    assert "does not name it" in reasons["set/other.tar"]
    assert 'form = "files"' in reasons["set/table.csv"]
    papers = [file.name for file in dataset.files if file.name.startswith("papers/")]
    assert any("croissant" in name for name in papers)
    assert any("license" in name for name in papers)


def test_shards_of_a_kind_that_is_left_out_are_no_rejects(tmp_path: Path) -> None:
    root = described(tmp_path / "set")
    folder = adopting_folder(tmp_path / "voyage", root, "croissant", 'kinds = ["image"]')
    prepare(folder, ProcessMapper(0), ignore)
    assert [shard.name for shard in folder.read(Dataset).shards] == ["shards/set/named.tar"]
    rejects = {row["path"] for row in rows_of(folder.work / "dataset" / "rejects.parquet")}
    assert rejects == {"set/other.tar", "set/table.csv"}


def test_a_shard_with_another_digest_than_the_description_says_is_set_aside(tmp_path: Path) -> None:
    root = described(tmp_path / "set")
    (root / "named.tar").write_bytes(tar_of(samples(3, 8)))
    with pytest.raises(TooManyRejects, match="its description says"):
        prepare(adopting_folder(tmp_path / "voyage", root, "croissant"), ProcessMapper(0), ignore)


def test_a_file_that_is_only_an_address_is_refused(tmp_path: Path) -> None:
    root = described(tmp_path / "set")
    far = {"@type": "cr:FileObject", "@id": "far", "contentUrl": "https://example.org/x.tar"}
    write_card(root, [file_object(root, "named.tar"), far])
    with pytest.raises(SourceUnreadable, match="not here") as caught:
        prepare(adopting_folder(tmp_path / "voyage", root, "croissant"), ProcessMapper(0), ignore)
    assert "nothing is downloaded" in str(caught.value.hint)


def test_what_a_description_names_must_be_there(tmp_path: Path) -> None:
    root = described(tmp_path / "set")
    (root / "named.tar").unlink()
    with pytest.raises(SourceUnreadable, match="are not there"):
        prepare(adopting_folder(tmp_path / "voyage", root, "croissant"), ProcessMapper(0), ignore)
    (root / "croissant.json").unlink()
    with pytest.raises(SourceUnreadable, match=r"no readable croissant\.json"):
        prepare(adopting_folder(tmp_path / "voyage", root, "croissant"), ProcessMapper(0), ignore)


def test_our_own_data_set_is_adopted_with_its_sides_and_kinds(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(12):
        (raw / f"{number}.jpg").write_bytes(jpeg(64, 48, number))
        (raw / f"{number}.csv").write_bytes(csv_text(4, number))
    (raw / "a.mp4").write_bytes(clip(8))
    (raw / "LICENSE").write_bytes(b"CC0\n")
    first = voyage_folder(tmp_path / "first", raw, "clip_frames = 4\n\n[prepare.splits]\nvalidation = 0.4")
    prepare(first, ProcessMapper(0), ignore)
    made = first.work / "dataset"
    before = stamp(made)
    folder = adopting_folder(tmp_path / "voyage", made, "croissant")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(made) == before

    def told(path: Path) -> list[tuple[str, str, str]]:
        return sorted((row["kind"], row["split"], row["sha256"]) for row in rows_of(path / "index.parquet"))

    assert told(folder.work / "dataset") == told(made)
    assert {shard.sha256 for shard in folder.read(Dataset).shards} == {s.sha256 for s in first.read(Dataset).shards}
    store = SampleStore(folder.work / "dataset" / "miniature")
    assert {store[row].kind for row in range(len(store))} == {"image", "clip", "table"}
    image = next(row for row in range(len(store)) if store[row].kind == "image")
    assert msgspec.json.decode(store.member(store[image], "json"))["kind"] == "image"
    assert not rows_of(folder.work / "dataset" / "rejects.parquet")


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b"[" * 100_000,
        b'{"distribution": []}',
        b'{"distribution": [{"@type": "cr:FileObject", "contentUrl": "../x.tar"}]}',
        b'{"distribution": [{"@type": "cr:FileObject", "contentUrl": "/etc/passwd"}]}',
        b'{"distribution": [{"@type": "cr:FileObject", "contentUrl": "file:///x.tar"}]}',
        b'{"distribution": [{"@type": "cr:FileSet", "includes": "' + b"**/" * 300 + b'"}]}',
        b'{"distribution": [{"@type": "cr:FileObject"}]}',
        b"\xff\xfe",
        b"[]",
    ],
)
def test_descriptions_that_cannot_be_followed_are_refused(payload: bytes) -> None:
    with pytest.raises(SourceUnreadable):
        read_card(payload, "croissant.json")


def test_a_repository_that_was_cloned_is_this_folder() -> None:
    card = read_card(
        json.dumps(
            {
                "distribution": [
                    {
                        "@type": "cr:FileObject",
                        "@id": "repo",
                        "contentUrl": "https://example.org/repo",
                        "encodingFormat": "git+https",
                    },
                    {
                        "@type": "cr:FileSet",
                        "@id": "rows",
                        "containedIn": {"@id": "repo"},
                        "includes": "*/train/*.parquet",
                        "excludes": "*/train/9.parquet",
                    },
                ]
            }
        ).encode(),
        "croissant.json",
    )
    assert card.names("default/train/0.parquet")
    assert not card.names("default/train/9.parquet")
    assert not card.names("default/train/deep/0.parquet")
