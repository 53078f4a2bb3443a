"""Thumbnails of bytes that nobody vouches for: small, upright, and never an error that ends the page."""

import io
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from packtrain.dataset.kinds import clips, images
from packtrain.dataset.kinds.animation import animated_webp
from packtrain.dataset.looking import thumbs
from packtrain.dataset.looking.look import Thumb
from source_parts import clip, jpeg, png


def _opens(payload: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(payload)


def _image(thumb: Thumb) -> Image.Image:
    assert thumb.error == ""
    return Image.open(io.BytesIO(thumb.payload)).convert("RGB")


def _webp(num_frames: int) -> bytes:
    frames = [Image.new("RGB", (24, 16), (20 * i, 0, 0)) for i in range(num_frames)]
    return animated_webp(frames, [i / 10 for i in range(num_frames)])


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (png(320, 160), (160, 80)),
        (png(40, 30), (40, 30)),
        (jpeg(1600, 1200), (160, 120)),
        (jpeg(1600, 1200, orientation=6), (120, 160)),
        (_saved(Image.new("CMYK", (300, 30)), "JPEG"), (160, 16)),
        (_saved(Image.new("P", (10, 10)), "GIF"), (10, 10)),
        (_saved(Image.new("1", (64, 64)), "TIFF"), (64, 64)),
        (_saved(Image.new("F", (64, 64), 0.5), "TIFF"), (64, 64)),
    ],
)
def test_a_thumbnail_is_small_and_upright(payload: bytes, size: tuple[int, int]) -> None:
    (thumb,) = thumbs.image_thumbs(_opens(payload))
    assert (thumb.width, thumb.height) == _image(thumb).size == size


def test_sixteen_bits_are_stretched_so_that_a_dark_picture_is_seen() -> None:
    dark = Image.new("I;16", (32, 32), 100)
    dark.paste(300, (8, 8, 24, 24))
    (thumb,) = thumbs.image_thumbs(_opens(_saved(dark, "PNG")))
    shown = _image(thumb).convert("L")
    assert shown.getpixel((1, 1)) < 40  # pyright: ignore[reportOperatorIssue]
    assert shown.getpixel((16, 16)) > 215  # pyright: ignore[reportOperatorIssue]


def test_what_is_transparent_lies_on_grey() -> None:
    (thumb,) = thumbs.image_thumbs(_opens(_saved(Image.new("RGBA", (32, 32), (255, 0, 0, 0)), "PNG")))
    red, green, blue = _image(thumb).getpixel((16, 16))  # pyright: ignore[reportGeneralTypeIssues]
    assert abs(red - 200) < 8
    assert abs(green - 204) < 8
    assert abs(blue - 210) < 8


def test_the_frame_of_a_part_lies_where_the_part_was() -> None:
    payload = _saved(Image.new("RGB", (640, 320), (0, 0, 255)), "PNG")
    (thumb,) = thumbs.image_thumbs(_opens(payload), [320, 160, 640, 320])
    image = _image(thumb)

    def red(at: tuple[int, int]) -> int:
        return image.getpixel(at)[0]  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]

    assert red((81, 60)) > 150  # the left edge of the frame, a quarter of the size
    assert red((120, 60)) < 60
    assert red((40, 20)) < 60


def test_no_metadata_of_the_source_gets_into_a_thumbnail() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a person's name"
    (thumb,) = thumbs.image_thumbs(_opens(_saved(Image.new("RGB", (50, 50)), "JPEG", exif=exif, comment=b"a name")))
    assert b"name" not in thumb.payload


def test_frames_of_a_clip_are_spread_over_its_time() -> None:
    found = thumbs.clip_thumbs(_opens(clip(40)))
    times = [thumb.at_seconds for thumb in found]
    assert times == [0.4, 1.2, 2.0, 2.8, 3.6]
    assert {_image(thumb).size for thumb in found} == {(64, 48)}
    assert [thumb.at_seconds for thumb in thumbs.clip_thumbs(_opens(clip(40)), [0.5, 3.0])] == [0.5, 3.0]


def test_frames_of_a_sample_of_ours_are_those_of_its_times() -> None:
    found = thumbs.clip_thumbs(_opens(_webp(12)), [7 + i / 10 for i in range(12)])
    assert [thumb.at_seconds for thumb in found] == [7.0, 7.2, 7.5, 7.8, 8.1]
    red = [_image(thumb).getpixel((5, 5))[0] for thumb in found]  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]
    assert red == sorted(red)
    assert len(thumbs.clip_thumbs(_opens(_webp(1)), [0.0])) == 1


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    header = png(8, 8)
    bomb = header[:16] + (60_000).to_bytes(4, "big") * 2 + header[24:]
    (thumb,) = thumbs.image_thumbs(_opens(bomb))
    assert thumb.payload == b""
    assert thumb.error


@pytest.mark.parametrize("payload", [b"", b"#EXTM3U\nhttp://127.0.0.1:1/x.mp4\n", b"%!PS-Adobe\n", b"RIFF\0\0\0\0WEBP"])
def test_what_is_none_of_the_forms_is_a_reason_in_words(payload: bytes) -> None:
    for found in (thumbs.image_thumbs(_opens(payload)), thumbs.clip_thumbs(_opens(payload))):
        assert [bool(thumb.error) for thumb in found] == [True]


SOUND = (png(20, 20), jpeg(64, 48), _saved(Image.new("P", (9, 9)), "GIF"), _webp(3), clip(6))


@given(st.sampled_from(SOUND), st.data())
def test_damaged_bytes_end_in_a_picture_or_in_words(payload: bytes, data: st.DataObject) -> None:
    damaged = bytearray(payload[: data.draw(st.integers(0, len(payload)), "length")])
    for _ in range(data.draw(st.integers(0, 4), "flips")):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1), "at")] ^= data.draw(st.integers(1, 255), "with")
    for found in (thumbs.image_thumbs(_opens(bytes(damaged))), thumbs.clip_thumbs(_opens(bytes(damaged)))):
        assert found
        for thumb in found:
            assert bool(thumb.payload) != bool(thumb.error)


def test_no_form_is_opened_here_that_the_readers_of_the_kinds_do_not_open() -> None:
    assert thumbs._FORMATS == images._FORMATS  # pyright: ignore[reportPrivateUsage]
    assert thumbs._OPTIONS == clips._OPTIONS  # pyright: ignore[reportPrivateUsage]
