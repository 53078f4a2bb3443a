"""How EXIF says that a picture is to be turned."""

from __future__ import annotations

from typing import Final

from PIL import Image

_ORIENTATION_TAG: Final = 0x0112
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its orientation (EXIF 3.0, 4.6.5.1.6); 1 is upright."""


def orientation_of(image: Image.Image) -> int:
    """Return how EXIF says the picture is to be turned, 1 to 8; 1 where it says nothing that has a meaning."""
    found = image.getexif().get(_ORIENTATION_TAG)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
