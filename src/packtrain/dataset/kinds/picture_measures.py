"""What is measured of pictures, for filters and histograms: exact sums of whole numbers, so the same on every machine.

Taken of a copy whose longer side is at most 256 pixels: cheap beside the decoding, and comparable between sizes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

Grey: TypeAlias = NDArray[np.int32]

_SIDE: Final = 256
_POINTS_SIDE: Final = 64
_WHITE: Final = 255
_LEVELS: Final = np.arange(256, dtype=np.int64)
_AS_THEY_ARE: Final = ("L", "RGB")


def small_copy(image: Image.Image) -> Image.Image | None:
    """Return the picture as L or RGB, its longer side at most 256 pixels; None for pixels that have no known range."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return None
    if image.mode not in _AS_THEY_ARE:
        image = image.convert("RGB")
    factor = -(-max(image.size) // _SIDE)
    return image if factor == 1 else image.reduce(factor)


def measures_of_picture(small: Image.Image) -> dict[str, float]:
    """Return brightness, contrast, sharpness and saturation of a picture's `small_copy`.

    See the registry for what they mean.
    """
    grey = small.convert("L")
    num, total, squares = _sums(grey)
    found = {
        "brightness": total / num / _WHITE,
        "contrast": math.sqrt(num * squares - total * total) / num / _WHITE,
    }
    if min(grey.size) >= 3:
        found["sharpness"] = _variance_of_laplacian(grey)
    found["saturation"] = _saturation(small)
    return rounded(found)


def greys_of(frames: Sequence[Image.Image]) -> list[Grey]:
    """Return the grey levels of frames; a frame that is there twice is one object twice."""
    made = {id(frame): np.asarray(_small_grey(frame), dtype=np.int32) for frame in frames}
    return [made[id(frame)] for frame in frames]


def mean_brightness(greys: Sequence[Grey]) -> float:
    """Return the mean of grey levels, 0 to 1."""
    return sum(int(grey.sum()) for grey in greys) / sum(grey.size for grey in greys) / _WHITE


def motion_of(greys: Sequence[Grey]) -> float:
    """Return how much grey levels change from one frame to the next, 0 to 1; frames that change their size are left."""
    pairs = [(a, b) for a, b in itertools.pairwise(greys) if a.shape == b.shape and a is not b]
    total = sum(int(np.abs(a - b).sum()) for a, b in pairs)
    return total / max(sum(a.size for a, _ in pairs), 1) / _WHITE


def rounded(measures: dict[str, float]) -> dict[str, float]:
    """Return measures to six significant digits."""
    return {name: float(f"{value:.6g}") for name, value in measures.items()}


def _small_grey(frame: Image.Image) -> Image.Image:
    small = small_copy(frame)
    assert small is not None
    return small.convert("L")


def _sums(band: Image.Image) -> tuple[int, int, int]:
    """Return how many pixels one band of 8 bits has, the sum of their levels, and that of the squares of these."""
    counts = np.array(band.histogram(), dtype=np.int64)
    return band.width * band.height, int((counts * _LEVELS).sum()), int((counts * _LEVELS * _LEVELS).sum())


def _variance_of_laplacian(grey: Image.Image) -> float:
    levels = np.asarray(grey).astype(np.int16)
    edges = 4 * levels[1:-1, 1:-1] - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    num, total = edges.size, int(edges.sum(dtype=np.int64))
    # No product of vectors: the library behind it starts threads, and workers would wait for each other.
    squares = int(np.square(edges, dtype=np.int32).sum(dtype=np.int64))
    return (num * squares - total * total) / (num * num)


def _saturation(image: Image.Image) -> float:
    if image.mode == "L":
        return 0.0
    # Points of it do for a mean: 4,096 of them are within one per cent.
    width, height = (min(length, _POINTS_SIDE) for length in image.size)
    red, green, blue = image.resize((width, height), Image.Resampling.NEAREST).split()
    highest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    lowest = ImageChops.darker(ImageChops.darker(red, green), blue)
    num, total, _ = _sums(ImageChops.subtract(highest, lowest))
    return total / num / _WHITE
