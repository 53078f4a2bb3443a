"""Write one data set in another format, and read it in one process without decoding.

    read_shards.py write FORMAT DATASET TARGET       FORMAT: mds or litdata; webdataset reads DATASET's own tar files
    read_shards.py read FORMAT FOLDER                packtrain, webdataset, mds or litdata

Reading prints JSON: samples a second one after the other and shuffled, each with the files thrown out of the page cache
before ("cold") and once more after ("warm"); how many samples and bytes a pass gave, and a digest over all of them that
does not depend on their order. What is timed is a whole pass over a data set that is open.
"""

from __future__ import annotations

# What the peers' environment has and the project's has not.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false, reportUntypedFunctionDecorator=false
import hashlib
import json
import os
import sys
import tarfile
import time
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

# A window of samples that WebDataset mixes within, as its own examples have it.
_WINDOW_SAMPLES: Final = 1000
_BATCH: Final = 64
_CHUNK_BYTES: Final = 32 << 20
_SEED: Final = 7
# What mosaicml-streaming imports and does not use for reading bytes from a folder; each would be hundreds of megabytes.
_EMPTY_MODULES: Final = {
    "transformers": (),
    "transformers.feature_extraction_utils": ("BatchFeature",),
    "transformers.tokenization_utils_base": ("BatchEncoding",),
    "transformers.models": (),
    "transformers.models.auto": (),
    "transformers.models.auto.tokenization_auto": ("AutoTokenizer",),
    "torchvision": (),
    "torchvision.datasets": ("VisionDataset", "CIFAR10"),
    "torchvision.transforms": (),
    "torchvision.transforms.functional": ("to_tensor",),
}

# A pass over the media of a data set, in the order of its files or shuffled.
Pass = Callable[[], Iterable[bytes]]


def main() -> None:
    """Do what the command line asks for."""
    verb, form, *folders = sys.argv[1:]
    if verb == "write":
        {"mds": write_mds, "litdata": write_litdata}[form](Path(folders[0]), Path(folders[1]))
        return
    folder = Path(folders[0])
    opened = {"packtrain": open_packtrain, "webdataset": open_webdataset, "mds": open_mds, "litdata": open_litdata}
    found: dict[str, float] = {}
    for order, is_shuffled in (("sequential", False), ("shuffled", True)):
        one_pass = opened[form](folder, is_shuffled)
        forget(folder)
        found[f"{order}_cold"] = rate(one_pass())
        found[f"{order}_warm"] = rate(one_pass())
    count, total_bytes, mixed = 0, 0, 0
    for payload in opened[form](folder, False)():
        count += 1
        total_bytes += len(payload)
        mixed ^= int.from_bytes(hashlib.sha256(payload).digest(), "big")
    print(json.dumps({"rates": found, "samples": count, "bytes": total_bytes, "digest": f"{mixed:064x}"}))


def rate(payloads: Iterable[bytes]) -> float:
    """Return samples a second of one pass."""
    count, total_bytes = 0, 0
    started = time.perf_counter()
    for payload in payloads:
        count += 1
        total_bytes += len(payload)
    return count / (time.perf_counter() - started)


def forget(folder: Path) -> None:
    """Throw the files of a folder out of the page cache; of a memory file system nothing can be thrown out."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def open_packtrain(folder: Path, is_shuffled: bool) -> Pass:
    """Return a pass by packtrain's store, digests checked; shuffled by its loader over the whole data set."""
    from packtrain.training.batches import Position
    from packtrain.training.loader import SampleStore, open_loader

    store = SampleStore(folder)
    if not is_shuffled:
        return lambda: (store[row].payload for row in range(len(store)))
    start = Position.start(index_digest=store.index_digest, seed=_SEED)

    def shuffled() -> Iterator[bytes]:
        num_batches = -(-len(store) // _BATCH)
        loader = open_loader(store, start, global_batch=_BATCH, rank=0, world_size=1, num_batches=num_batches)
        return (sample.payload for samples in loader for sample in samples)

    return shuffled


def open_webdataset(folder: Path, is_shuffled: bool) -> Pass:
    """Return a pass by WebDataset over the same tar files; shuffled: shards, then within a window."""
    from webdataset.compat import WebDataset

    urls = sorted(str(path) for path in (folder / "shards").glob("*.tar"))
    dataset: Any = WebDataset(urls, shardshuffle=len(urls) if is_shuffled else False, seed=_SEED)
    if is_shuffled:
        dataset = dataset.shuffle(_WINDOW_SAMPLES)
    return lambda: (sample["jpg"] for sample in dataset)


def open_mds(folder: Path, is_shuffled: bool) -> Pass:
    """Return a pass by mosaicml-streaming."""
    stand_in()
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    dataset: Any = StreamingDataset(local=str(folder), shuffle=is_shuffled, batch_size=_BATCH, shuffle_seed=_SEED)
    return lambda: (sample["jpg"] for sample in dataset)


def open_litdata(folder: Path, is_shuffled: bool) -> Pass:
    """Return a pass by LitData."""
    from litdata import StreamingDataset

    dataset: Any = StreamingDataset(str(folder), shuffle=is_shuffled, seed=_SEED)
    return lambda: (sample["jpg"] for sample in dataset)


def write_mds(dataset: Path, target: Path) -> None:
    """Write the samples of a prepared data set as MDS, without compression, which is its default."""
    stand_in()
    from streaming import MDSWriter

    with MDSWriter(out=str(target), columns={"jpg": "bytes", "json": "bytes"}, size_limit=_CHUNK_BYTES) as writer:
        for sample in samples(dataset):
            writer.write(sample)


def write_litdata(dataset: Path, target: Path) -> None:
    """Write the samples of a prepared data set as LitData's chunks."""
    from litdata import optimize

    optimize(
        fn=samples,
        inputs=[dataset],
        output_dir=str(target),
        chunk_bytes=_CHUNK_BYTES,
        num_workers=1,
        keep_data_ordered=True,
        verbose=False,
    )


def samples(dataset: Path) -> Iterator[dict[str, bytes]]:
    """Yield media and JSON of each sample in the tar files of a prepared data set, in their order."""
    for path in sorted((dataset / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            key, found = "", dict[str, bytes]()
            for member in tar:
                stem, _, suffix = member.name.partition(".")
                if stem != key and found:
                    yield found
                    found = {}
                stream = tar.extractfile(member)
                assert stream is not None
                key = stem
                found["json" if suffix == "json" else "jpg"] = stream.read()
            if found:
                yield found


def stand_in() -> None:
    """Put empty modules where mosaicml-streaming looks for what it does not use here."""
    for name, classes in _EMPTY_MODULES.items():
        module = types.ModuleType(name)
        module.__path__ = []
        for each in classes:
            setattr(module, each, type(each, (), {}))
        sys.modules[name] = module


if __name__ == "__main__":
    main()
