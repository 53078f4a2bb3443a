"""Whatever is withdrawn, from whatever set: nothing comes in, nothing else moves, other shards stay what they were."""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.dataset.index import DROPS, INDEX, INDEX_SCHEMA, SAMPLE_SCHEMA
from packtrain.dataset.rows import row_writer
from packtrain.dataset.selection import Selection
from packtrain.dataset.shards import ShardLayout, lay_out
from packtrain.dataset.withdrawn import settle
from packtrain.dataset.work_units import UnitFolder
from packtrain.documents.recipe import FilterSection, NearDuplicatesSection, RecipeSection, SplitsSection

pytestmark = pytest.mark.long

RECIPE = RecipeSection(
    filter=(FilterSection(kind="image", measure="width", min=3),),
    splits=SplitsSection(validation=0.3),
    near_duplicates=NearDuplicatesSection(image="off"),
)
NEAR = msgspec.structs.replace(RECIPE, near_duplicates=NearDuplicatesSection(drop=True))
# A source is a list of samples: which content it is, and how wide. Few contents, so that there are many duplicates.
SOURCES = st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), max_size=5), min_size=1, max_size=10)


def _rows(number: int, samples: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {
            "key": f"s{number:02d}-{place:08d}",
            "kind": "image",
            "source": f"raw/{number:02d}.png",
            "source_sha256": f"{number:064d}",
            "sha256": f"{content:064d}",
            "suffix": "png",
            "table": "",
            "num_rows": 0,
            "unit": f"{number:064d}",
            "blob_offset": 0,
            "part_bytes": 0,
            "part_sha256": "",
            "part_blocks": 0,
            "row_group": 0,
            "blob_bytes": 100 * (content + 1),
            "detail": f'{{"box":[{place},{content}],"width":{width}}}',
            "measures": [("height_pixels", 1.0), ("width", float(width)), ("width_pixels", float(width))],
            # Three contents look alike each: a few bits apart.
            "fingerprint": hashlib.sha256(b"%d" % (content // 3)).digest()[:-1] + bytes([content % 3]),
            "withdrawn": False,
        }
        for place, (content, width) in enumerate(samples)
    ]


def _write(path: Path, rows: Iterable[dict[str, Any]], schema: Any = SAMPLE_SCHEMA) -> Path:
    with row_writer(path, schema) as writer:
        for row in rows:
            writer.add(row)
    return path


def _prepared(
    folder: Path, files: list[Path], recipe: RecipeSection
) -> tuple[dict[str, dict[str, Any]], dict[str, str], dict[str, str]]:
    """Return the index by key, the identity of each shard, and why others are dropped."""
    with Selection(files, folder / "spill", recipe) as selection:
        selection.settle()
        layout = list(lay_out(selection.kept(), 4096, "r" * 64, in_splits=True))
        dropped = {row["key"]: row["reason"] for row in selection.dropped()}
    shards = {each.name: each.identity for each in layout if isinstance(each, ShardLayout)}
    index = {each["key"]: each for each in layout if not isinstance(each, ShardLayout)}
    return index, shards, dropped


@settings(max_examples=12, deadline=None)
@given(SOURCES, st.sampled_from([RECIPE, NEAR]), st.data())
def test_nothing_else_moves_comes_in_or_changes(
    sources: list[list[tuple[int, int]]], recipe: RecipeSection, data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.integers(0, len(sources) - 1), min_size=1))
    with tempfile.TemporaryDirectory() as name:
        folder, units = Path(name), UnitFolder(Path(name) / "units")
        files: list[Path] = []
        for number, samples in enumerate(sources):
            path = units.samples(f"{number:064d}")
            path.parent.mkdir(parents=True, exist_ok=True)
            files.append(_write(path, _rows(number, samples)))
        index, shards, dropped = _prepared(folder, files, recipe)
        _write(folder / INDEX, index.values(), INDEX_SCHEMA)

        names = frozenset(f"raw/{number:02d}.png" for number in gone)
        settle(folder / "withdrawn.parquet", names, units, folder, folder / "spill")
        assert not (folder / DROPS).exists()
        left = [path for number, path in enumerate(files) if number not in gone]
        after, shards_after, dropped_after = _prepared(folder, [*left, folder / "withdrawn.parquet"], recipe)

    contents = {f"{content:064d}" for number in gone for content, _ in sources[number]}
    expected = {key: row for key, row in index.items() if row["source"] not in names and row["sha256"] not in contents}
    # A sample goes with the withdrawn ones that equal it, unless a filter had left those out: they are no samples then.
    assert after.keys() >= expected.keys()
    assert after.keys() <= {key for key, row in index.items() if row["source"] not in names}
    assert {key: (row["shard"], row["split"]) for key, row in after.items()} == {
        key: (index[key]["shard"], index[key]["split"]) for key in after
    }
    touched = {row["shard"] for key, row in index.items() if key not in after}
    assert {name: shards_after.get(name) for name in shards if name not in touched} == {
        name: identity for name, identity in shards.items() if name not in touched
    }
    assert set(shards_after) <= set(shards)
    every = {row["key"] for number, samples in enumerate(sources) for row in _rows(number, samples)}
    assert dropped_after.keys() == every - after.keys()
    assert dropped.keys() == every - index.keys()
    assert all(reason == "withdrawn" for key, reason in dropped_after.items() if key in index)
