"""What lies in the sources where shards are adopted: the shards, the papers, and what is neither."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from packtrain.dataset.adopt.croissant import CROISSANT, MAX_CARD_BYTES, Card, read_card
from packtrain.dataset.adopt.row import ShardToAdopt
from packtrain.dataset.papers import FOLDER as PAPERS
from packtrain.dataset.papers import MAX_PAPER_BYTES
from packtrain.dataset.rejects import Reject
from packtrain.dataset.sources import OddEntry, SourceFile, Sources, add_to_digest, role_of, suffix_of
from packtrain.dataset.survey import MANIFEST, UNREAD, Survey
from packtrain.documents.codec import decode
from packtrain.documents.dataset import Dataset
from packtrain.errors import DocumentError, SourceUnreadable
from packtrain.units import counted

AdoptedForm = Literal["webdataset", "parquet", "croissant"]
_DATASET: Final = "dataset.json"
_MAX_DATASET_BYTES: Final = 1 << 30
_BATCH_ROWS: Final = 8192
_MOST_PAPERS: Final = 10_000
_NAMED: Final = 3
_COMPRESSED: Final = ("tgz", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "tar.lz4", "tbz2", "txz")
_SUFFIXES: Final = {"webdataset": ("tar",), "parquet": ("parquet",), "croissant": ("tar", "parquet")}


@dataclass(slots=True)
class ShardSurvey(Survey):
    """What one walk saw. manifest.parquet has the shards, and what a description says of each."""

    def shards(self) -> Iterator[ShardToAdopt]:
        """Yield each shard, in the order of the walk."""
        import pyarrow.parquet as pq

        with contextlib.closing(pq.ParquetFile(self.folder / MANIFEST)) as manifest:
            for batch in manifest.iter_batches(_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield ShardToAdopt(
                        row["path"], row["bytes"], row["mtime_ns"], row["sha256"], row["split"], row["kind"]
                    )


@dataclass(frozen=True, slots=True)
class _Described:
    """What is said of the files of one source folder, by name below it.

    Attributes:
        card: of its croissant.json; None where its own dataset.json says more.
        dataset: shards of a data set that packtrain made, by name.
        papers: its papers.
    """

    card: Card | None
    dataset: dict[str, ShardToAdopt]
    papers: frozenset[str] = frozenset()


def survey_shards(sources: Sources, form: AdoptedForm, survey: ShardSurvey) -> ShardSurvey:
    """Walk the sources once and return what was seen; see `Sources.walk` for errors.

    Args:
        sources: where to look.
        form: which shards are looked for.
        survey: an empty one, with the folder where the manifest goes.

    Raises:
        SourceUnreadable: a shard is compressed as a whole, a description cannot be used, or what it names is not there.
    """
    from packtrain.dataset.index import ADOPTED_SCHEMA, REJECT_SCHEMA
    from packtrain.dataset.rows import row_writer

    described = {label: _described(sources, label) for label in sources.labels()} if form == "croissant" else {}
    state = hashlib.sha256()
    compressed: list[str] = []
    seen: set[str] = set()
    with (
        row_writer(survey.folder / MANIFEST, ADOPTED_SCHEMA) as manifest,
        row_writer(survey.folder / UNREAD, REJECT_SCHEMA) as unread,
    ):

        def leave(name: str, reason: str, num_bytes: int) -> None:
            survey.num_unread += 1
            if len(survey.first_unread) < _NAMED:
                survey.first_unread.append(name)
            reject = Reject(path=name, sha256="", kind="", stage="walk", place="", error=reason, bytes=num_bytes)
            unread.add(msgspec.structs.asdict(reject))

        def take(shard: ShardToAdopt) -> None:
            survey.num_files += 1
            survey.total_bytes += shard.size_bytes
            manifest.add(
                {
                    "path": shard.name,
                    "bytes": shard.size_bytes,
                    "mtime_ns": shard.mtime_ns,
                    "sha256": shard.sha256,
                    "split": shard.split,
                    "kind": shard.kind,
                }
            )

        for entry in sources.walk():
            add_to_digest(state, entry)
            if isinstance(entry, OddEntry):
                leave(entry.name, entry.reason, 0)
                continue
            label, _, below = entry.name.partition("/")
            about = described.get(label)
            if about is not None:
                seen.add(entry.name)
            found = _shard(entry, form, below, about)
            if isinstance(found, ShardToAdopt):
                take(found)
            elif _is_paper(entry, below, about) and len(survey.papers) < _MOST_PAPERS:
                survey.papers.append(entry)
            elif found == "compressed":
                compressed.append(entry.name)
            elif about is None or not about.dataset:
                leave(entry.name, found, entry.size_bytes)
    _refuse_compressed(compressed)
    _refuse_missing(described, seen)
    survey.digest = state.hexdigest()
    return survey


def _shard(entry: SourceFile, form: AdoptedForm, below: str, about: _Described | None) -> ShardToAdopt | str:
    """Return the shard that a file is, or why it is none."""
    suffix = suffix_of(entry.name)
    if about is not None and about.dataset:
        said = about.dataset.get(below)
        if said is None:
            return "not a shard"
        return ShardToAdopt(entry.name, entry.size_bytes, entry.mtime_ns, said.sha256, said.split, said.kind)
    if about is not None and about.card is not None and not about.card.names(below):
        return f"{CROISSANT} does not name it"
    name = entry.name.lower()
    if name.endswith(tuple("." + each for each in _COMPRESSED)) and form != "parquet":
        return "compressed"
    if suffix not in _SUFFIXES[form]:
        return 'no shard that can be adopted: form = "files" prepares tables, images and clips'
    sha256 = about.card.files.get(below, "") if about is not None and about.card is not None else ""
    return ShardToAdopt(entry.name, entry.size_bytes, entry.mtime_ns, sha256)


def _is_paper(entry: SourceFile, below: str, about: _Described | None) -> bool:
    if entry.size_bytes > MAX_PAPER_BYTES:
        return False
    if about is not None and about.dataset:
        return below in about.papers
    return role_of(entry.name) == "paper" or (about is not None and below == CROISSANT)


def _described(sources: Sources, label: str) -> _Described:
    """Return what is said of one source folder.

    Raises:
        SourceUnreadable: there is no description, or it cannot be used.
    """
    root = sources.path_of(label)
    own = root / _DATASET
    try:
        if own.is_file() and own.stat().st_size <= _MAX_DATASET_BYTES:
            with contextlib.suppress(DocumentError):
                return _own(decode(Dataset, own.read_bytes(), str(own)))
        path = root / CROISSANT
        with path.open("rb") as stream:
            return _Described(read_card(stream.read(MAX_CARD_BYTES + 1), str(path)), {})
    except OSError as error:
        raise SourceUnreadable(
            f"source folder has no readable {CROISSANT}: {error.strerror}",
            where=str(root),
            hint='name the folder that it lies in, or adopt the shards themselves: form = "webdataset" or "parquet"',
        ) from error


def _own(dataset: Dataset) -> _Described:
    shards = {
        shard.name: ShardToAdopt(shard.name, shard.bytes, 0, shard.sha256, shard.split, shard.kind)
        for shard in dataset.shards
    }
    papers = frozenset(file.name for file in dataset.files if file.name.startswith(PAPERS + "/"))
    return _Described(None, shards, papers)


def _refuse_compressed(names: list[str]) -> None:
    if names:
        raise SourceUnreadable(
            f"compressed as a whole: {counted(len(names), 'shard')}, in which nothing has a place to be read at",
            where=", ".join(names[:_NAMED]),
            expected="tar files as they are",
            hint="unpack them once (gunzip, zstd -d): images and clips inside are compressed already",
        )


def _refuse_missing(described: dict[str, _Described], seen: set[str]) -> None:
    missing: list[str] = []
    for label, about in described.items():
        named = about.dataset or (about.card.files if about.card is not None else {})
        missing += [f"{label}/{name}" for name in named if f"{label}/{name}" not in seen]
    if missing:
        raise SourceUnreadable(
            f"{len(missing)} files that a description names are not there",
            where=", ".join(sorted(missing)[:_NAMED]),
            hint="bring them, or take them out of the description; nothing is downloaded",
        )
