"""Samples from the store, in an order that survives restarts: a torch DataLoader over index.parquet.

It hands out bytes; what they mean is the program's business. torch is imported when a loader is opened and not before.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from packtrain.digest import sha256_bytes, sha256_file
from packtrain.errors import DataOrderChanged, IntegrityError, SourceUnreadable
from packtrain.training.batches import GlobalBatchSampler, Position

INDEX_NAME: Final = "index.parquet"
_COLUMNS: Final = ("key", "kind", "shard", "offset", "length", "sha256", "detail")
_MAX_OPEN_SHARDS: Final = 64
_MOST_AHEAD_BYTES: Final = 16 << 20  # of one sample; what follows, the kernel reads ahead by itself
_PARQUET_SUFFIX: Final = ".parquet"


@dataclass(frozen=True, slots=True)
class Sample:
    """One training example, as bytes.

    Attributes:
        key: its name in the index.
        kind: "table", "image" or "clip".
        payload: an image's or clip's file; of a table, rows as CSV with a header line.
        detail: what `prepare` knows about it (names of columns, frames, sizes).
        shard: the file that holds it.
    """

    key: str
    kind: str
    payload: bytes
    detail: dict[str, Any]
    shard: str = ""


class SampleStore:
    """Random access to the samples of a data set folder, by row of its index.

    Safe to use in several processes after a fork: files are opened by the process that reads, and read at offsets.

    Args:
        root: the folder that holds index.parquet and the shards.
        check_digests: hold every media member against the index's SHA-256 (about 1 GB/s a core). Rows of tables are
            guarded by the page checksums of Parquet where the shard has them.
        split: only the samples of this side ("train", "validation", "test"): rows, and so positions, are counted within
            it. None takes all. An index without sides is all "train".

    Raises:
        SourceUnreadable: there is no index, or it lacks a column or fields of one.
    """

    def __init__(self, root: Path, *, check_digests: bool = True, split: str | None = None) -> None:
        self.root = root
        self._check_digests = check_digests
        path = root / INDEX_NAME
        try:
            self.index_digest = sha256_file(path)
            only = [("split", "=", split)] if is_by_side(split, pq.read_schema(path).names) else None
            table = pq.read_table(path, columns=list(_COLUMNS), filters=only, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceUnreadable(f"index cannot be read: {error}", where=str(path)) from error
        if missing := sorted(set(_COLUMNS) - set(table.column_names)):
            raise SourceUnreadable("index lacks columns", where=str(path), found=f"no {', '.join(missing)}")
        if empty := [name for name in _COLUMNS if table.column(name).null_count]:
            raise SourceUnreadable("index has empty fields", where=str(path), found=f"null in {', '.join(empty)}")
        self._columns = _Columns(table)
        self._paths: dict[str, Path] = {}
        self._files: _OpenShards = _OpenShards()

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._columns.offset)

    def __getitem__(self, row: int) -> Sample:
        """Return the sample in this row of the index.

        Raises:
            IntegrityError: the shard is missing, shorter than the index says, or holds other bytes.
        """
        columns = self._columns
        key, shard = str(columns.key[row].as_py()), columns.shard_of(row)
        offset, length = int(columns.offset[row]), int(columns.length[row])
        where = f"{shard}, sample {key}"
        if offset < 0 or length < 0:
            raise IntegrityError("index holds a negative offset or length", where=where)
        if shard.endswith(_PARQUET_SUFFIX):
            payload = self._rows(shard, offset, length, where)
        else:
            payload = self._bytes(shard, offset, length, where)
            if self._check_digests and (found := sha256_bytes(payload)) != columns.sha256[row].as_py():
                raise IntegrityError(
                    "sample differs from the index",
                    where=where,
                    expected=str(columns.sha256[row].as_py())[:12],
                    found=found[:12],
                    hint='the store changed after loading: run "packtrain load" again',
                )
        return Sample(key, str(columns.kind[row].as_py()), payload, _detail(columns.detail[row].as_py()), shard)

    def __getitems__(self, rows: Sequence[int]) -> list[Sample]:
        """Return the samples in these rows; the medium is asked for all of them before the first is read.

        torch's DataLoader calls it for a batch. A disk that is asked for 32 places at once serves them in the order
        that suits it, and a solid-state one side by side.
        """
        for row in rows:
            self._announce(row)
        return [self[row] for row in rows]

    def _announce(self, row: int) -> None:
        shard, offset, length = self._columns.shard_of(row), self._columns.offset[row], self._columns.length[row]
        if shard.endswith(_PARQUET_SUFFIX) or offset < 0 or length < 0:
            return  # row groups are found by the reader; what is wrong is said when it is read
        with contextlib.suppress(OSError):  # advice: what cannot be read is told when it is read
            descriptor = self._files.descriptor(self._path(shard))
            os.posix_fadvise(descriptor, int(offset), min(int(length), _MOST_AHEAD_BYTES), os.POSIX_FADV_WILLNEED)

    def member(self, sample: Sample, suffix: str) -> bytes:
        """Return another member of a sample in an adopted tar: its caption, its label.

        Its bytes have no digest of their own in the index; `load` held the whole shard against its SHA-256.

        Args:
            sample: as this store handed it out.
            suffix: what comes after the first dot of the member's name, in lower case: "txt", "seg.png".

        Raises:
            SourceUnreadable: the sample has no such member.
            IntegrityError: the shard is missing, or shorter than the index says.
        """
        where = f"{sample.shard}, sample {sample.key}"
        members = sample.detail.get("members")
        place = members.get(suffix) if isinstance(members, dict) else None
        if place is None:
            known = ", ".join(members) if isinstance(members, dict) else ""
            raise SourceUnreadable("sample has no such member", where=where, expected=known or "none", found=suffix)
        if not (isinstance(place, list) and len(place) == 2 and all(isinstance(n, int) and n >= 0 for n in place)):
            raise IntegrityError("index names no place for a member", where=where)
        return self._bytes(sample.shard, place[0], place[1], where)

    def sample_digests(self) -> list[str]:
        """Return the SHA-256 of every sample, in index order."""
        return self._columns.sha256.to_pylist()

    def runs(self) -> tuple[int, ...]:
        """Return the lengths of the runs of rows that lie in one shard, in index order."""
        codes = self._columns.shard_codes
        starts = np.flatnonzero(np.diff(codes)) + 1 if len(codes) else np.array([], dtype=np.int64)
        edges = [0, *starts.tolist(), len(codes)]
        return tuple(end - start for start, end in itertools.pairwise(edges)) if len(codes) else ()

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: another process opens its own."""
        return {**self.__dict__, "_files": _OpenShards()}

    def _bytes(self, shard: str, offset: int, length: int, where: str) -> bytes:
        descriptor = self._files.descriptor(self._path(shard))
        # Before reading: a length from the index is believed only as far as the file reaches.
        if offset + length > os.fstat(descriptor).st_size:
            raise IntegrityError("shard is shorter than the index says", where=where)
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(descriptor, length, offset)
            if not piece:
                raise IntegrityError("shard became shorter while it was read", where=where)
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _rows(self, shard: str, first_row: int, num_rows: int, where: str) -> bytes:
        try:
            reader, group_of = self._files.parquet(self._path(shard))
            group = group_of.get((first_row, num_rows))
            if group is None:
                raise IntegrityError("index names rows that are no row group of the shard", where=where)
            rows = reader.read_row_group(group, use_threads=False)
            buffer = io.BytesIO()
            pa_csv.write_csv(rows, buffer)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"table shard cannot be read: {error}", where=where) from error
        return buffer.getvalue()

    def _path(self, shard: str) -> Path:
        # Kept: checking and joining the parts of a path is a fifth of the work for a small sample (by the profiler).
        if (found := self._paths.get(shard)) is not None:
            return found
        parts = PurePosixPath(shard).parts
        if not parts or shard.startswith("/") or ".." in parts or "\0" in shard:
            raise IntegrityError("index names a shard outside the data set", where=shard[:200])
        return self._paths.setdefault(shard, self.root.joinpath(*parts))


def is_by_side(split: str | None, columns: Collection[str]) -> bool:
    """Return whether rows of an index are taken by their side: one without sides is all "train"."""
    return split is not None and (split != "train" or "split" in columns)


class _Columns:
    """The index in the form that gives one row's fields soonest: numbers as numpy arrays, each shard's name once.

    By name through a table each field of a row cost a microsecond; a sample of 50 KB is read in twenty.
    """

    def __init__(self, table: Any) -> None:
        self.key, self.kind, self.sha256, self.detail = (
            _one_chunk(table.column(name)) for name in ("key", "kind", "sha256", "detail")
        )
        self.offset, self.length = (
            _one_chunk(table.column(name).cast(pa.int64())).to_numpy(zero_copy_only=False)
            for name in ("offset", "length")
        )
        shards = _one_chunk(table.column("shard")).dictionary_encode()
        self.shard_codes = shards.indices.to_numpy(zero_copy_only=False)
        self._shards: list[str] = shards.dictionary.to_pylist()

    def shard_of(self, row: int) -> str:
        """Return the name of the shard of a row."""
        return str(self._shards[self.shard_codes[row]])


def _one_chunk(column: Any) -> Any:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


class PositionedLoader:
    """Yields the samples of each step, and knows where in the data it stands.

    Iterate it once. `position` counts what was handed out and not what was read ahead: kept in a checkpoint after the
    step, it is where the next run has to begin.

    Attributes:
        position: after the batch that was handed out last.
    """

    def __init__(self, batches: Any, position: Position, *, global_batch: int, num_samples: int) -> None:
        self._batches = batches
        self._global_batch = global_batch
        self._num_samples = num_samples
        self.position = position

    def __iter__(self) -> Iterator[list[Sample]]:
        """Yield this worker's samples of one step."""
        for samples in self._batches:
            self.position = self.position.advanced(self._global_batch, self._num_samples)
            yield samples


def open_loader(
    store: SampleStore,
    position: Position,
    *,
    global_batch: int,
    rank: int,
    world_size: int,
    num_batches: int | None = None,
    num_processes: int = 0,
) -> PositionedLoader:
    """Return a loader that begins at `position`, for this rank of `world_size`.

    Args:
        store: the samples.
        position: `Position.start(...)`, or what the checkpoint holds.
        global_batch: samples of one step over all ranks; it may change between runs.
        rank, world_size: as the launcher says; they may change between runs.
        num_batches: steps to go; None for ever.
        num_processes: torch's worker processes that read ahead; 0 reads in this one.

    Raises:
        DataOrderChanged: the position was counted in another data set's index.
    """
    from torch.utils.data import DataLoader

    if position.index_digest != store.index_digest:
        raise DataOrderChanged(
            "checkpoint belongs to another data set",
            where=str(store.root / INDEX_NAME),
            expected=f"index {position.index_digest[:12]}",
            found=f"index {store.index_digest[:12]}",
            hint="load the data set it was made with, or start with an empty checkpoint folder",
        )
    sampler = GlobalBatchSampler(
        len(store),
        global_batch,
        rank,
        world_size,
        position,
        num_batches=num_batches,
        runs=store.runs() if position.order_version == "block-1" else None,
    )
    batches = DataLoader(
        store,  # pyright: ignore[reportArgumentType] - has __getitem__, __getitems__ and __len__: all that is asked
        batch_sampler=sampler,  # pyright: ignore[reportArgumentType] - an iterable of lists, as documented
        collate_fn=_as_they_are,
        num_workers=num_processes,
    )
    return PositionedLoader(batches, position, global_batch=global_batch, num_samples=len(store))


class _OpenShards:
    """The shards that this process has open, at most `_MAX_OPEN_SHARDS` of each form."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._descriptors: OrderedDict[Path, int] = OrderedDict()
        self._tables: OrderedDict[Path, tuple[pq.ParquetFile, dict[tuple[int, int], int]]] = OrderedDict()

    def descriptor(self, path: Path) -> int:
        found = self._descriptors.pop(path, None)
        if found is None:
            try:
                found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError as error:
                raise IntegrityError(f"shard cannot be opened: {error.strerror}", where=str(path)) from error
            if len(self._descriptors) >= _MAX_OPEN_SHARDS:
                os.close(self._descriptors.popitem(last=False)[1])
        self._descriptors[path] = found
        return found

    def parquet(self, path: Path) -> tuple[pq.ParquetFile, dict[tuple[int, int], int]]:
        if self._process != os.getpid():
            # A file position is shared with the process that forked us: two readers would move it under each other.
            self._tables, self._process = OrderedDict(), os.getpid()
        found = self._tables.pop(path, None)
        if found is None:
            reader = pq.ParquetFile(path, page_checksum_verification=True)
            found = reader, _row_groups(reader)
            if len(self._tables) >= _MAX_OPEN_SHARDS:
                self._tables.popitem(last=False)[1][0].close()
        self._tables[path] = found
        return found

    def __del__(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)


def _row_groups(reader: pq.ParquetFile) -> dict[tuple[int, int], int]:
    groups: dict[tuple[int, int], int] = {}
    first = 0
    for number in range(reader.metadata.num_row_groups):
        length = reader.metadata.row_group(number).num_rows
        groups[first, length] = number
        first += length
    return groups


def _detail(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        value = json.loads(value) if value else {}
    return dict(value) if isinstance(value, dict) else {}


def _as_they_are(samples: Sequence[Sample]) -> list[Sample]:
    return list(samples)
