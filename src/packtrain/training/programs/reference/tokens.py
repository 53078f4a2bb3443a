"""Tokens: what a table, an image and a clip are to the model. One vocabulary for all three.

Numbers of brightness are written as changes: of a pixel against the one before it, of a later frame against the same
pixel one frame earlier. Modulo the number of levels nothing is lost, and "as before" is one token everywhere, so that
a short training learns it from all kinds together.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Final

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from packtrain.training.loader import Sample

SEQUENCE: Final = 128
NUM_LEVELS: Final = 32
KINDS: Final = ("table", "image", "clip")
# 256 bytes of text, then changes of brightness, then a mark a kind, then padding.
FIRST_LEVEL: Final = 256
FIRST_MARK: Final = FIRST_LEVEL + NUM_LEVELS
PADDING: Final = FIRST_MARK + len(KINDS)
VOCABULARY: Final = PADDING + 1
IMAGE_SIDE: Final = 11  # 121 tokens of an image
FRAME_SIDE: Final = 4
NUM_FRAMES: Final = 7  # 112 tokens of a clip
MAX_VIDEO_FRAMES: Final = 64  # of a video file are looked at; [prepare] clip_frames cuts longer ones at home


def tokenize(sample: Sample, seed: int, step: int) -> list[int]:
    """Return at most SEQUENCE + 1 tokens of a sample: the mark of its kind, then its content.

    A table gives a stretch of its CSV text, a clip some of its frames, other ones at each step; an image its brightness
    in a coarse grid.
    """
    # A function of step and key and not of a generator: nothing to keep in the checkpoint, equal on any worker.
    draw = hashlib.sha256(f"{seed}/{step}/{sample.key}".encode()).digest()
    chance = int.from_bytes(draw[:8], "big")
    mark = FIRST_MARK + KINDS.index(sample.kind)
    if sample.kind == "table":
        start = chance % max(1, len(sample.payload) - SEQUENCE + 1)
        return [mark, *sample.payload[start : start + SEQUENCE]]
    if sample.kind == "image":
        with Image.open(io.BytesIO(sample.payload)) as image:
            return [mark, *_changes(_levels(image, IMAGE_SIDE), IMAGE_SIDE)]
    frames = _frames(sample.payload)
    apart = 1 + draw[8] % max(1, (len(frames) - 1) // (NUM_FRAMES - 1))
    first = chance % max(1, len(frames) - apart * (NUM_FRAMES - 1))
    chosen = [frames[min(first + number * apart, len(frames) - 1)] for number in range(NUM_FRAMES)]
    tokens = [mark, *_changes(chosen[0], FRAME_SIDE)]
    for before, now in pairwise(chosen):
        tokens += [FIRST_LEVEL + (b - a) % NUM_LEVELS for a, b in zip(before, now, strict=True)]
    return tokens


def to_tensor(samples: Sequence[Sample], seed: int, step: int) -> Tensor:
    """Return tokens as int64, one row a sample, SEQUENCE + 1 long, padded at the end."""
    rows: list[list[int]] = []
    for sample in samples:
        try:
            tokens = tokenize(sample, seed, step)[: SEQUENCE + 1]
        except (OSError, SyntaxError, ValueError) as error:  # the ways of Pillow and PyAV of saying: I cannot read it
            raise SystemExit(f"{sample.kind} {sample.key} cannot be read: {error}") from error
        rows.append(tokens + [PADDING] * (SEQUENCE + 1 - len(tokens)))
    return torch.tensor(rows, dtype=torch.int64)


def _levels(image: Image.Image, side: int) -> list[int]:
    grid = image.convert("L").resize((side, side), Image.Resampling.BOX)
    return [value * NUM_LEVELS // 256 for value in grid.tobytes()]


def _changes(levels: Sequence[int], side: int) -> list[int]:
    """Return each level as its change against the pixel to the left; in the first column, the one above."""
    before = [levels[max(0, place - (1 if place % side else side))] if place else 0 for place in range(len(levels))]
    return [FIRST_LEVEL + (now - then) % NUM_LEVELS for then, now in zip(before, levels, strict=True)]


def _frames(payload: bytes) -> list[list[int]]:
    """Return the levels of each frame: of an animated image by Pillow, of a video by PyAV. Sound is left out."""
    try:
        with Image.open(io.BytesIO(payload)) as image:
            frames: list[list[int]] = []
            for number in range(int(getattr(image, "n_frames", 1))):
                image.seek(number)
                frames.append(_levels(image, FRAME_SIDE))
            return frames
    except UnidentifiedImageError:
        pass
    try:
        import av
    except ImportError as error:
        raise ValueError(
            "it is a video, and PyAV is not installed: name av in the program's pyproject.toml, "
            "or set clip_frames in [prepare]"
        ) from error
    with av.open(io.BytesIO(payload), mode="r") as video:
        frames = [
            # First to a size that swscale likes: it refuses pictures of a few pixels.
            _levels(frame.reformat(64, 64, "gray").to_image(), FRAME_SIDE)
            for frame in islice(video.decode(video=0), MAX_VIDEO_FRAMES)
        ]
    if not frames:
        raise ValueError("a video without a frame")
    return frames
