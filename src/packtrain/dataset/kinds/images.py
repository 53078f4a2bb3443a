"""Images by Pillow: every one is decoded in full, since a truncated photograph passes every cheaper check."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from packtrain.dataset.kinds.piece import Damaged, Detail, OpenSource, Piece, Setback, Tally, one_line
from packtrain.documents.recipe import RecipeSection

# By name, so that Pillow never tries the formats that start other programs or hold scripts (EPS).
_FORMATS: Final = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
_MAX_FILE_BYTES: Final = 2 << 30
# 179 million pixels (twice Pillow's own warning level) are 537 MB as RGB; more in one file is taken for a bomb.
MAX_PIXELS: Final = 2 * 89_478_485
# Frames of an animation are decoded one after the other: bounded in sum, or 1 MB of GIF costs an hour.
_MAX_PIXELS_OF_ALL_FRAMES: Final = 16 * MAX_PIXELS

# What Pillow's readers raise on hostile bytes, beside OSError and their own.
_UNREADABLE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION_TAG: Final = 0x0112


def pieces_of_image(source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield the image itself, or the grid of its square crops as PNG when the recipe says `image_crop_pixels`.

    Crops are taken of the upright image (EXIF turn applied), row by row; what is left at the right and lower edge is
    not used.

    Raises:
        Damaged: not an image, truncated, a decompression bomb, or smaller than one crop.
    """
    if source.size_bytes > _MAX_FILE_BYTES:
        raise Damaged(f"image file has {source.size_bytes} bytes, more than {_MAX_FILE_BYTES}")
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    image, detail = _decoded(source)
    if recipe.image_crop_pixels is None:
        yield Piece(None, source.suffix, detail)
    else:
        yield from _crops(_upright(image), recipe.image_crop_pixels, detail)


def _decoded(source: OpenSource) -> tuple[Image.Image, Detail]:
    """Return the image (its first frame) and what is known of it, after every frame of it was decoded."""
    # Set at every image: another library of this process may have set it, and Pillow's error comes at twice this.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of half a bomb; neither is a fault
            image = Image.open(io.BytesIO(source.stream.read()), formats=_known_formats())
            detail = _detail(image)
            _load_all(image)
    except UnidentifiedImageError as error:
        raise Damaged("not a readable image: no form of image that is known, whatever its name says") from error
    except _UNREADABLE as error:
        raise Damaged(f"not a readable image: {one_line(error)}") from error
    return image, detail


@cache
def _known_formats() -> list[str]:
    # Pillow knows the rarer formats by name only after this, and some builds lack some of them.
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _upright(image: Image.Image) -> Image.Image:
    try:
        return _in_a_png_mode(ImageOps.exif_transpose(image))
    except _UNREADABLE as error:
        raise Damaged(f"image cannot be turned or converted: {one_line(error)}") from error


def _detail(image: Image.Image) -> Detail:
    return {
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "format": (image.format or "").lower(),
        "exif_orientation": int(image.getexif().get(_ORIENTATION_TAG) or 1),
    }


def _load_all(image: Image.Image) -> None:
    """Decode every frame; `Image.verify` would pass truncated JPEGs."""
    num_frames = int(getattr(image, "n_frames", 1))
    if num_frames * image.width * image.height > _MAX_PIXELS_OF_ALL_FRAMES:
        raise Damaged(f"{num_frames} frames of {image.width} x {image.height} are too much to decode")
    image.load()
    for number in range(1, num_frames):
        image.seek(number)
        image.load()
    if num_frames > 1:
        image.seek(0)
        image.load()


def _crops(image: Image.Image, side: int, detail: Detail) -> Iterator[Piece]:
    if image.width < side or image.height < side:
        raise Damaged(f"image of {image.width} x {image.height} pixels is smaller than a crop of {side}")
    for top in range(0, image.height - side + 1, side):
        for left in range(0, image.width - side + 1, side):
            box = (left, top, left + side, top + side)
            target = io.BytesIO()
            # A new image without info: no colour profile, comment or time of the source gets into the crop.
            crop = Image.frombytes(image.mode, (side, side), image.crop(box).tobytes())
            crop.save(target, "PNG", compress_level=6)
            yield Piece(target.getvalue(), "png", {**detail, "box": list(box)})


def _in_a_png_mode(image: Image.Image) -> Image.Image:
    """Return the image in a mode that PNG stores without loss, or RGB where it has none."""
    if image.mode in ("L", "RGB", "RGBA", "LA", "I;16"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("I", "F"):
        raise Damaged(f"pixels of mode {image.mode} have no form in PNG (without image_crop_pixels the file is kept)")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
