"""What is measured of pictures, for filters and histograms: exact sums of whole numbers, so the same on every machine.

Taken of a copy whose longer side is at most 256 pixels: cheap beside the decoding, and comparable between sizes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE: Final = 256
_WHITE: Final = 255
_AS_THEY_ARE: Final = ("L", "RGB")


def measures_of_picture(image: Image.Image) -> dict[str, float]:
    """Return brightness, contrast, sharpness and saturation; nothing for pixels that have no known range.

    See the registry for what they mean.
    """
    small = _small(image)
    if small is None:
        return {}
    levels = np.asarray(small.convert("L"), dtype=np.int32)
    num = levels.size
    total, squares = int(levels.sum()), int((levels * levels).sum())
    found = {
        "brightness": total / num / _WHITE,
        "contrast": math.sqrt(num * squares - total * total) / num / _WHITE,
    }
    if min(levels.shape) >= 3:
        found["sharpness"] = _variance_of_laplacian(levels)
    found["saturation"] = _saturation(small)
    return rounded(found)


def mean_brightness(frames: Sequence[Image.Image]) -> float:
    """Return the mean of the grey levels of frames, 0 to 1; of a picture that is there twice, twice."""
    greys = _greys(frames)
    return sum(int(grey.sum()) for grey in greys) / sum(grey.size for grey in greys) / _WHITE


def motion_of(frames: Sequence[Image.Image]) -> float:
    """Return how much grey levels change from one frame to the next, 0 to 1; frames that change their size are left."""
    greys = _greys(frames)
    pairs = [(a, b) for a, b in itertools.pairwise(greys) if a.shape == b.shape and a is not b]
    total = sum(int(np.abs(a - b).sum()) for a, b in pairs)
    return total / max(sum(a.size for a, _ in pairs), 1) / _WHITE


def rounded(measures: dict[str, float]) -> dict[str, float]:
    """Return measures to six significant digits."""
    return {name: float(f"{value:.6g}") for name, value in measures.items()}


def _greys(frames: Sequence[Image.Image]) -> list[NDArray[Any]]:
    made = {id(frame): np.asarray(_small_grey(frame), dtype=np.int32) for frame in frames}
    return [made[id(frame)] for frame in frames]


def _small_grey(frame: Image.Image) -> Image.Image:
    small = _small(frame)
    assert small is not None
    return small.convert("L")


def _small(image: Image.Image) -> Image.Image | None:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return None
    if image.mode not in _AS_THEY_ARE:
        image = image.convert("RGB")
    factor = -(-max(image.size) // _SIDE)
    return image if factor == 1 else image.reduce(factor)


def _variance_of_laplacian(levels: NDArray[Any]) -> float:
    edges = 4 * levels[1:-1, 1:-1] - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    num, total = edges.size, int(edges.sum())
    # As 64-bit numbers: 65,536 squares of up to 1,020 pass 2^32.
    squares = int(np.square(edges, dtype=np.int64).sum())
    return (num * squares - total * total) / (num * num)


def _saturation(image: Image.Image) -> float:
    if image.mode == "L":
        return 0.0
    red, green, blue = (np.asarray(band) for band in image.split())
    highest = np.maximum(np.maximum(red, green), blue)
    chroma = highest - np.minimum(np.minimum(red, green), blue)
    return int(chroma.sum(dtype=np.int64)) / chroma.size / _WHITE
