"""What the test of `prepare` at full size runs, in a process of its own, so that its memory is its own.

    python tests/full_size_prepare.py COUNT FOLDER    so many generated sources: list, slices, selection, layout

Prints one JSON object as `full_size_jobs.py` does. Only the size is real: no source has bytes, and what reading them
would have found is made up, one sample each. One in ten is a copy of another, one in ten is dropped by a filter.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from full_size_jobs import Steps
from packtrain.dataset.index import INDEX_SCHEMA, SAMPLE_SCHEMA
from packtrain.dataset.rows import row_writer
from packtrain.dataset.selection import Selection
from packtrain.dataset.shards import ShardLayout, lay_out
from packtrain.dataset.sources import OddEntry, SourceFile, Sources
from packtrain.dataset.survey import survey
from packtrain.dataset.work_units import UnitName, slice_sources, slice_target_bytes
from packtrain.documents.recipe import FilterSection, RecipeSection, SplitsSection

ROWS = 100_000
RECIPE = RecipeSection(
    filter=(FilterSection(kind="image", measure="width_pixels", min=100),), splits=SplitsSection(validation=0.01)
)


class GeneratedSources(Sources):
    """So many pictures of a few KiB in folders of 1,000."""

    def __init__(self, count: int) -> None:
        self._count = count

    def walk(self) -> Iterator[SourceFile | OddEntry]:
        """Yield the files in the order of their names; one in a thousand is no picture."""
        for number in range(self._count):
            suffix = "dat" if number % 1000 == 999 else "png"
            name = f"raw/{number // 1000:05d}/{number:08d}.{suffix}"
            yield SourceFile(name, 1 + number % 6143, 10**18 + number)


def prepare(count: int, folder: Path) -> Steps:
    """Go from the walk to the layout of shards."""
    steps = Steps()
    seen = survey(GeneratedSources(count), ("image",), folder)
    steps.end("list of sources")
    target = slice_target_bytes(seen.total_bytes, seen.num_files)
    units: list[UnitName] = [unit.name for unit in slice_sources(seen.files(), RECIPE, target)]
    assert sum(unit.num_files for unit in units) == seen.num_files == count - seen.num_unread
    steps.end("slices")
    files = list(_samples(count, folder))
    steps.end("samples made up")
    with Selection(files, folder / "spill", RECIPE) as selection:
        selection.settle()
        kept = sum(each.num_samples for each in selection.splits())
        dropped = sum(each.num_samples for each in selection.drops())
        assert kept + dropped == count
        steps.end("selection")
        num_shards = 0
        with row_writer(folder / "index.parquet", INDEX_SCHEMA) as index:
            for found in lay_out(selection.kept(), 1 << 30, "r" * 64, in_splits=True):
                if isinstance(found, ShardLayout):
                    num_shards += 1
                else:
                    index.add(found)
        assert index.num_rows == kept
        steps.end("index and layout")
    steps.found["counts"] = {"sources": count, "units": len(units), "kept": kept, "shards": num_shards}
    return steps


def _samples(count: int, folder: Path) -> Iterator[Path]:
    """Write tables of samples as units leave them, and yield their paths."""
    for first in range(0, count, ROWS):
        numbers = range(first, min(first + ROWS, count))
        names = [f"{number:08d}" for number in numbers]
        # One in ten has the digest of another one, which lies far away.
        digests = [f"{(number * 7919) % count if number % 10 == 0 else number:064x}" for number in numbers]
        columns = {
            "key": names,
            "kind": ["image"] * len(names),
            "source": [f"raw/{number // 1000:05d}/{number:08d}.png" for number in numbers],
            "source_sha256": digests,
            "sha256": digests,
            "suffix": ["png"] * len(names),
            "table": [""] * len(names),
            "num_rows": [0] * len(names),
            "unit": ["u" * 64] * len(names),
            "blob_offset": [-1] * len(names),
            "blob_bytes": [1 + number % 6143 for number in numbers],
            "part_bytes": [0] * len(names),
            "part_sha256": [""] * len(names),
            "part_blocks": [0] * len(names),
            "row_group": [0] * len(names),
            "detail": ['{"format":"png"}'] * len(names),
            "measures": [[("width_pixels", 90.0 if number % 10 == 1 else 640.0)] for number in numbers],
            "fingerprint": [b""] * len(names),
            "withdrawn": [False] * len(names),
        }
        path = folder / f"{first:09d}.samples.parquet"
        pq.write_table(pa.table(columns, schema=SAMPLE_SCHEMA), path)
        yield path


if __name__ == "__main__":
    size, where = sys.argv[1:]
    print(json.dumps(prepare(int(size), Path(where)).found))
