"""Safetensors files, written by hand: no dtype of numpy is bfloat16."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_safetensors(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> Path:
    header: dict[str, object] = {}
    place = 0
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + len(raw)]}
        place += len(raw)
    spelled = json.dumps(header, separators=(",", ":")).encode()
    spelled += b" " * (-len(spelled) % 8)
    path.write_bytes(struct.pack("<Q", len(spelled)) + spelled + b"".join(raw for _, _, raw in tensors.values()))
    return path


def normal_weights(count: int, moved: float = 0.0, seed: int = 1) -> npt.NDArray[np.float32]:
    """Return weights as a fresh layer has them, moved by so much from where they began."""
    start = np.random.default_rng(seed).standard_normal(count, np.float32)
    way = np.random.default_rng(seed + 1).standard_normal(count, np.float32)
    return (start * 0.02 + way * moved).astype(np.float32)


def raw_of(numbers: npt.NDArray[np.float32], dtype: str) -> bytes:
    """Return the bytes of F32 or, cut, BF16."""
    return numbers.tobytes() if dtype == "F32" else (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
