"""Pictures that the recipe asks to be made anew: upright, scaled, in few modes, encoded without anything of the source.

The same pixels and libraries give the same bytes: no profile, comment or time gets into them.
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from packtrain.dataset.exif import TURNS, orientation_of
from packtrain.dataset.kinds.piece import Damaged
from packtrain.documents.recipe import RecipeSection

_QUALITY: Final = 90
_SUFFIXES: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_DEEPEST: Final = 65_535
_WHITE: Final = (255, 255, 255, 255)


def is_remade(recipe: RecipeSection) -> bool:
    """Return whether the recipe asks for images that are not the bytes of their sources."""
    wishes = (recipe.image_crop_pixels, recipe.image_resize_pixels, recipe.image_encode)
    return any(wish is not None for wish in wishes)


def scaled_size(size: tuple[int, int], longer: int | None) -> tuple[int, int]:
    """Return width and height after scaling: the longer side at most `longer`, nothing enlarged, no side below 1."""
    width, height = size
    if longer is None or max(size) <= longer:
        return size
    # Whole numbers, rounded half up: a float could fall to either side on another machine.
    short = max((2 * min(size) * longer + max(size)) // (2 * max(size)), 1)
    return (longer, short) if width >= height else (short, longer)


def remade(image: Image.Image, recipe: RecipeSection, size: tuple[int, int]) -> Image.Image:
    """Return the picture scaled to `size`, upright, and in a mode that the recipe's form can hold.

    Args:
        image: decoded; its EXIF turn not applied.
        recipe: says which form.
        size: as `scaled_size` has it of the whole picture, before the turn.
    """
    form = recipe.image_encode or "png"
    found = _in_a_plain_mode(image)
    if form != "png":
        found = _in_8_bits(found, with_alpha=form == "webp")
    if found.size != size:
        # The gap of 2 lets Pillow average whole pixels first where much is to be taken away.
        found = found.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return upright(found, orientation_of(image))


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return a new picture, turned as EXIF's orientation says, without colour profile, comment, time or that saying."""
    turn = TURNS.get(orientation)
    turned = image.copy() if turn is None else image.transpose(turn)
    turned.info = {}
    return turned


def encoded(image: Image.Image, recipe: RecipeSection) -> tuple[bytes, str]:
    """Return a picture that `remade` gave, or a part of it, as a file, and the file's suffix."""
    form = recipe.image_encode or "png"
    quality = recipe.image_quality or _QUALITY
    target = io.BytesIO()
    if form == "jpeg":
        image.save(target, "JPEG", quality=quality)
    elif form == "webp":
        image.save(target, "WEBP", quality=quality, method=4)
    else:
        image.save(target, "PNG", compress_level=6)
    return target.getvalue(), _SUFFIXES[form]


def _in_a_plain_mode(image: Image.Image) -> Image.Image:
    """Return the picture in a mode that PNG stores without loss: L, LA, RGB, RGBA or 16-bit grey.

    Raises:
        Damaged: its pixels are floats, or whole numbers beyond 16 bits: they have no range of their own.
    """
    if image.mode in ("L", "RGB", "RGBA", "LA", "I;16") and not (image.mode in ("L", "RGB") and _is_keyed(image)):
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I").convert("I;16")
    if image.mode == "I":
        low, high = image.getextrema()
        if isinstance(low, int | float) and isinstance(high, int | float) and low >= 0 and high <= _DEEPEST:
            return image.convert("I;16")
    if image.mode in ("I", "F"):
        raise Damaged(f"pixels of mode {image.mode} have no range of their own (an untouched file would be kept)")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "La":
        return image.convert("LA")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _is_keyed(image: Image.Image) -> bool:
    """Return whether one colour stands for what is transparent."""
    return "transparency" in image.info


def _in_8_bits(image: Image.Image, *, with_alpha: bool) -> Image.Image:
    """Return the picture as L, RGB or, if asked, RGBA: transparent parts lie on white where there is no alpha."""
    if image.mode == "I;16":
        # The high byte of each: a darker scan stays darker.
        return Image.frombytes("L", image.size, image.tobytes()[1::2])
    if image.mode not in ("LA", "RGBA"):
        return image
    clear = image.convert("RGBA")
    if with_alpha:
        return clear
    return Image.alpha_composite(Image.new("RGBA", clear.size, _WHITE), clear).convert(
        "L" if image.mode == "LA" else "RGB"
    )
