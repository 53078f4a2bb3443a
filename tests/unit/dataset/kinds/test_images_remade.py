"""Images that the recipe asks to be made anew: turned, scaled, converted, encoded."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from packtrain.dataset.kinds.piece import Damaged, Piece
from packtrain.dataset.kinds.remade import scaled_size
from packtrain.dataset.recipe import check_recipe
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import VoyageFileError
from source_parts import jpeg, png, read

SMALL = RecipeSection(image_resize_pixels=24)


def _pieces(tmp_path: Path, name: str, payload: bytes, recipe: RecipeSection) -> list[Piece]:
    path = tmp_path / name
    path.write_bytes(payload)
    return [found for found in read(path, recipe) if isinstance(found, Piece)]


def _remade(tmp_path: Path, name: str, payload: bytes, recipe: RecipeSection) -> tuple[Image.Image, Piece]:
    (piece,) = _pieces(tmp_path, name, payload, recipe)
    assert piece.payload is not None
    image = Image.open(io.BytesIO(piece.payload))
    image.load()
    return image, piece


def _bytes(image: Image.Image, form: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def _corners(width: int = 60, height: int = 40) -> Image.Image:
    """Red, green, blue and white quarters."""
    image = Image.new("RGB", (width, height))
    for colour, box in (
        ((255, 0, 0), (0, 0)),
        ((0, 255, 0), (width // 2, 0)),
        ((0, 0, 255), (0, height // 2)),
        ((255, 255, 255), (width // 2, height // 2)),
    ):
        image.paste(colour, (*box, box[0] + width // 2, box[1] + height // 2))
    return image


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(8, 16_383))
def test_the_longer_side_is_brought_to_the_limit_and_nothing_is_enlarged(width: int, height: int, longer: int) -> None:
    wide, high = scaled_size((width, height), longer)
    assert max(wide, high) == min(max(width, height), longer)
    assert min(wide, high) >= 1
    exact = min(width, height) * max(wide, high) / max(width, height)
    assert abs(min(wide, high) - max(exact, 1)) <= 0.5 + 1e-9
    assert (wide >= high) == (width >= height) or wide == high


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_turn_of_exif_brings_the_picture_upright(tmp_path: Path, orientation: int, form: str) -> None:
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = _corners()
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    payload = _bytes(stored, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))
    found, piece = _remade(tmp_path, f"a.{form.lower()}", payload, RecipeSection(image_resize_pixels=30))
    assert found.size == (30, 20)
    assert not found.getexif()
    assert (piece.measures["width_pixels"], piece.measures["height_pixels"]) == (60, 40)
    assert piece.detail["exif_orientation"] == orientation
    assert piece.detail["scaled"] == [30, 20]
    for at, colour in {(4, 4): (255, 0, 0), (25, 4): (0, 255, 0), (4, 15): (0, 0, 255), (25, 15): (255,) * 3}.items():
        assert max(abs(a - b) for a, b in zip(found.convert("RGB").getpixel(at), colour, strict=True)) < 30  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("encode", "suffix", "form"), [(None, "png", "PNG"), ("jpeg", "jpg", "JPEG"), ("webp", "webp", "WEBP")]
)
def test_the_form_is_what_the_recipe_says_and_png_where_it_does_not(
    tmp_path: Path, encode: str | None, suffix: str, form: str
) -> None:
    recipe = RecipeSection(image_resize_pixels=24, image_encode=encode)  # type: ignore[arg-type]
    found, piece = _remade(tmp_path, "a.jpg", jpeg(), recipe)
    assert (found.format, piece.suffix, found.size) == (form, suffix, (24, 18))
    assert _pieces(tmp_path, "a.jpg", jpeg(), recipe) == [piece]


def test_encoding_alone_keeps_the_size_and_quality_changes_the_bytes(tmp_path: Path) -> None:
    low, low_piece = _remade(tmp_path, "a.png", png(80, 60), RecipeSection(image_encode="jpeg", image_quality=20))
    high, high_piece = _remade(tmp_path, "a.png", png(80, 60), RecipeSection(image_encode="jpeg"))
    assert low.size == high.size == (80, 60)
    assert len(low_piece.payload or b"") < len(high_piece.payload or b"")
    assert "scaled" not in low_piece.detail


def test_nothing_of_the_source_but_pixels_gets_into_the_sample(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "taken by someone"
    payload = _bytes(_corners(), "JPEG", icc_profile=profile, exif=exif, comment=b"secret", dpi=(300, 300))
    for encode in ("jpeg", "png", "webp"):
        found, piece = _remade(tmp_path, "a.jpg", payload, RecipeSection(image_encode=encode))  # type: ignore[arg-type]
        assert not {"icc_profile", "exif", "comment", "dpi", "xmp"} & set(found.info)
        assert b"someone" not in (piece.payload or b"") and b"secret" not in (piece.payload or b"")


def test_a_photograph_scaled_from_its_reduced_form_looks_as_if_scaled_from_the_whole(tmp_path: Path) -> None:
    payload = jpeg(640, 480)
    found, _ = _remade(tmp_path, "a.jpg", payload, RecipeSection(image_resize_pixels=100))
    whole = Image.open(io.BytesIO(payload)).resize((100, 75), Image.Resampling.BICUBIC)
    differences = [abs(a - b) for a, b in zip(found.tobytes(), whole.tobytes(), strict=True)]
    assert sum(differences) / len(differences) < 1.5


def test_damage_is_found_in_the_reduced_form_where_it_is_found_in_the_whole(tmp_path: Path) -> None:
    whole, draw = jpeg(320, 240), random.Random(11)
    path = tmp_path / "a.jpg"

    def passes(recipe: RecipeSection) -> bool:
        try:
            read(path, recipe)
        except Damaged:
            return False
        return True

    verdicts: list[bool] = []
    for number in range(120):
        damaged = bytearray(whole)
        at = draw.randrange(len(whole))
        if number % 3 == 0:
            del damaged[at:]
        elif number % 3 == 1:
            damaged[at : at + 64] = draw.randbytes(len(damaged[at : at + 64]))
        else:
            del damaged[at : at + 200]
        path.write_bytes(damaged)
        verdicts.append(passes(RecipeSection()))
        assert passes(RecipeSection(image_resize_pixels=32)) == verdicts[-1]
    assert True in verdicts and False in verdicts


def test_inks_of_a_press_become_the_colours_that_were_meant(tmp_path: Path) -> None:
    # Pillow writes CMYK inverted with the mark of Adobe, as image editors do.
    payload = _bytes(_corners().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in payload
    found, piece = _remade(tmp_path, "a.jpg", payload, SMALL)
    assert piece.detail["mode"] == "CMYK"
    assert found.mode == "RGB"
    red = found.getpixel((3, 3))
    assert isinstance(red, tuple) and red[0] > 220 and max(red[1:3]) < 40


def test_a_palette_with_a_clear_colour_keeps_it_in_png_and_lies_on_white_in_jpeg(tmp_path: Path) -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.paste(0, (0, 0, 16, 32))
    payload = _bytes(image, "PNG", transparency=0)
    clear, _ = _remade(tmp_path, "a.png", payload, SMALL)
    assert (clear.mode, clear.getpixel((3, 3))[3]) == ("RGBA", 0)  # type: ignore[index]
    flat, _ = _remade(tmp_path, "a.png", payload, RecipeSection(image_encode="jpeg"))
    assert flat.mode == "RGB"
    assert min(flat.getpixel((3, 3))) > 240  # type: ignore[arg-type,type-var]


@pytest.mark.parametrize(
    ("name", "image", "in_png", "in_jpeg"),
    [
        ("a.png", Image.new("1", (32, 32), 1), "L", "L"),
        ("a.png", Image.new("LA", (32, 32), (90, 128)), "LA", "L"),
        ("a.png", Image.new("I;16", (32, 32), 40_000), "I;16", "L"),
        ("a.tif", Image.new("I;16B", (32, 32), 40_000), "I;16", "L"),
        ("a.pgm", Image.new("I", (32, 32), 40_000), "I;16", "L"),
    ],
    ids=["1", "LA", "I;16", "I;16B", "I"],
)
def test_grey_stays_grey_and_16_bits_stay_16_where_the_form_holds_them(
    tmp_path: Path, name: str, image: Image.Image, in_png: str, in_jpeg: str
) -> None:
    payload = _bytes(image, {"png": "PNG", "tif": "TIFF", "pgm": "PPM"}[name[2:]])
    deep, _ = _remade(tmp_path, name, payload, RecipeSection(image_encode="png"))
    flat, _ = _remade(tmp_path, name, payload, RecipeSection(image_encode="jpeg"))
    assert (deep.mode, flat.mode) == (in_png, in_jpeg)
    small, _ = _remade(tmp_path, name, payload, SMALL)
    assert (small.mode, small.size) == (in_png, (24, 24))
    if in_png == "I;16":
        assert small.getpixel((5, 5)) == 40_000
        assert (deep.getpixel((5, 5)), flat.getpixel((5, 5))) == (40_000, 40_000 >> 8)


@pytest.mark.parametrize("values", [(0.0, 1.0), (-3.5, 1e9)])
def test_floats_have_no_range_and_are_set_aside_only_where_they_would_be_made_anew(
    tmp_path: Path, values: tuple[float, float]
) -> None:
    image = Image.new("F", (32, 32), values[0])
    image.paste(values[1], (0, 0, 16, 32))
    payload = _bytes(image, "TIFF")
    (kept,) = _pieces(tmp_path, "a.tif", payload, RecipeSection())
    assert kept.payload is None and "brightness" not in kept.measures
    with pytest.raises(Damaged, match="no range of their own"):
        _pieces(tmp_path, "a.tif", payload, SMALL)


def test_of_an_animation_the_first_frame_is_made_anew_after_all_were_decoded(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), (level, 0, 0)) for level in (250, 120, 10)]
    payload = _bytes(frames[0], "PNG", save_all=True, append_images=frames[1:])
    found, piece = _remade(tmp_path, "a.png", payload, SMALL)
    assert (getattr(found, "n_frames", 1), piece.measures["frames"], piece.detail["num_frames"]) == (1, 3, 3)
    assert found.getpixel((3, 3)) == (250, 0, 0)
    with pytest.raises(Damaged):
        _pieces(tmp_path, "a.png", payload[: len(payload) * 2 // 3], SMALL)


def test_crops_are_cut_from_the_scaled_image_and_take_the_form_of_the_recipe(tmp_path: Path) -> None:
    recipe = RecipeSection(image_resize_pixels=48, image_crop_pixels=16, image_encode="webp")
    found = _pieces(tmp_path, "a.png", png(96, 64), recipe)
    assert [piece.detail["box"] for piece in found] == [
        [left, top, left + 16, top + 16] for top in (0, 16) for left in (0, 16, 32)
    ]
    assert {piece.suffix for piece in found} == {"webp"}


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (RecipeSection(image_resize_pixels=64, image_crop_pixels=65), "no crop would fit"),
        (RecipeSection(image_quality=80), "image_quality is for images"),
        (RecipeSection(image_quality=80, image_encode="png"), "image_quality is for images"),
        (RecipeSection(clip_keep_until_damage=True), "clip_keep_until_damage is for clips"),
        (RecipeSection(clip_size_pixels=64), "clip_size_pixels is for clips"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(recipe: RecipeSection, message: str) -> None:
    with pytest.raises(VoyageFileError, match=message):
        check_recipe(recipe, "voyage.toml")


def test_fields_that_go_together_are_taken() -> None:
    check_recipe(RecipeSection(image_resize_pixels=64, image_crop_pixels=64, image_encode="webp", image_quality=5), "")
    check_recipe(RecipeSection(clip_frames=4, clip_size_pixels=64, clip_keep_until_damage=True), "")
