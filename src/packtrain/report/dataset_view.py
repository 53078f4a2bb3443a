"""The facts of a dataset card: how many samples of what kind, what was left out, and under which licences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from packtrain.documents.dataset import Dataset

_PAPERS: Final = "papers/"


@dataclass(frozen=True, slots=True)
class KindView:
    """One kind of sample. `bytes` are those of its shards."""

    kind: str
    samples: int
    bytes: int
    shards: int
    duplicates: int
    filtered: int
    set_aside: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A data set.

    Attributes:
        papers: names of the licences and credits that came with the sources; none: not stated.
        samples_loaded: what the site has of it; None where no load is recorded here.
    """

    name: str
    samples: int
    bytes: int
    sources: int
    source_bytes: int
    kinds: tuple[KindView, ...]
    papers: tuple[str, ...]
    samples_loaded: int | None


def dataset_view(dataset: Dataset, samples_loaded: int | None) -> DatasetView:
    """Return the facts of a data set."""
    kinds = tuple(
        KindView(
            kind=count.kind,
            samples=count.num_samples,
            bytes=sum(shard.bytes for shard in dataset.shards if shard.kind == count.kind),
            shards=sum(shard.kind == count.kind for shard in dataset.shards),
            duplicates=count.num_duplicates + count.num_near_duplicates,
            filtered=count.num_filtered,
            set_aside=count.num_rejects,
            withdrawn=count.num_withdrawn,
        )
        for count in dataset.counts
    )
    return DatasetView(
        name=dataset.name,
        samples=dataset.num_samples,
        bytes=sum(shard.bytes for shard in dataset.shards),
        sources=dataset.num_sources,
        source_bytes=dataset.source_bytes,
        kinds=kinds,
        papers=tuple(file.name.removeprefix(_PAPERS) for file in dataset.files if file.name.startswith(_PAPERS)),
        samples_loaded=samples_loaded,
    )
