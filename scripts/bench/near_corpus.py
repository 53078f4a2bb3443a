"""Pictures with planted near-duplicates: tiles of real pictures and film frames, each changed in one known way.

The tests and the benchmark of `prepare` find near-duplicates among the same pictures, so that the figure printed is the
figure tested. Everything is drawn from one seed.

A base is a tile of a picture; no two bases share a pixel, so that none is a near-duplicate of another by construction
(two tiles of one brick wall may still look alike, and then count against the finder). Flat tiles, with a standard
deviation of less than 10 grey levels, are no bases: of a black corner nobody can say what it is a copy of.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageEnhance, ImageFilter, ImageStat

_SEED: Final = 20261127
TILE_PIXELS: Final = 160
_LEAST_DEVIATION: Final = 10.0
_LEAST_CUT: Final = 25.0  # grey levels on average between neighbouring frames

# Columns and rows that a crop takes: at most 3 % of the picture together.
_CROPS: Final = tuple(
    (columns, rows)
    for columns in range(5)
    for rows in range(5)
    if 0 < 1 - (1 - columns / TILE_PIXELS) * (1 - rows / TILE_PIXELS) <= 0.03
)

CHANGES: Final = (
    "smaller",
    "larger",
    "recompressed",
    "cropped",
    "brighter or darker",
    "blurred",
    "png to jpeg",
    "jpeg to png",
    "scaled and recompressed",
)
# Beyond what is promised; measured all the same.
HARDER_CHANGES: Final = ("cropped more", "darker by a quarter", "scaled to a third")


@dataclass(frozen=True, slots=True)
class Planted:
    """One picture of the set.

    Attributes:
        name: unique, and in the order in which the originals come before their copies.
        base: the number of the tile that it shows.
        change: one of CHANGES, or "" for the tile itself.
        content: a PNG or JPEG file.
    """

    name: str
    base: int
    change: str
    content: bytes


def near_corpus(pictures: Path, copies_a_base: int = 2, changes: Sequence[str] = CHANGES) -> Iterator[Planted]:
    """Yield all bases, then `copies_a_base` near-duplicates of each.

    Args:
        pictures: a folder with `images/` and `clips/`, as `scripts/fetch_demo_data.py` makes it.
        changes: what is done to the copies, in turn.
    """
    bases = list(_tiles(pictures))
    for number, tile in enumerate(bases):
        yield Planted(f"a{number:05d}.png", number, "", _png(tile))
    chance = random.Random(_SEED)
    for number, tile in enumerate(bases):
        for copy in range(copies_a_base):
            # In turn and not by chance, so that each kind of change is planted equally often.
            change = changes[(number * copies_a_base + copy) % len(changes)]
            content = _changed(tile, change, chance)
            suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
            yield Planted(f"b{number:05d}-{copy}.{suffix}", number, change, content)


@dataclass(frozen=True, slots=True)
class Found:
    """How a finder did on the set.

    Attributes:
        recall: copies dropped in favour of a picture of their own base, as a share of all copies.
        extra: pictures dropped in favour of one of another base, as a share of all copies.
        missed: for each kind of change that was missed, how often.
    """

    num_planted: int
    recall: float
    extra: float
    missed: Mapping[str, int]


def judge(planted: Sequence[Planted], kept_instead: Mapping[int, int]) -> Found:
    """Return how good a finding is.

    Args:
        planted: the pictures, in the order in which they were numbered from 0.
        kept_instead: for each dropped number the number of the picture that is kept in its place.
    """
    copies = [number for number, picture in enumerate(planted) if picture.change]
    missed: dict[str, int] = {}
    for number in copies:
        kept = kept_instead.get(number)
        if kept is None or planted[kept].base != planted[number].base:
            change = planted[number].change
            missed[change] = missed.get(change, 0) + 1
    num_extra = sum(planted[number].base != planted[kept].base for number, kept in kept_instead.items())
    return Found(len(copies), 1 - sum(missed.values()) / len(copies), num_extra / len(copies), missed)


def _tiles(pictures: Path) -> Iterator[Image.Image]:
    for image in _sources(pictures):
        for top in range(0, image.height - TILE_PIXELS + 1, TILE_PIXELS):
            for left in range(0, image.width - TILE_PIXELS + 1, TILE_PIXELS):
                tile = image.crop((left, top, left + TILE_PIXELS, top + TILE_PIXELS))
                if ImageStat.Stat(tile.convert("L")).stddev[0] >= _LEAST_DEVIATION:
                    yield tile


def _sources(pictures: Path) -> Iterator[Image.Image]:
    for file in sorted((pictures / "images").iterdir()):
        with Image.open(file) as image:
            yield image.convert("RGB")
    for file in sorted((pictures / "clips").iterdir()):
        yield from _frames(file)


def _frames(file: Path) -> Iterator[Image.Image]:
    """Yield the first frame after each cut: within a shot, frames are near-duplicates of each other."""
    import av

    with av.open(str(file)) as container:
        container.streams.video[0].thread_type = "NONE"
        last: Image.Image | None = None
        for frame in container.decode(video=0):
            image = frame.to_image()
            small = image.convert("L").resize((16, 16), Image.Resampling.BOX)
            if last is None or _difference(small, last) > _LEAST_CUT:
                yield image
            last = small


def _difference(one: Image.Image, other: Image.Image) -> float:
    return sum(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)) / 256


def _changed(tile: Image.Image, change: str, chance: random.Random) -> bytes:
    if change == "smaller":
        return _png(_scaled(tile, chance.uniform(0.5, 1.0)))
    if change == "larger":
        return _png(_scaled(tile, chance.uniform(1.0, 1.5)))
    if change == "recompressed":
        return _jpeg(tile, chance.randint(30, 95))
    if change == "cropped":
        return _png(_cropped(tile, *chance.choice(_CROPS), chance))
    if change == "cropped more":
        return _png(_cropped(tile, chance.randint(3, 5), chance.randint(3, 5), chance))
    if change == "darker by a quarter":
        return _png(ImageEnhance.Brightness(tile).enhance(0.75))
    if change == "scaled to a third":
        return _png(_scaled(tile, 1 / 3))
    if change == "brighter or darker":
        return _png(ImageEnhance.Brightness(tile).enhance(chance.choice((0.9, 0.95, 1.05, 1.1))))
    if change == "blurred":
        return _png(tile.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 1.2))))
    if change == "png to jpeg":
        return _jpeg(tile, 95)
    if change == "jpeg to png":
        with Image.open(io.BytesIO(_jpeg(tile, chance.randint(60, 90)))) as compressed:
            return _png(compressed.convert("RGB"))
    assert change == "scaled and recompressed"
    return _jpeg(_scaled(tile, chance.uniform(0.5, 1.5)), chance.randint(30, 95))


def _scaled(tile: Image.Image, factor: float) -> Image.Image:
    side = max(round(TILE_PIXELS * factor), 1)
    return tile.resize((side, side), Image.Resampling.LANCZOS)


def _cropped(tile: Image.Image, lost_columns: int, lost_rows: int, chance: random.Random) -> Image.Image:
    """Return the tile without so many columns and rows, split by chance over the two edges of each."""
    left, top = chance.randint(0, lost_columns), chance.randint(0, lost_rows)
    return tile.crop((left, top, TILE_PIXELS - (lost_columns - left), TILE_PIXELS - (lost_rows - top)))


def _png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG", compress_level=1)
    return target.getvalue()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality)
    return target.getvalue()
