"""[prepare] of voyage.toml: the recipe, what `prepare` makes of the sources.

The `Attributes:` of these classes are what docs/reference/voyage-toml.md says of each field.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

from packtrain.documents.codec import Part, Text
from packtrain.documents.dataset import Kind

_LARGEST: Final = 2**53 - 1
"""RFC 8785 writes no larger integer; a number of voyage.toml may end in a document."""
MeasureName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class FilterSection(Part, frozen=True, kw_only=True):
    """[[prepare.filter]]: a rule that drops samples of one kind by what was measured of them; a block for each rule.

    Every sample that a rule drops has a row in drops.parquet with the rule, the value and the limit. A sample that has
    no such measure (a clip without a frame rate) is kept.

    Attributes:
        kind: table, image or clip.
        measure: what is measured: `packtrain prepare --measures` lists them for each kind.
        min: samples with less are dropped.
        max: samples with more are dropped.
    """

    kind: Kind
    measure: MeasureName
    min: float | None = None
    max: float | None = None


class NearDuplicatesSection(Part, frozen=True, kw_only=True):
    """[prepare.near_duplicates]: samples that look alike without being the same bytes.

    Attributes:
        drop: keep one of them (the one with most pixels) and drop the others. Without it they are all kept, but never
            on two sides of a split.
        image: how images are compared: "pdq" (256 bits), "phash" (64 bits, three times as fast, finds less) or "off".
            Without it "pdq" where `drop` or [prepare.splits] asks for a comparison, else "off".
        clip: the same for clips: "pdq" of eight frames and the duration, or "off".
        table: the same for blocks of tables: "minhash" of their rows, or "off".
        image_distance: images are alike up to so many different bits; without it 31 of 256 for "pdq", 4 of 64 for
            "phash".
        clip_share: clips are alike if so many of their frames are.
        table_share: blocks are alike if they have so large a part of their cells in common.
    """

    drop: bool = False
    image: Literal["off", "pdq", "phash"] | None = None
    clip: Literal["off", "pdq"] | None = None
    table: Literal["off", "minhash"] | None = None
    image_distance: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = None
    clip_share: Annotated[float, msgspec.Meta(gt=0.5, le=1)] = 0.8
    table_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8


class SplitsSection(Part, frozen=True, kw_only=True):
    """[prepare.splits]: samples held back from training. A group of samples is on one side as a whole.

    Attributes:
        validation: share of the groups that is for validation.
        test: share of the groups that is for the test at the end.
        group_by: what must stay together: all samples of a "source" file (which is meant without it), of a "folder", or
            no more than the "sample" itself. Near-duplicates stay together in any case.
        group_pattern: instead of group_by, a regular expression (RE2) over a source's name; what its first bracket
            matches names the group, "patient-([0-9]+)". Sources it does not match are a group each.
    """

    validation: Share = 0.0
    test: Share = 0.0
    group_by: Literal["source", "folder", "sample"] | None = None
    group_pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)] | None = None


class RecipeSection(Part, frozen=True, kw_only=True):
    """[prepare]: the recipe, and where it is run. A change of any field but the last three makes `prepare` run again.

    Attributes:
        kinds: which kinds of samples to take; files of other kinds are left.
        image_resize_pixels: make each image anew: turned upright as its EXIF says, and scaled so that its longer side
            has at most so many pixels; nothing is enlarged. Of an animation or a file of several pages it is the first
            picture. Without this, image_crop_pixels and image_encode an image is one sample in its source bytes.
        image_encode: the form of images that are made anew, "jpeg", "png" (lossless, and what is taken where this is
            not said) or "webp". Given alone, images are made anew in their own size. In "jpeg", transparent parts lie
            on white.
        image_quality: of "jpeg" and "webp", 1 to 100; without it 90.
        image_crop_pixels: cut each image, after any scaling, into a grid of square crops of this side, one sample each.
        table_block_rows: rows of a table that make one sample.
        clip_frames: cut each clip into samples of so many frames (animated WebP, lossless); without it a clip is one
            sample in its source bytes.
        clip_size_pixels: scale the frames of such samples to squares of this side.
        clip_keep_until_damage: with clip_frames: of a clip that is damaged or cut, keep the samples before the damage,
            and list the rest among the rejects; without it the clip is set aside as a whole.
        filter: see [[prepare.filter]].
        near_duplicates: see [prepare.near_duplicates].
        splits: see [prepare.splits].
        shard_bytes: a shard is closed when it has reached this size.
        max_reject_rate: stop when a larger part of the inputs than this had to be set aside.
        miniature_samples: samples in the true subset that the rehearsal trains on.
        seed: decides the order of samples; the same seed and sources give the same bytes.
        adopt_check: "decode" every image and clip of adopted shards in full, which finds damage, or only "digest" them.
        scan_also_with: a second engine for the data scan, after packtrain's own detectors, which run in any case:
            "presidio", of the extra `pii`.
        engine: where the units of work are run: "local", processes of this machine; "ray", hosts of a Ray cluster
            (extra `cluster`); "slurm", job arrays. The samples are the same, byte for byte.
        ray_address: the head of the Ray cluster, HOST:PORT; without it and RAY_ADDRESS a Ray of this machine alone is
            started for the run.
        slurm_arguments: options for `sbatch`, such as "--partition=cpu" or "--time=12:00:00".
    """

    kinds: tuple[Kind, ...] = get_args(Kind)
    image_resize_pixels: Annotated[int, msgspec.Meta(ge=8, le=16_383)] | None = None
    image_encode: Literal["jpeg", "png", "webp"] | None = None
    image_quality: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    image_crop_pixels: Annotated[int, msgspec.Meta(ge=8, le=4096)] | None = None
    table_block_rows: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64
    clip_frames: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    clip_size_pixels: Annotated[int, msgspec.Meta(ge=8, le=4096)] | None = None
    clip_keep_until_damage: bool = False
    filter: Annotated[tuple[FilterSection, ...], msgspec.Meta(max_length=1000)] = ()
    near_duplicates: NearDuplicatesSection = msgspec.field(default_factory=NearDuplicatesSection)
    splits: SplitsSection = msgspec.field(default_factory=SplitsSection)
    shard_bytes: Annotated[int, msgspec.Meta(ge=4096, le=_LARGEST)] = 1 << 30
    max_reject_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    miniature_samples: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64
    seed: Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)] = 0
    adopt_check: Literal["decode", "digest"] = "decode"
    scan_also_with: Literal["presidio"] | None = None
    engine: Literal["local", "ray", "slurm"] = "local"
    ray_address: Text = ""
    slurm_arguments: tuple[Text, ...] = ()
