"""Fingerprints: a few bytes that are alike where pictures, clips or table blocks are alike.

A fingerprint of length 0 says "not compared": there is too little to see.

What they see: another size, another compression, another file format, a little brighter, darker or softer, an edge of
one or two per cent cut off. What they do not see: a mirrored or turned picture, a deep crop, a frame or a text laid
over it, the same thing photographed twice. Of a table block they see its rows; rows of which every one was changed are
other rows.

Fingerprints are the same bytes on every machine, as far as the decoder gives the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from PIL import Image

from packtrain.dataset.exif import TURNS, orientation_of
from packtrain.dataset.near.hashes import PDQ_BYTES, SIDE, Grey, pdq_hash, pdq_quality, phash

Method: TypeAlias = Literal["pdq", "phash", "frames", "minhash"]

CLIP_FRAMES: Final = 8
CLIP_HEAD_BYTES: Final = 4

# PDQ's authors advise 50. Measured, that leaves out one in ten tiles of photographs, and clean drawings; copies of
# those are found as surely as of the others, and none was taken for another. At 1 only what is blank or a faint
# gradient is left out.
LEAST_QUALITY: Final = 1
_LEAST_FRAMES: Final = CLIP_FRAMES // 2
_NO_FRAME: Final = bytes(PDQ_BYTES)
_LONGEST_MILLISECONDS: Final = (1 << 32) - 1

_WHITE: Final = (255, 255, 255, 255)


def fingerprint_of_image(image: Image.Image, method: Literal["pdq", "phash"] = "pdq") -> bytes:
    """Return the fingerprint of the first frame of a decoded picture: 32 bytes (pdq), 8 (phash), or none.

    The turn that EXIF asks for is applied, transparent parts lie on white, and 16-bit pixels are spread over what is
    there.
    """
    small = _grey(image)
    if pdq_quality(small) < LEAST_QUALITY:
        return b""
    return pdq_hash(small) if method == "pdq" else phash(small)


def clip_times(duration_seconds: float) -> list[float]:
    """Return when the CLIP_FRAMES frames of a fingerprint are shown, in seconds: each in the middle of its part."""
    return [duration_seconds * (number + 0.5) / CLIP_FRAMES for number in range(CLIP_FRAMES)]


def fingerprint_of_frames(frames: Sequence[Image.Image], duration_seconds: float) -> bytes:
    """Return the fingerprint of a clip: its duration, then the PDQ hash of each frame (zeros for a blank one).

    Args:
        frames: CLIP_FRAMES frames, those shown at `clip_times`.
        duration_seconds: from the first frame to the end of the last one.

    Returns:
        260 bytes, or none where fewer than half of the frames show anything.
    """
    assert len(frames) == CLIP_FRAMES
    hashes = [fingerprint_of_image(frame) or _NO_FRAME for frame in frames]
    if sum(one != _NO_FRAME for one in hashes) < _LEAST_FRAMES:
        return b""
    milliseconds = min(max(round(duration_seconds * 1000), 0), _LONGEST_MILLISECONDS)
    return milliseconds.to_bytes(CLIP_HEAD_BYTES, "big") + b"".join(hashes)


def _grey(image: Image.Image) -> Grey:
    """Return the picture scaled to 64 x 64, whatever its form was: a copy of another size then has the same pixels."""
    turn = TURNS.get(orientation_of(image))
    small = _small(image)
    return np.asarray(small if turn is None else small.transpose(turn), dtype=np.uint8)


def _small(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _spread(image)
    if image.has_transparency_data:
        # Scaled first: one more picture of the full size in RGBA would be 700 MB.
        clear = _scaled(image if image.mode == "RGBA" else image.convert("RGBA"), 4 * SIDE)
        return _scaled(Image.alpha_composite(Image.new("RGBA", clear.size, _WHITE), clear).convert("L"), SIDE)
    if image.mode in ("L", "RGB"):
        return _scaled(image, SIDE).convert("L")
    # Through RGB: palettes are no scale of brightness, and Pillow has no direct way from CMYK to grey.
    return _scaled(image.convert("RGB"), SIDE).convert("L")


def _spread(image: Image.Image) -> Image.Image:
    """Return deep pixels as 8 bit, the darkest as 0: scanners store 12 bits in 16, and a copy may use all of them."""
    levels = np.asarray(_scaled(image.convert("F"), SIDE), dtype=np.float64)
    levels = np.where(np.isfinite(levels), levels, 0.0)
    low, high = float(levels.min()), float(levels.max())
    # Halved before the difference: the range of what floats can hold is no float.
    span = high / 2 - low / 2
    part = (levels / 2 - low / 2) / span if span > 0 else np.zeros_like(levels)
    return Image.fromarray(np.rint(part * 255).astype(np.uint8))


def _scaled(image: Image.Image, side: int) -> Image.Image:
    # The gap of 3 lets Pillow average whole pixels first: 12 times faster for 24 megapixels.
    return image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
