"""A corpus of JPEGs out of real pictures and a film, with planted duplicates, near duplicates and damaged files.

The same bytes for the same seed and version of Pillow. The truth is kept beside it, in truth.json.
"""

from __future__ import annotations

import functools
import io
import json
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageEnhance, ImageOps

_TRUTH: Final = "truth.json"
# Of 2,048 files: as many as in the corpus the goals were set by.
_DUPLICATES_SHARE: Final = 140 / 2048
_NEAR_SHARE: Final = 206 / 2048
_DAMAGED_SHARE: Final = 46 / 2048
_LEAST_SIDE_PIXELS: Final = 300
_FILM_STEP_FRAMES: Final = 8
_FILES_A_FOLDER: Final = 256


@dataclass(frozen=True, slots=True)
class Pictures:
    """One corpus on disk.

    Attributes:
        folder: holds the files and nothing else.
        damaged: names below `folder` of the files that no full decode passes.
        duplicates, near: name -> name of what it was made from.
    """

    folder: Path
    num_files: int
    total_bytes: int
    damaged: frozenset[str]
    duplicates: dict[str, str]
    near: dict[str, str]


def make_pictures(root: Path, demo_data: Path, num_files: int, *, seed: int = 7, side_pixels: int = 680) -> Pictures:
    """Write the corpus into root/pictures and its truth into root/truth.json; return it.

    Args:
        demo_data: what scripts/fetch_demo_data.py fetched.
        side_pixels: longer side of an image; its file grows with the square.
    """
    num_damaged = round(num_files * _DAMAGED_SHARE)
    num_duplicates, num_near = round(num_files * _DUPLICATES_SHARE), round(num_files * _NEAR_SHARE)
    num_originals = num_files - num_damaged - num_duplicates - num_near
    chance = random.Random(seed)
    # The parts are mixed: a reader that takes files by name meets all of them all the way.
    parts = ["original"] * num_originals + ["duplicate"] * num_duplicates + ["near"] * num_near
    parts += ["damaged"] * num_damaged
    chance.shuffle(parts)
    names = [f"{number // _FILES_A_FOLDER:03d}/{number:06d}.jpg" for number in range(num_files)]
    originals = [name for name, part in zip(names, parts, strict=True) if part == "original"]
    folder = root / "pictures"
    for name in {name.partition("/")[0] for name in names}:
        (folder / name).mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[str, str, int, str]] = []
    duplicates: dict[str, str] = {}
    near: dict[str, str] = {}
    damaged: list[str] = []
    # No original is planted twice, so that what is near to what is known without following chains.
    planted = iter(chance.sample(originals, num_duplicates + num_near))
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        of = name if part in ("original", "damaged") else next(planted)
        jobs.append((name, part, number if part in ("original", "damaged") else names.index(of), of))
        if part == "duplicate":
            duplicates[name] = of
        elif part == "near":
            near[name] = of
        elif part == "damaged":
            damaged.append(name)
    write = functools.partial(_write, folder, demo_data, seed, side_pixels, damaged)
    with ProcessPoolExecutor() as pool:
        total_bytes = sum(pool.map(write, jobs, chunksize=32))
    made = Pictures(folder, num_files, total_bytes, frozenset(damaged), duplicates, near)
    (root / _TRUTH).write_text(json.dumps({**asdict(made), "folder": "", "damaged": damaged}, indent=1))
    return made


@functools.cache
def real_pictures(demo_data: Path) -> Sequence[Image.Image]:
    """Return the real pictures, as RGB: those of the demo's that are large enough, and frames of its film."""
    import av

    found: list[Image.Image] = []
    for path in sorted((demo_data / "images").iterdir()):
        with Image.open(path) as image:
            if min(image.size) >= _LEAST_SIDE_PIXELS and image.mode in ("RGB", "L"):
                found.append(image.convert("RGB"))
    for path in sorted((demo_data / "clips").iterdir()):
        with av.open(path) as container:
            frames: Any = container.decode(video=0)
            found += [frame.to_image() for number, frame in enumerate(frames) if number % _FILM_STEP_FRAMES == 0]
    return found


def _write(
    folder: Path, demo_data: Path, seed: int, side_pixels: int, damaged: Sequence[str], job: tuple[str, str, int, str]
) -> int:
    """Write one file; return its bytes."""
    name, part, number, _ = job
    payload = _original(demo_data, seed, number, side_pixels)
    if part == "near":
        payload = _near(payload, random.Random(f"{seed}/near/{number}"))
    elif part == "damaged":
        payload = damage(payload, damaged.index(name), random.Random(f"{seed}/damage/{number}"))
    return (folder / name).write_bytes(payload)


def _original(demo_data: Path, seed: int, number: int, side_pixels: int) -> bytes:
    """Return a picture of its own: a part of a real one, turned, mirrored, in other light."""
    chance = random.Random(f"{seed}/{number}")
    pictures = real_pictures(demo_data)
    image = pictures[number % len(pictures)]
    width, height = (round(length * chance.uniform(0.4, 0.8)) for length in image.size)
    left, top = chance.randint(0, image.width - width), chance.randint(0, image.height - height)
    image = image.crop((left, top, left + width, top + height))
    if chance.random() < 0.5:
        image = ImageOps.mirror(image)
    image = image.rotate(chance.choice((0, 90, 180, 270)), expand=True)
    scale = side_pixels / max(image.size)
    image = image.resize((max(16, round(image.width * scale)), max(16, round(image.height * scale))))
    image = ImageEnhance.Color(image).enhance(chance.uniform(0.5, 1.5))
    return _jpeg(ImageEnhance.Contrast(image).enhance(chance.uniform(0.7, 1.3)), 88)


def _near(payload: bytes, chance: random.Random) -> bytes:
    """Return the picture smaller, a little brighter or darker, and compressed harder."""
    image = Image.open(io.BytesIO(payload))
    scale = chance.uniform(0.5, 0.95)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return _jpeg(ImageEnhance.Brightness(image).enhance(chance.uniform(0.92, 1.08)), chance.randint(50, 80))


def damage(payload: bytes, number: int, chance: random.Random) -> bytes:
    """Return the file damaged, in a way that `number` decides: three of five are cut, at 2 % to 98 % of their bytes.

    No two are the same bytes, so that a program which drops duplicates first still meets all of them.
    """
    if number == 0:
        return b""
    way = number % 10
    if way < 6:
        return payload[: round(len(payload) * chance.uniform(0.02, 0.98))]
    if way == 6:  # noise under the name of a picture
        return chance.randbytes(len(payload))
    if way == 7:  # another magic number over the first bytes
        return chance.choice((b"RIFF\0\0\0\0WEBP", b"\x7fELF\2\1\1\0", b"PK\3\4\x14\0\0\0")) + payload[12:]
    if way == 8:  # the first sectors never reached the disk
        return bytes(4096) + payload[4096:]
    return b"<!doctype html><title>404</title>" + b"%d" % number + b"not found\n" * 40


def _jpeg(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality)
    return target.getvalue()
