"""The samples of a data set folder, by row of its index. It needs no torch.

It hands out bytes; what they mean is the program's business.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.digest import sha256_bytes, sha256_stream
from packtrain.errors import IntegrityError, SourceUnreadable
from packtrain.training.index_columns import IndexColumns
from packtrain.training.object_shards import LARGEST_ANNOUNCED_BYTES, Objects, ObjectShards, objects_of
from packtrain.training.shards import OpenShards

INDEX_NAME: Final = "index.parquet"
_COLUMNS: Final = ("key", "kind", "shard", "offset", "length", "sha256", "detail")
_MOST_AHEAD_BYTES: Final = LARGEST_ANNOUNCED_BYTES  # of one sample; what follows, the kernel reads ahead by itself
_PARQUET_SUFFIX: Final = ".parquet"


class Sample:
    """One training example, as bytes.

    Attributes:
        key: its name in the index.
        kind: "table", "image" or "clip".
        payload: an image's or clip's file; of a table, rows as CSV with a header line.
        shard: the file that holds it.
    """

    __slots__ = ("_detail", "key", "kind", "payload", "shard")

    def __init__(self, key: str, kind: str, payload: bytes, detail: str | dict[str, Any], shard: str = "") -> None:
        self.key = key
        self.kind = kind
        self.payload = payload
        self.shard = shard
        self._detail = detail

    @property
    def detail(self) -> dict[str, Any]:
        """What `prepare` knows about it (names of columns, frames, sizes). Read from JSON when it is first asked for.

        Raises:
            IntegrityError: the index holds something that is no JSON object.
        """
        if not isinstance(self._detail, dict):
            try:
                found = json.loads(self._detail) if self._detail else {}
            except (ValueError, RecursionError) as error:
                raise IntegrityError("detail in the index is no JSON", where=f"sample {self.key}") from error
            self._detail = found if isinstance(found, dict) else {}
        return self._detail

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same example, in all that is known of it."""
        if not isinstance(other, Sample):
            return NotImplemented
        return (self.key, self.kind, self.shard, self.payload, self.detail) == (
            other.key,
            other.kind,
            other.shard,
            other.payload,
            other.detail,
        )

    def __hash__(self) -> int:
        """Return the same number for the same place of a data set."""
        return hash((self.key, self.kind, self.shard))

    def __repr__(self) -> str:
        """Return what it is, without its bytes."""
        return f"Sample({self.key!r}, {self.kind!r}, {len(self.payload)} bytes, {self.shard!r})"


class SampleStore:
    """Random access to the samples of a data set folder, by row of its index.

    Safe to use in several processes after a fork: files are opened by the process that reads, and read at offsets.

    Args:
        root: the folder that holds index.parquet and the shards, or s3://BUCKET/PREFIX: samples are then read by
            ranges, some ahead, from the server that AWS's own settings name (AWS_ENDPOINT_URL_S3, the profile).
        check_digests: hold every media member against the index's SHA-256 (about 1 GB/s a core). Rows of tables are
            guarded by the page checksums of Parquet where the shard has them.
        split: only the samples of this side ("train", "validation", "test"): rows, and so positions, are counted within
            it. None takes all. An index without sides is all "train".

    Raises:
        SourceUnreadable: there is no index, or it lacks a column or fields of one.
        StoreUnreachable: object storage does not answer.
        IntegrityError: the index in object storage is not the one that was loaded, where `train` started this process.
    """

    def __init__(self, root: Path | str, *, check_digests: bool = True, split: str | None = None) -> None:
        # A program has its arguments as text.
        self._objects = objects = objects_of(str(root))
        self.root = root = Path(root)
        self._check_digests = check_digests
        path = root / INDEX_NAME
        try:
            # Opened once: what is counted by its rows is the file whose digest is kept.
            with contextlib.ExitStack() as open_files:
                if objects is None:
                    stream = open_files.enter_context(pa.OSFile(str(path)))
                    self.index_digest, _ = sha256_stream(stream)
                else:
                    payload, self.index_digest = objects.read_index(INDEX_NAME)
                    stream = pa.BufferReader(payload)
                names = pq.read_schema(stream).names
                if missing := sorted(set(_COLUMNS) - set(names)):
                    raise SourceUnreadable("index lacks columns", where=str(path), found=f"no {', '.join(missing)}")
                if (by_side := is_by_side(split, names)) and "split" not in names:
                    raise SourceUnreadable(
                        "index has no sides: all of it is for training",
                        where=str(path),
                        expected=f'samples of the side "{split}"',
                        hint="[prepare.splits] in voyage.toml sets samples aside, before they are packed",
                    )
                only = [("split", "=", split)] if by_side else None
                table = pq.read_table(stream, columns=list(_COLUMNS), filters=only, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceUnreadable(f"index cannot be read: {error}", where=str(path)) from error
        if empty := [name for name in _COLUMNS if table.column(name).null_count]:
            raise SourceUnreadable("index has empty fields", where=str(path), found=f"null in {', '.join(empty)}")
        self._columns = IndexColumns(table)
        self._shards = _open_shards(root, objects)

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._columns.offset)

    def __getitem__(self, row: int) -> Sample:
        """Return the sample in this row of the index.

        Raises:
            IntegrityError: the shard is missing, shorter than the index says, or holds other bytes.
        """
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[Sample]:
        """Return the samples in these rows; the medium is asked for all of them before the first is read.

        torch's DataLoader calls it for a batch. A disk that is asked for 32 places at once serves them in the order
        that suits it, and a solid-state one side by side.
        """
        self.announce(rows)
        payloads: list[bytes] = []
        for row, shard, offset, length, digest in self._columns.places(rows):
            try:
                if shard.endswith(_PARQUET_SUFFIX):
                    payload = self._shards.rows(shard, offset, length)
                else:
                    payload = self._shards.read(shard, offset, length)
                    self._check(payload, digest)
            except IntegrityError as error:
                raise self._named(error, row) from error
            payloads.append(payload)
        return self.samples(rows, payloads)

    def announce(self, rows: Sequence[int]) -> None:
        """Tell the medium which samples will be read soon."""
        for _, shard, offset, length, _ in self._columns.places(rows):
            if not shard.endswith(_PARQUET_SUFFIX) and min(offset, length) >= 0:
                # Advice: what cannot be opened or read is told when it is read.
                with contextlib.suppress(OSError, OverflowError, IntegrityError):
                    self._shards.announce(shard, offset, min(length, _MOST_AHEAD_BYTES))

    def read_into(self, rows: Sequence[int], target: memoryview) -> list[int] | None:
        """Put the payloads of these rows one after the other into `target`; return where each ends.

        What `__getitems__` reads and checks, without an object for each: `samples` makes them of it, in this process or
        in another. None where they do not fit; `target` may then have been written to. Announce them before.
        """
        ends: list[int] = []
        end = 0
        for row, shard, offset, length, digest in self._columns.places(rows):
            first = end
            try:
                if shard.endswith(_PARQUET_SUFFIX):
                    payload = self._shards.rows(shard, offset, length)
                    end += len(payload)
                    if end > len(target):
                        return None
                    target[first:end] = payload
                else:
                    end += max(length, 0)
                    if end > len(target):
                        return None
                    self._shards.read_into(shard, offset, target[first:end])
                    self._check(target[first:end], digest)
            except IntegrityError as error:
                raise self._named(error, row) from error
            ends.append(end)
        return ends

    def samples(self, rows: Sequence[int], payloads: Sequence[bytes]) -> list[Sample]:
        """Return the samples in these rows, whose payloads were read already."""
        return [
            Sample(key, kind, payload, detail, shard)
            for (key, kind, shard, detail), payload in zip(self._columns.about(rows), payloads, strict=True)
        ]

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
        return self._shards.read(sample.shard, place[0], place[1])

    def sample_digests(self) -> list[str]:
        """Return the SHA-256 of every sample, in index order."""
        return self._columns.digest.of(range(len(self)))

    def runs(self) -> tuple[int, ...]:
        """Return the lengths of the runs of rows that lie in one shard, in index order."""
        codes = self._columns.shard_codes
        starts = np.flatnonzero(np.diff(codes)) + 1 if len(codes) else np.array([], dtype=np.int64)
        edges = [0, *starts.tolist(), len(codes)]
        return tuple(end - start for start, end in itertools.pairwise(edges)) if len(codes) else ()

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: another process opens its own."""
        return {**self.__dict__, "_shards": _open_shards(self.root, self._objects)}

    def _check(self, payload: bytes | memoryview, digest: str) -> None:
        if self._check_digests and (found := sha256_bytes(payload)) != digest:
            raise IntegrityError(
                "sample differs from the index",
                expected=digest[:12],
                found=found[:12],
                hint='the store changed after loading: run "packtrain load" again',
            )

    def _named(self, error: IntegrityError, row: int) -> IntegrityError:
        ((key, _, shard, _),) = self._columns.about([row])
        where = f"{shard[:200]}, sample {key}"
        return IntegrityError(error.what, where=where, expected=error.expected, found=error.found, hint=error.hint)


def _open_shards(root: Path, objects: Objects | None) -> OpenShards | ObjectShards:
    return OpenShards(root) if objects is None else ObjectShards(objects)


def is_by_side(split: str | None, columns: Collection[str]) -> bool:
    """Return whether rows of an index are taken by their side: one without sides is all "train"."""
    return split is not None and (split != "train" or "split" in columns)
