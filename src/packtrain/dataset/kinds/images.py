"""Images by Pillow: every one is decoded in full, since a truncated photograph passes every cheaper check."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageFile, UnidentifiedImageError

from packtrain.dataset.exif import orientation_of
from packtrain.dataset.kinds.image_formats import CUT_WARNINGS, ONE_PICTURE, UNREADABLE, formats_for, has_its_end
from packtrain.dataset.kinds.picture_measures import measures_of_picture, rounded, small_copy
from packtrain.dataset.kinds.piece import Damaged, Detail, OpenSource, Piece, Setback, Tally, one_line
from packtrain.dataset.kinds.registry import near_method
from packtrain.dataset.kinds.remade import encoded, is_remade, remade, scaled_size, upright
from packtrain.documents.recipe import RecipeSection

_MAX_FILE_BYTES: Final = 2 << 30
# 179 million pixels (twice Pillow's own warning level) are 537 MB as RGB; more in one file is taken for a bomb.
MAX_PIXELS: Final = 2 * 89_478_485
# Frames of an animation are decoded one after the other: bounded in sum, or 1 MB of GIF costs an hour.
_MAX_PIXELS_OF_ALL_FRAMES: Final = 16 * MAX_PIXELS

_LYING: Final = 5
"""From this EXIF turn on, width and height change places."""


def pieces_of_image(source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield the image itself; or, where the recipe asks for it, the image made anew, or the grid of its square crops.

    Crops are taken of the upright, scaled image, row by row; what is left at the right and lower edge is not used.

    Raises:
        Damaged: not an image, truncated, a decompression bomb, or smaller than one crop.
    """
    if source.size_bytes > _MAX_FILE_BYTES:
        raise Damaged(f"image file has {source.size_bytes} bytes, more than {_MAX_FILE_BYTES}")
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    image, known = _decoded(source, recipe)
    method = near_method(recipe, "image")
    try:
        if not is_remade(recipe):
            yield _piece(None, source.suffix, image, known, known.detail, method)
            return
        picture = remade(image, recipe, scaled_size(known.size, recipe.image_resize_pixels))
        detail = {**known.detail, **({"scaled": list(picture.size)} if recipe.image_resize_pixels else {})}
        for part, box in _parts(picture, recipe.image_crop_pixels):
            payload, suffix = encoded(part, recipe)
            yield _piece(payload, suffix, part, known, {**detail, **({"box": box} if box else {})}, method)
    except UNREADABLE as error:
        raise Damaged(f"image cannot be turned, scaled or encoded: {one_line(error)}") from error


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the source: its size in pixels, whether that has still to be turned, and the sample's detail."""

    size: tuple[int, int]
    is_lying: bool
    num_frames: int
    num_bytes: int
    detail: Detail


def _decoded(source: OpenSource, recipe: RecipeSection) -> tuple[Image.Image, _Known]:
    """Return the image (its first frame) and what is known of it, after every frame of it was decoded."""
    # Set at every image: another library of this process may have set them. Pillow's error comes at twice the first.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    payload = source.stream.read()
    try:
        # Pillow warns of odd metadata and of half a bomb; neither is a fault.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            image = Image.open(io.BytesIO(payload), formats=formats_for(source.suffix))
            form, num_frames = str(image.format), _num_frames(image)
            detail, size = _detail(image, num_frames), image.size
            is_draft = form == "JPEG" and recipe.image_resize_pixels is not None
            if is_draft:
                # All of the coded data is read all the same; only pixels that would be averaged away are not made.
                image.draft(image.mode, scaled_size(size, recipe.image_resize_pixels))
            _load_all(image, num_frames)
            # Asked again: Pillow turns a TIFF upright while it decodes it.
            decoded = size if is_draft else image.size
            known = _Known(decoded, orientation_of(image) >= _LYING, num_frames, source.size_bytes, detail)
            is_cut = form == "TIFF" and any(words in str(each.message) for each in warned for words in CUT_WARNINGS)
    except UnidentifiedImageError as error:
        raise Damaged("not a readable image: no form of image that is known, whatever its name says") from error
    except UNREADABLE as error:
        raise Damaged(f"not a readable image: {one_line(error)}") from error
    if is_cut or not has_its_end(form, payload):
        raise Damaged("not a readable image: the end of the file is missing")
    return image, known


def _detail(image: Image.Image, num_frames: int) -> Detail:
    return {
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "format": (image.format or "").lower(),
        "exif_orientation": orientation_of(image),
        **({"num_frames": num_frames} if num_frames > 1 else {}),
    }


def _num_frames(image: Image.Image) -> int:
    return 1 if image.format in ONE_PICTURE else int(getattr(image, "n_frames", 1))


def _load_all(image: Image.Image, num_frames: int) -> None:
    """Decode every frame; `Image.verify` would pass truncated JPEGs."""
    if num_frames * image.width * image.height > _MAX_PIXELS_OF_ALL_FRAMES:
        raise Damaged(f"{num_frames} frames of {image.width} x {image.height} are too much to decode")
    image.load()
    for number in range(1, num_frames):
        image.seek(number)
        image.load()
    if num_frames > 1:
        image.seek(0)
        image.load()


def _parts(image: Image.Image, side: int | None) -> Iterator[tuple[Image.Image, list[int]]]:
    """Yield the whole image with no box, or each crop with its box."""
    if side is None:
        yield image, []
        return
    if image.width < side or image.height < side:
        raise Damaged(f"image of {image.width} x {image.height} pixels is smaller than a crop of {side}")
    for top in range(0, image.height - side + 1, side):
        for left in range(0, image.width - side + 1, side):
            box = [left, top, left + side, top + side]
            yield image.crop((left, top, left + side, top + side)), box


def _piece(
    payload: bytes | None, suffix: str, picture: Image.Image, known: _Known, detail: Detail, method: str | None
) -> Piece:
    """Return the sample; of its measures size, bytes and frames are the source's, the rest is of its own pixels."""
    width, height = known.size
    if known.is_lying:
        width, height = height, width
    small = small_copy(picture)
    measures = {
        "width_pixels": width,
        "height_pixels": height,
        "aspect": width / height,
        "bytes": known.num_bytes,
        "frames": known.num_frames,
    }
    return Piece(
        payload,
        suffix,
        detail,
        measures={**rounded(measures), **(measures_of_picture(small) if small is not None else {})},
        fingerprint=_fingerprint(picture, small, method),
    )


def _fingerprint(picture: Image.Image, small: Image.Image | None, method: str | None) -> bytes:
    if method is None:
        return b""
    if small is not None and picture.mode in ("L", "RGB") and not picture.has_transparency_data:
        # A copy that is there already. In other modes it lacks what lies under transparent parts.
        picture = upright(small, orientation_of(picture))
    # Imported here: most recipes compare nothing.
    from packtrain.dataset.near.fingerprint import fingerprint_of_image

    return fingerprint_of_image(picture, "phash" if method == "phash" else "pdq")
