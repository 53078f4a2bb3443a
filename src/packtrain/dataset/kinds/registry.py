"""The kinds of samples, one record each: which files, which recipe fields, which measures, and who reads them.

Nothing heavy is imported here: the walk asks for suffixes, the recipe for fields, and only a worker that reads a source
of a kind imports that kind's reader. docs/how-to/add-a-kind.md goes through a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.units import KIB, MIB


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
        file_cost_bytes: what a file of it costs beside its bytes (open, first seek, decoder set-up, and of clips the
            many frames in few bytes), as bytes read in the same time from a disk.
        plural: what shards and cards call a number of them.
        shard_form: "tar" for samples that are files; "parquet" for blocks of tables, of which each group has its own.
        near_method: how samples are compared where near-duplicates are wanted and the recipe does not say how; "" for a
            kind whose samples nobody can compare.
    """

    kind: Kind
    version: int
    suffixes: tuple[str, ...]
    recipe_fields: tuple[str, ...]
    reader: str
    measures: Mapping[str, str]
    near_method: str
    plural: str
    shard_form: Literal["tar", "parquet"] = "tar"
    file_cost_bytes: int = 128 * KIB


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
            plural="tables",
            shard_form="parquet",
        ),
        KindSpec(
            kind="image",
            version=2,
            suffixes=(
                *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "mpo", "webp", "gif", "bmp", "dib", "tif", "tiff"),
                *("ppm", "pgm", "pbm", "pnm", "pfm", "jp2", "j2k", "jpf", "jpx", "avif", "ico", "cur", "icns", "psd"),
                *("qoi", "dds", "blp", "tga", "icb", "vda", "vst", "sgi", "rgb", "rgba", "bw", "fli", "flc", "pcx"),
                *("dcx", "msp", "ras", "xbm", "xpm"),
            ),
            recipe_fields=("image_crop_pixels", "image_resize_pixels", "image_encode", "image_quality"),
            reader="packtrain.dataset.kinds.images:pieces_of_image",
            measures={
                "width_pixels": "width of the source's picture, upright, in pixels",
                "height_pixels": "height of the source's picture, upright, in pixels",
                "aspect": "width of the source's picture over its height",
                "bytes": "length of the source file in bytes",
                "frames": "frames of an animation, or pages of a file of several; 1 of other pictures",
                "brightness": "mean of the sample's grey levels, 0 (black) to 1 (white)",
                "contrast": "standard deviation of the sample's grey levels, 0 (flat) to 0.5 (half black, half white)",
                "sharpness": "variance of the Laplacian of the sample's 8-bit grey levels, its longer side brought to "
                "at most 256 pixels: 0 is flat, below some 50 is mostly out of focus",
                "saturation": "mean difference of the largest and the smallest of red, green and blue, 0 (grey) to 1",
            },
            near_method="pdq",
            plural="images",
        ),
        KindSpec(
            kind="clip",
            version=2,
            suffixes=(
                *("mp4", "m4v", "mov", "qt", "mj2", "mkv", "webm", "avi", "mpg", "mpeg", "m2v", "vob", "ogv", "ogg"),
                *("mts", "m2ts", "m2t", "flv", "f4v", "wmv", "asf", "3gp", "3g2", "mxf", "nut", "ivf", "dv", "y4m"),
            ),
            recipe_fields=("clip_frames", "clip_size_pixels", "clip_keep_until_damage"),
            reader="packtrain.dataset.kinds.clips:pieces_of_clip",
            measures={
                "width_pixels": "width of the source's frames in pixels, as they are stored",
                "height_pixels": "height of the source's frames in pixels, as they are stored",
                "seconds": "length of the sample in seconds, from its first frame to the end of its last",
                "frames": "number of frames in the sample",
                "frames_per_second": "frames of the sample over its seconds; not measured where it has no length",
                "bytes": "length of the source file in bytes",
                "brightness": "mean of the grey levels of eight frames of the sample, 0 (black) to 1 (white)",
                "motion": "mean change of grey levels from one of these to the next, 0 to 1; not of one frame",
            },
            near_method="pdq",
            plural="clips",
            file_cost_bytes=2 * MIB,
        ),
    )
}
KIND_NAMES: Final[tuple[Kind, ...]] = tuple(KINDS)
"""In the order in which they are counted, and stand in sources.parquet; the index goes by their names."""
KIND_OF_SUFFIX: Final[Mapping[str, Kind]] = {suffix: kind for kind, spec in KINDS.items() for suffix in spec.suffixes}


def near_method(recipe: RecipeSection, kind: Kind) -> str | None:
    """Return how samples of a kind are compared under this recipe ("pdq", "phash", "minhash"), or None if not at all.

    Where the recipe does not say, they are compared if it drops near-duplicates or holds samples back: a validation
    set with near-copies of what was trained on proves nothing.
    """
    asked = getattr(recipe.near_duplicates, kind, None)
    if asked is not None:
        return None if asked == "off" else asked
    wanted = recipe.near_duplicates.drop or recipe.splits.validation > 0 or recipe.splits.test > 0
    return (KINDS[kind].near_method or None) if wanted else None
