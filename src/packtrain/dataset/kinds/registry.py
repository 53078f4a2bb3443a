"""The kinds of samples, one record each: which files, which recipe fields, which measures, and who reads them.

Nothing heavy is imported here: the walk asks for suffixes, the recipe for fields, and only a worker that reads a source
of a kind imports that kind's reader. docs/how-to/add-a-kind.md goes through a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What the house knows of a kind without reading one.

    Attributes:
        version: counted up when the same sources and recipe would give other samples, measures or fingerprints of this
            kind: its units are then read again, and those of other kinds are not.
        suffixes: of the files it reads, in lower case, without the dot.
        recipe_fields: fields of [prepare] that touch its samples; a change of another leaves its units alone.
        reader: "module:function"; the function takes an `OpenSource` and the recipe and yields `Piece`, `Setback` and
            `Tally`, or raises `Damaged` (see kinds/piece.py).
        measures: what a filter can ask for: name -> meaning with unit.
        near_method: how samples are compared where near-duplicates are wanted and the recipe does not say how.
    """

    kind: Kind
    version: int
    suffixes: tuple[str, ...]
    recipe_fields: tuple[str, ...]
    reader: str
    measures: Mapping[str, str]
    near_method: str


KINDS: Final[Mapping[Kind, KindSpec]] = {
    spec.kind: spec
    for spec in (
        KindSpec(
            kind="table",
            version=2,
            suffixes=(
                *("csv", "tsv", "csv.gz", "tsv.gz", "jsonl", "ndjson", "jsonl.gz", "ndjson.gz"),
                *("xlsx", "xlsm", "xls", "ods", "parquet"),
            ),
            recipe_fields=("table_block_rows",),
            reader="packtrain.dataset.kinds.tables:pieces_of_table",
            measures={
                "rows": "rows of the block",
                "columns": "columns of the table",
                "null_fraction": "share of the cells that are null or an empty text, 0 to 1",
                "text_bytes": "length of all texts, in bytes of UTF-8",
                "distinct_row_fraction": "different rows over rows, 0 to 1",
            },
            near_method="minhash",
        ),
        KindSpec(
            kind="image",
            version=1,
            suffixes=(
                *("png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "tif", "tiff"),
                *("ppm", "pgm", "pbm", "pnm", "jp2", "avif"),
            ),
            recipe_fields=("image_crop_pixels",),
            reader="packtrain.dataset.kinds.images:pieces_of_image",
            measures={},
            near_method="pdq",
        ),
        KindSpec(
            kind="clip",
            version=1,
            suffixes=(
                *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ogv", "ogg"),
                *("mts", "m2ts", "flv", "wmv", "3gp"),
            ),
            recipe_fields=("clip_frames", "clip_size_pixels"),
            reader="packtrain.dataset.kinds.clips:pieces_of_clip",
            measures={},
            near_method="pdq",
        ),
    )
}
KIND_NAMES: Final[tuple[Kind, ...]] = tuple(KINDS)
"""In the order in which they stand in index and shards."""
KIND_OF_SUFFIX: Final[Mapping[str, Kind]] = {suffix: kind for kind, spec in KINDS.items() for suffix in spec.suffixes}


def near_method(recipe: RecipeSection, kind: Kind) -> str | None:
    """Return how samples of a kind are compared under this recipe ("pdq", "phash", "minhash"), or None if not at all.

    Where the recipe does not say, they are compared if it drops near-duplicates or holds samples back: a validation
    set with near-copies of what was trained on proves nothing.
    """
    asked = getattr(recipe.near_duplicates, kind)
    if asked is not None:
        return None if asked == "off" else asked
    wanted = recipe.near_duplicates.drop or recipe.splits.validation > 0 or recipe.splits.test > 0
    return KINDS[kind].near_method if wanted else None
