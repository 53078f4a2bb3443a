"""Read one data set in batches, by one loader, and print JSON: samples and CPU seconds of each way of reading.

    read_batches.py FORMAT FOLDER SECTIONS       packtrain, packtrain-unchecked, files, webdataset, mds or litdata
    read_batches.py extract DATASET FOLDER       the media of a data set as files of their own

SECTIONS, with commas between: bytes (two processes), alone (none), decode (two processes that also decode), content.
All get batches of 32; a batch is a list of bytes, or a tensor where the processes decode. What is timed begins with
the first batch and ends with the last, so that the start of the processes is in no figure. "cold": the files were
thrown out of the page cache before. CPU seconds are those of this process and its children.
"""

from __future__ import annotations

# What the peers' environment has and the project's has not.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false
import gc
import hashlib
import importlib
import io
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.prepare.read_shards import forget, samples, stand_in

BATCH: Final = 32
NUM_PROCESSES: Final = 2
_WINDOW_SAMPLES: Final = 1000  # that WebDataset mixes within, as its own examples have it
_SEED: Final = 7
_WARM_PASSES: Final = 4
_DECODED_BATCHES: Final = 40
_SIDE_PIXELS: Final = 224
_TICKS: Final = os.sysconf("SC_CLK_TCK")

MakeBatch = Callable[[Sequence[bytes]], Any]
# folder, order, processes, what to make of a batch -> passes over the data set, one after the other
Opened = Callable[[Path, str, int, MakeBatch], Iterator[Iterable[Any]]]


def main() -> None:
    """Do what the command line asks for."""
    form, folder, asked = sys.argv[1:]
    if form == "extract":
        extract(Path(folder), Path(asked))
        return
    opened = LOADERS[form]
    orders = ("sequential", "random", "block") if form.startswith("packtrain") else ("sequential", "shuffled")
    found: dict[str, Any] = {"rates": {}, "cpu_us": {}}

    def timed(name: str, order: str, processes: int, num_passes: int, make: MakeBatch = as_bytes) -> None:
        passes = opened(Path(folder), order, processes, make)
        found["rates"][name], found["cpu_us"][name] = rate(itertools.islice(passes, num_passes))
        del passes
        gc.collect()

    if "decode" in asked:
        importlib.import_module("torch")  # here, so that not every process imports it for itself

    for section in asked.split(","):
        for order in orders:
            if section == "bytes":
                forget(Path(folder))
                timed(f"{order}_cold", order, NUM_PROCESSES, 1)
                timed(f"{order}_warm", order, NUM_PROCESSES, _WARM_PASSES)
            elif section == "alone":
                timed(f"{order}_alone", order, 0, _WARM_PASSES)
            elif section == "decode" and order != "sequential":
                timed(f"{order}_decoded", order, NUM_PROCESSES, 1, decoded)
        if section == "content":
            found |= content(next(opened(Path(folder), orders[1], NUM_PROCESSES, as_bytes)))
    print(json.dumps(found))


def rate(passes: Iterable[Iterable[Any]]) -> tuple[float, float]:
    """Return samples a second, and CPU microseconds a sample, from the first batch on."""
    count, started, cpu_started = 0, 0.0, 0.0
    for batch in itertools.chain.from_iterable(passes):
        if not started:
            started, cpu_started = time.perf_counter(), cpu_seconds()
            continue
        count += len(batch)
        if not isinstance(batch, list) and count >= _DECODED_BATCHES * BATCH:
            break
    seconds = time.perf_counter() - started
    return round(count / seconds, 1), round((cpu_seconds() - cpu_started) / count * 1e6, 2)


def content(one_pass: Iterable[list[bytes]]) -> dict[str, Any]:
    """Return how many samples and bytes a pass gives, and a digest of all that does not depend on their order."""
    count, total_bytes, mixed = 0, 0, 0
    for payload in itertools.chain.from_iterable(one_pass):
        count += 1
        total_bytes += len(payload)
        mixed ^= int.from_bytes(hashlib.sha256(payload).digest(), "big")
    return {"samples": count, "bytes": total_bytes, "digest": f"{mixed:064x}"}


def cpu_seconds() -> float:
    """Return user and system time of this process and its children that live."""
    total = sum(os.times()[:2])
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text("ascii").split():
            fields = Path(f"/proc/{child}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def as_bytes(payloads: Sequence[bytes]) -> list[bytes]:
    """Return the batch as it is."""
    return list(payloads)


def decoded(payloads: Sequence[bytes]) -> Any:
    """Return the pictures as one tensor, made small: what a program does with them, the same by every loader."""
    import numpy as np
    import torch
    from PIL import Image

    pictures: list[Any] = []
    for payload in payloads:
        with Image.open(io.BytesIO(payload)) as image:
            image.draft("RGB", (_SIDE_PIXELS, _SIDE_PIXELS))
            small = image.convert("RGB").resize((_SIDE_PIXELS, _SIDE_PIXELS))
        pictures.append(torch.from_numpy(np.array(small)))
    return torch.stack(pictures)


def packtrain(folder: Path, order: str, processes: int, make: MakeBatch, is_checked: bool = True) -> Iterator[Any]:
    """Yield passes by packtrain's loader: one loader, which goes through the data set again and again."""
    from packtrain.training.loader import Position, Sample, SampleStore, open_loader

    def make_batch(of: list[Sample]) -> Any:
        return make([sample.payload for sample in of])

    store = SampleStore(folder, check_digests=is_checked)
    start = Position.start(_SEED, store.index_digest, order)  # pyright: ignore[reportArgumentType] - one of three
    loader = open_loader(
        store,
        start,
        global_batch=BATCH,
        rank=0,
        world_size=1,
        num_processes=processes,
        # Bytes are handed out as samples, which a program gets where it makes nothing of them in the processes.
        make_batch=None if make is as_bytes else make_batch,
    )
    batches = iter(loader)
    while True:
        # Epochs have no seam: a batch may hold the end of one. The pass that began counts it.
        yield _one_pass(batches, len(store))


def _one_pass(batches: Iterator[Any], num_samples: int) -> Iterator[Any]:
    while num_samples > 0:
        batch = next(batches)
        if isinstance(batch, list):
            batch = [sample.payload for sample in batch[:num_samples]]
        num_samples -= len(batch)
        yield batch


def packtrain_unchecked(folder: Path, order: str, processes: int, make: MakeBatch) -> Iterator[Any]:
    """Yield passes by packtrain's loader that compares no digests, as the others do not."""
    return packtrain(folder, order, processes, make, is_checked=False)


def files(folder: Path, order: str, processes: int, make: MakeBatch) -> Iterator[Any]:
    """Yield passes by torch's DataLoader over a file a sample: shuffled over all of them."""
    from torch.utils.data import DataLoader

    dataset: Any = _Files(sorted(str(path) for path in folder.rglob("*.jpg")))
    loader = DataLoader(
        dataset,
        batch_size=BATCH,
        shuffle=order == "shuffled",
        collate_fn=make,
        num_workers=processes,
        persistent_workers=processes > 0,
    )
    return itertools.repeat(loader)


class _Files:
    def __init__(self, paths: list[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> bytes:
        with open(self._paths[number], "rb", buffering=0) as stream:  # noqa: PTH123 - the fastest way there is
            return stream.read()


def webdataset(folder: Path, order: str, processes: int, make: MakeBatch) -> Iterator[Any]:
    """Yield passes by WebDataset over the same tar files; shuffled: shards, then within a window."""
    from torch.utils.data import DataLoader
    from webdataset.compat import WebDataset

    urls = sorted(str(path) for path in (folder / "shards").glob("*.tar"))
    is_shuffled = order == "shuffled"
    dataset: Any = WebDataset(urls, shardshuffle=len(urls) if is_shuffled else False, seed=_SEED)
    if is_shuffled:
        dataset = dataset.shuffle(_WINDOW_SAMPLES)
    dataset = dataset.batched(BATCH, collation_fn=lambda of: make([sample["jpg"] for sample in of]))
    loader = DataLoader(dataset, batch_size=None, num_workers=processes, persistent_workers=processes > 0)
    return itertools.repeat(loader)


def mds(folder: Path, order: str, processes: int, make: MakeBatch) -> Iterator[Any]:
    """Yield passes by mosaicml-streaming's loader; shuffled: its default, shards and then blocks of samples."""
    stand_in()
    from streaming import StreamingDataLoader, StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    dataset: Any = StreamingDataset(
        local=str(folder), shuffle=order == "shuffled", batch_size=BATCH, shuffle_seed=_SEED
    )
    return _streamed(StreamingDataLoader, dataset, processes, make)


def litdata(folder: Path, order: str, processes: int, make: MakeBatch) -> Iterator[Any]:
    """Yield passes by LitData's loader; shuffled: chunks, and the samples of a chunk."""
    from litdata import StreamingDataLoader, StreamingDataset

    dataset: Any = StreamingDataset(str(folder), shuffle=order == "shuffled", seed=_SEED)
    return _streamed(StreamingDataLoader, dataset, processes, make)


def _streamed(make_loader: Any, dataset: Any, processes: int, make: MakeBatch) -> Iterator[Any]:
    loader = make_loader(
        dataset,
        batch_size=BATCH,
        num_workers=processes,
        persistent_workers=processes > 0,
        collate_fn=lambda of: make([sample["jpg"] for sample in of]),
    )
    return itertools.repeat(loader)


LOADERS: Final[dict[str, Opened]] = {
    "packtrain": packtrain,
    "packtrain-unchecked": packtrain_unchecked,
    "files": files,
    "webdataset": webdataset,
    "mds": mds,
    "litdata": litdata,
}


def extract(dataset: Path, target: Path) -> None:
    """Write the media of a prepared data set as files, at most a thousand in a folder."""
    for number, sample in enumerate(samples(dataset)):
        path = target / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample["jpg"])


if __name__ == "__main__":
    main()
