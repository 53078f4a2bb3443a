"""dataset.json: the prepared data set: shards, index, card, rejects, and its miniature."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Part, Sha256

Kind = Literal["table", "image", "clip"]
Split = Literal["train", "validation", "test"]
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
FileName = Annotated[str, msgspec.Meta(pattern=rf"\A{_PART}(/{_PART}){{0,4}}\Z")]
"""A name below the data set's folder; no part begins with a dot, so none leaves it."""


class DataFile(Part, frozen=True, kw_only=True):
    """One file of the data set, by its name below the data set's folder."""

    name: FileName
    bytes: Count
    sha256: Sha256


class Shard(Part, frozen=True, kw_only=True):
    """One shard: a USTAR file (images, clips) or a Parquet file (tables) of samples of one kind and split.

    Of an adopted tar, whose samples may be of two kinds, `kind` is that of most; the index says it of each. num_samples
    counts those that are in the index.
    """

    name: FileName
    kind: Kind
    split: Split
    bytes: Count
    sha256: Sha256
    num_samples: Count


class SampleCount(Part, frozen=True, kw_only=True):
    """How many samples of one kind were kept, and why others were not.

    Attributes:
        num_samples: kept, in all splits together.
        num_rejects: inputs, or parts of them, that were set aside as damaged.
        num_filtered: left out by a filter of the recipe.
        num_duplicates: the same bytes as a sample that is kept.
        num_near_duplicates: dropped for one that looks like them.
        num_withdrawn: taken out by `packtrain withdraw`.
    """

    kind: Kind
    num_samples: Count
    num_rejects: Count
    num_filtered: Count
    num_duplicates: Count
    num_near_duplicates: Count
    num_withdrawn: Count


class Dataset(Document, frozen=True, kw_only=True):
    """What `prepare` wrote.

    Attributes:
        recipe: SHA-256 of the recipe.
        sources: SHA-256 of the source manifest (path, bytes, digest of every source file).
        files: index.parquet, rejects.parquet, card, README: all but the shards.
        miniature_shards, miniature_files: the same for the stratified subset used in rehearsal; their names begin with
            miniature/, and that folder is a data set by itself.
    """

    kind = "dataset"

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    recipe: Sha256
    sources: Sha256
    num_sources: Count
    source_bytes: Count
    counts: tuple[SampleCount, ...]
    shards: tuple[Shard, ...]
    files: tuple[DataFile, ...]
    miniature_shards: tuple[Shard, ...]
    miniature_files: tuple[DataFile, ...]

    @property
    def num_samples(self) -> int:
        """Return how many samples the data set holds."""
        return sum(shard.num_samples for shard in self.shards)
