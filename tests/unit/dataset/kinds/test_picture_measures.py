"""What is measured of pictures, held against values that are known or worked out plainly."""

import statistics
from pathlib import Path

import pytest
from PIL import Image

from packtrain.dataset.kinds.picture_measures import (
    greys_of,
    mean_brightness,
    measures_of_picture,
    motion_of,
    rounded,
    small_copy,
)
from packtrain.dataset.kinds.piece import Piece
from packtrain.dataset.kinds.registry import KINDS
from source_parts import clip, jpeg, png, read


def test_a_flat_picture_has_its_brightness_and_nothing_else() -> None:
    found = measures_of_picture(Image.new("RGB", (50, 40), (51, 51, 51)))
    assert found == {"brightness": 0.2, "contrast": 0.0, "sharpness": 0.0, "saturation": 0.0}


def test_half_black_half_white_has_the_largest_contrast_and_red_is_saturated() -> None:
    image = Image.new("L", (64, 64), 0)
    image.paste(255, (0, 0, 32, 64))
    assert measures_of_picture(image)["contrast"] == 0.5
    assert measures_of_picture(Image.new("RGB", (9, 9), (255, 0, 0)))["saturation"] == 1.0


def test_sharpness_is_the_variance_of_the_laplacian(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(23, 17, mode="L"))
    with Image.open(tmp_path / "a.png") as image:
        levels = {(x, y): image.getpixel((x, y)) for x in range(23) for y in range(17)}
        found = measures_of_picture(image)
    edges = [
        4 * levels[x, y] - levels[x - 1, y] - levels[x + 1, y] - levels[x, y - 1] - levels[x, y + 1]  # type: ignore[operator]
        for x in range(1, 22)
        for y in range(1, 16)
    ]
    assert found["sharpness"] == pytest.approx(statistics.pvariance(edges), rel=1e-5)
    assert found["contrast"] == pytest.approx(statistics.pstdev(levels.values()) / 255, rel=1e-5)  # type: ignore[type-var]


def test_a_blurred_photograph_is_less_sharp_than_itself(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(200, 150))
    with Image.open(tmp_path / "a.png") as image:
        soft = image.resize((20, 15)).resize((200, 150))
        assert measures_of_picture(soft)["sharpness"] < measures_of_picture(image)["sharpness"] / 10


def test_a_large_picture_is_looked_at_in_a_copy_of_at_most_256_pixels() -> None:
    for size in [(257, 3), (5000, 40), (256, 256), (1, 1)]:
        small = small_copy(Image.new("RGB", size))
        assert small is not None and max(small.size) <= 256
        assert set(measures_of_picture(small)) <= set(KINDS["image"].measures)


def test_motion_is_the_mean_change_and_a_frame_taken_twice_adds_none() -> None:
    dark, light = Image.new("RGB", (8, 8), (0, 0, 0)), Image.new("RGB", (8, 8), (51, 51, 51))
    assert motion_of(greys_of([dark, light])) == pytest.approx(0.2)
    assert motion_of(greys_of([dark, dark, light, light])) == pytest.approx(0.2)
    assert motion_of(greys_of([dark, dark])) == 0.0
    assert mean_brightness(greys_of([dark, light, light])) == pytest.approx(0.4 / 3)


def test_measures_have_six_significant_digits() -> None:
    assert rounded({"a": 2 / 3, "b": 123_456_789, "c": 0}) == {"a": 0.666667, "b": 123_457_000.0, "c": 0.0}


@pytest.mark.parametrize(("name", "payload"), [("a.jpg", jpeg(320, 200)), ("a.mp4", clip(30))])
def test_every_measure_of_the_registry_is_taken(tmp_path: Path, name: str, payload: bytes) -> None:
    (tmp_path / name).write_bytes(payload)
    (piece,) = [found for found in read(tmp_path / name) if isinstance(found, Piece)]
    kind = "image" if name == "a.jpg" else "clip"
    assert set(piece.measures) == set(KINDS[kind].measures)
    assert piece.measures["bytes"] == len(payload)
