import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from packtrain.dataset.kinds.piece import Damaged, Piece, one_line
from packtrain.documents.recipe import RecipeSection
from source_parts import jpeg, png, read

CROPS_OF_16 = RecipeSection(image_crop_pixels=16)


def _pieces(path: Path, recipe: RecipeSection | None = None) -> list[Piece]:
    return [found for found in read(path, recipe) if isinstance(found, Piece)]


def _file(tmp_path: Path, name: str, payload: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(payload)
    return path


def test_without_a_crop_size_the_sample_is_the_source_itself(tmp_path: Path) -> None:
    (piece,) = _pieces(_file(tmp_path, "a.png", png(40, 30)))
    assert piece.payload is None
    assert piece.suffix == "png"
    assert (piece.detail["width"], piece.detail["height"], piece.detail["mode"]) == (40, 30, "RGB")


@pytest.mark.parametrize("cut", range(1, 18))
def test_a_truncated_photograph_is_damaged_wherever_it_is_cut(tmp_path: Path, cut: int) -> None:
    whole = jpeg()
    with pytest.raises(Damaged, match="not a readable image"):
        read(_file(tmp_path, "a.jpg", whole[: len(whole) * cut // 18]))


@pytest.mark.parametrize("cut", [30, 100, 1000])
def test_a_png_that_lost_pixels_is_damaged(tmp_path: Path, cut: int) -> None:
    with pytest.raises(Damaged):
        read(_file(tmp_path, "a.png", png()[:-cut]))


def test_an_empty_file_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="empty"):
        read(_file(tmp_path, "a.png", b""))


def test_what_is_no_image_is_refused_in_the_same_words_each_time(tmp_path: Path) -> None:
    reasons: set[str] = set()
    for _ in range(3):
        with pytest.raises(Damaged, match="not a readable image") as caught:
            read(_file(tmp_path, "notes.png", b"these are notes"))
        reasons.add(str(caught.value))
    assert len(reasons) == 1
    assert "0x" not in reasons.pop()


def test_a_reason_holds_no_address_in_memory() -> None:
    found = io.BytesIO()
    assert hex(id(found)) in repr(found)
    assert one_line(ValueError(f"cannot use {found!r} here")) == "cannot use <_io.BytesIO object> here"


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(Damaged, match="10000000000 pixels"):
        read(_file(tmp_path, "a.png", bomb))


def test_a_script_under_the_name_of_an_image_is_not_run(tmp_path: Path) -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(Damaged, match="no form of image that is known"):
        read(_file(tmp_path, "a.png", script))


def test_crops_cover_the_grid_row_by_row_and_hold_the_pixels(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.png", png(40, 50))
    found = _pieces(path, CROPS_OF_16)
    assert [piece.detail["box"] for piece in found] == [
        [left, top, left + 16, top + 16] for top in (0, 16, 32) for left in (0, 16)
    ]
    with Image.open(path) as whole, Image.open(io.BytesIO(found[3].payload or b"")) as crop:
        assert crop.tobytes() == whole.crop((16, 16, 32, 32)).tobytes()
        assert crop.format == "PNG"


def test_crops_are_taken_of_the_upright_image_and_the_turn_is_noted(tmp_path: Path) -> None:
    found = _pieces(_file(tmp_path, "a.jpg", jpeg(160, 32, orientation=6)), CROPS_OF_16)
    assert len(found) == 20
    assert found[-1].detail["box"] == [16, 144, 32, 160]
    assert found[0].detail["exif_orientation"] == 6


def test_an_image_smaller_than_a_crop_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="smaller than a crop"):
        read(_file(tmp_path, "a.png", png(40, 15)), CROPS_OF_16)


@pytest.mark.parametrize(("mode", "expected"), [("1", "L"), ("L", "L"), ("LA", "LA"), ("RGBA", "RGBA")])
def test_crops_keep_the_channels_of_the_image(tmp_path: Path, mode: str, expected: str) -> None:
    target = io.BytesIO()
    Image.new(mode, (16, 16)).save(target, "PNG")
    (piece,) = _pieces(_file(tmp_path, "a.png", target.getvalue()), CROPS_OF_16)
    with Image.open(io.BytesIO(piece.payload or b"")) as crop:
        assert crop.mode == expected


def test_every_frame_of_an_animation_is_decoded(tmp_path: Path) -> None:
    target = io.BytesIO()
    frames = [Image.frombytes("RGB", (32, 32), bytes([n]) * 3072) for n in (0, 90, 180)]
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=40)
    whole = target.getvalue()
    assert len(_pieces(_file(tmp_path, "a.gif", whole))) == 1
    with pytest.raises(Damaged):
        read(_file(tmp_path, "b.gif", whole[: len(whole) - 30]))
