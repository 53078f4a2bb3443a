"""How small weights become, and how fast: packtrain's form beside zipnn and plain zstd, over the same bytes.

Runs where packtrain, torch, zstandard and zipnn 0.5.4 are installed, and prints one JSON document:

    python weights_job.py FOLDER [--real FILE.safetensors] [--repeats 3]

FOLDER takes the files that are made. What is measured, each as float32 and bfloat16, fresh and as a difference to a
base:

- `trained`: a transformer of 18 million numbers, trained for 40 steps; its base is itself 10 steps before;
- `normal`: normal noise, 0.02; its base lies 2e-5 beside it;
- `real`: the weights of --real, where given; its base lies 2e-5 beside it, since no earlier state of them is public.

zipnn knows no base of another file: it is given the XOR of both, or the weights themselves where that is smaller.
Rates are of the open bytes, by the clock and by processor time: the second is steadier where the machine is shared.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from packtrain.training import weights_codec
from packtrain.training.weights_codec_base import BaseWeights

DTYPES = ("float32", "bfloat16")
STEPS, BASE_STEP = 40, 30
NUM_NORMAL = 16 << 20
MOVED = 2e-5
ZSTD_LEVEL = 3


def measure(folder: Path, real: Path | None = None, repeats: int = 3) -> dict[str, Any]:
    """Return {"compression_ratio_vs_zipnn": worst of all cases or None without zipnn, "cases": [...]}."""
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, Any]] = []
    for name, states in _sources(folder, real):
        for dtype in DTYPES:
            base, weights = (_save(folder / f"{name}-{dtype}-{i}.safetensors", states[i], dtype) for i in range(2))
            cases.append({"weights": name, "dtype": dtype, "delta": False, **_case(weights, None, dtype, repeats)})
            cases.append({"weights": name, "dtype": dtype, "delta": True, **_case(weights, base, dtype, repeats)})
    compared = [case["packtrain"]["ratio"] / case["zipnn"]["ratio"] for case in cases if case["zipnn"] is not None]
    return {"compression_ratio_vs_zipnn": round(max(compared), 4) if compared else None, "cases": cases}


def _sources(folder: Path, real: Path | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    import torch

    yield "trained", _trained()
    draw = torch.Generator().manual_seed(1)
    start = 0.02 * torch.randn(NUM_NORMAL, generator=draw)
    yield "normal", [{"w": start}, {"w": start + MOVED * torch.randn(NUM_NORMAL, generator=draw)}]
    if real is not None:
        from safetensors.torch import load_file

        state = {name: tensor.float() for name, tensor in load_file(real).items() if tensor.is_floating_point()}
        moved = {name: tensor + MOVED * torch.randn(tensor.shape, generator=draw) for name, tensor in state.items()}
        # The real one is what is compressed; the other stands for what was sent before.
        yield "real", [moved, state]


def _trained() -> list[dict[str, Any]]:
    """Return the weights of a small transformer after `BASE_STEP` and after `STEPS` steps."""
    import torch

    torch.manual_seed(0)
    width, words, length = 512, 2048, 32
    layer = torch.nn.TransformerEncoderLayer(width, 8, 4 * width, dropout=0.0, batch_first=True)
    model = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(words, width),
            "layers": torch.nn.TransformerEncoder(layer, 5, enable_nested_tensor=False),
            "head": torch.nn.Linear(width, words),
        }
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(length)
    kept: list[dict[str, Any]] = []
    for step in range(1, STEPS + 1):
        first = torch.randint(words, (8, 1))
        tokens = (first * 7 + torch.arange(length + 1) * 13) % words
        found = model["head"](model["layers"](model["embed"](tokens[:, :-1]), mask=mask, is_causal=True))
        loss = torch.nn.functional.cross_entropy(found.flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in (BASE_STEP, STEPS):
            kept.append({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    return kept


def _save(path: Path, state: dict[str, Any], dtype: str) -> Path:
    import torch
    from safetensors.torch import save_file

    save_file({name: tensor.to(getattr(torch, dtype)).contiguous() for name, tensor in state.items()}, path)
    return path


def _case(weights: Path, base: Path | None, dtype: str, repeats: int) -> dict[str, Any]:
    numbers = _numbers(weights)
    turned = (
        numbers if base is None else bytes(np.frombuffer(numbers, np.uint8) ^ np.frombuffer(_numbers(base), np.uint8))
    )
    zipnn = _zipnn(numbers, dtype, 1, repeats)
    if zipnn is not None and base is not None:
        of_xor = _zipnn(turned, dtype, 1, repeats)
        assert of_xor is not None
        zipnn = min(zipnn, of_xor, key=lambda each: each["ratio"])
    best = turned if base is not None else numbers
    return {
        "bytes": len(numbers),
        "packtrain": _packtrain(weights, base, 1, repeats),
        "packtrain_2_threads": _packtrain(weights, base, 2, repeats),
        "zipnn": zipnn,
        "zipnn_2_threads": _zipnn(best, dtype, 2, repeats),
        "zstd": _zstd(turned, 1, repeats),
        "zstd_2_threads": _zstd(turned, 2, repeats),
    }


def _numbers(path: Path) -> bytes:
    with path.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        stream.seek(8 + header_bytes)
        return stream.read()


def _timed(
    raw_bytes: int, repeats: int, pack: Callable[[], bytes], unpack: Callable[[bytes], None]
) -> dict[str, float]:
    packed = b""
    least = [float("inf")] * 4
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        packed = pack()
        middle = time.perf_counter(), time.process_time()
        unpack(packed)
        end = time.perf_counter(), time.process_time()
        taken = [after - before for before, after in zip(start + middle, middle + end, strict=True)]
        least = [min(pair) for pair in zip(least, taken, strict=True)]
    names = ("compress_mb_per_second", "compress_mb_per_cpu_second")
    names += ("decompress_mb_per_second", "decompress_mb_per_cpu_second")
    rates = (raw_bytes / 1e6 / seconds for seconds in least)
    return {"ratio": len(packed) / raw_bytes, **dict(zip(names, rates, strict=True))}


def _packtrain(weights: Path, base: Path | None, num_threads: int, repeats: int) -> dict[str, float]:
    total_bytes = weights.stat().st_size

    def pack() -> bytes:
        stream = io.BytesIO()
        weights_codec.compress(weights, stream, opened, num_threads)
        return stream.getvalue()

    def unpack(packed: bytes) -> None:
        target = io.BytesIO()
        weights_codec.decompress(io.BytesIO(packed), target, total_bytes, opened, "here", num_threads)
        came_back.append(target.getvalue() == expected)

    came_back: list[bool] = []
    expected = weights.read_bytes()
    if base is None:
        opened = None
        found = _timed(total_bytes, repeats, pack, unpack)
    else:
        with BaseWeights(base) as opened:
            found = _timed(total_bytes, repeats, pack, unpack)
    assert all(came_back)
    return found


def _zipnn(raw: bytes, dtype: str, num_threads: int, repeats: int) -> dict[str, float] | None:
    try:
        module = importlib.import_module("zipnn")
    except ModuleNotFoundError:
        return None

    def make() -> Any:
        return module.ZipNN(bytearray_dtype=dtype, input_format="byte", threads=num_threads)

    # compress() turns bits in the very bytes that it is given: each round gets its own, made before the clock starts.
    copies = [bytes(bytearray(raw)) for _ in range(repeats)]
    packed_length = 0

    def pack() -> bytes:
        return make().compress(copies.pop())

    def unpack(packed: bytes) -> None:
        nonlocal packed_length
        packed_length = len(make().decompress(packed))

    found = _timed(len(raw), repeats, pack, unpack)
    assert packed_length == len(raw)
    return found


def _zstd(raw: bytes, num_threads: int, repeats: int) -> dict[str, float] | None:
    try:
        module = importlib.import_module("zstandard")
    except ModuleNotFoundError:
        return None
    packer = module.ZstdCompressor(level=ZSTD_LEVEL, threads=num_threads if num_threads > 1 else 0)
    return _timed(
        len(raw), repeats, lambda: packer.compress(raw), lambda packed: module.ZstdDecompressor().decompress(packed)
    )


def main() -> None:
    """Measure, and print the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--real", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.folder, arguments.real, arguments.repeats), indent=1))


if __name__ == "__main__":
    main()
