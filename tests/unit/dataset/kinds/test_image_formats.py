"""Every format that is read: the whole file passes, and a file cut anywhere does not."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from packtrain.dataset.kinds.image_formats import formats_for
from packtrain.dataset.kinds.piece import Damaged, Piece
from packtrain.dataset.kinds.registry import KINDS
from source_parts import jpeg, png, read


def _picture(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    noise = Image.effect_noise(size, 90).convert("RGB")
    return Image.merge("RGB", [noise.getchannel(0), noise.getchannel(0).rotate(180), Image.new("L", size, 90)]).convert(
        mode
    )


def _saved(form: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        target = io.BytesIO()
        _picture(mode).save(target, form, **options)
        return target.getvalue()

    return make


def _animated(form: str) -> Callable[[], bytes]:
    return _saved(form, save_all=True, append_images=[_picture().rotate(90), _picture().rotate(180)])


def _cursor() -> bytes:
    icon = bytearray(_saved("ICO", sizes=[(16, 16)], bitmap_format="bmp")())
    icon[2] = 2
    return bytes(icon)


def _dcx() -> bytes:
    pcx = _saved("PCX")()
    return struct.pack("<III", 0x3ADE68B1, 12, 0) + pcx


def _sun_raster() -> bytes:
    return struct.pack(">8I", 0x59A66A95, 24, 16, 24, 24 * 16 * 3, 1, 0, 0) + _picture().tobytes()


def _psd() -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 16, 24, 8, 3) + bytes(12)
    return head + b"\0\0" + b"".join(band.tobytes() for band in _picture().split())


def _xpm() -> bytes:
    rows = "".join(f'"{"ab" * 12}",\n' for _ in range(16))
    return f'/* XPM */\nstatic char *p[] = {{\n"24 16 2 1",\n"a c #000000",\n"b c #ffffff",\n{rows}}};\n'.encode()


def _film_of_autodesk() -> bytes:
    """A FLC of one frame: a palette chunk, then the pixels as they are."""
    palette = struct.pack("<HBB", 1, 0, 0) + bytes(range(256)) * 3
    pixels = bytes(number % 256 for number in range(24 * 16))
    chunks = b"".join(struct.pack("<IH", 6 + len(body), kind) + body for kind, body in ((4, palette), (16, pixels)))
    frame = struct.pack("<IHH8x", 16 + len(chunks), 0xF1FA, 2) + chunks
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, 24, 16, 8, 3, 40).ljust(128, b"\0")
    return head + frame


def _icons() -> bytes:
    target = io.BytesIO()
    _picture().resize((16, 16)).save(target, "PNG")
    picture = struct.pack(">4sI", b"icp4", 8 + len(target.getvalue())) + target.getvalue()
    return struct.pack(">4sI", b"icns", 8 + len(picture)) + picture


FILES: dict[str, Callable[[], bytes]] = {
    "a.png": _saved("PNG"),
    "deep.png": _saved("PNG", "I;16"),
    "moving.apng": _animated("PNG"),
    "a.jpg": _saved("JPEG"),
    "progressive.jpeg": _saved("JPEG", progressive=True),
    "cmyk.jpg": _saved("JPEG", "CMYK"),
    "a.mpo": _animated("MPO"),
    "a.webp": _saved("WEBP"),
    "moving.webp": _animated("WEBP"),
    "a.gif": _saved("GIF", "P"),
    "moving.gif": _animated("GIF"),
    "a.bmp": _saved("BMP"),
    "a.dib": _saved("DIB"),
    "a.tif": _saved("TIFF"),
    "pages.tiff": _animated("TIFF"),
    "lzw.tif": _saved("TIFF", compression="tiff_lzw"),
    "deflate.tif": _saved("TIFF", compression="tiff_adobe_deflate"),
    "fax.tif": _saved("TIFF", "1", compression="group4"),
    "deep.tif": _saved("TIFF", "I;16"),
    "float.tif": _saved("TIFF", "F"),
    "a.ppm": _saved("PPM"),
    "a.pfm": _saved("PPM", "F"),
    "a.jp2": _saved("JPEG2000"),
    "a.avif": _saved("AVIF", speed=10, max_threads=1),
    "a.flc": _film_of_autodesk,
    "a.icns": _icons,
    "a.ico": _saved("ICO", sizes=[(16, 16)], bitmap_format="bmp"),
    "a.cur": _cursor,
    "a.psd": _psd,
    "a.qoi": _saved("QOI"),
    "a.dds": _saved("DDS", "RGBA"),
    "packed.dds": _saved("DDS", "RGBA", pixel_format="DXT1"),
    "a.blp": _saved("BLP", "P"),
    "a.sgi": _saved("SGI"),
    "a.pcx": _saved("PCX"),
    "a.dcx": _dcx,
    "a.msp": _saved("MSP", "1"),
    "a.ras": _sun_raster,
    "a.xbm": _saved("XBM", "1"),
    "a.xpm": _xpm,
    "a.tga": _saved("TGA"),
}
# The footer of a TGA file says nothing of the picture, and older files have none. The last lines of an XPM are signs of
# C. Pillow pads the last page of a TIFF with zeros.
MAY_LACK = {"a.tga": 26, "a.xpm": 5, "a.xbm": 3, "pages.tiff": 4}


def _read(tmp_path: Path, name: str, payload: bytes) -> list[Piece]:
    path = tmp_path / name
    path.write_bytes(payload)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what Pillow warns of stays within the reader
        return [found for found in read(path) if isinstance(found, Piece)]


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_a_sample_in_its_own_bytes(tmp_path: Path, name: str) -> None:
    (piece,) = _read(tmp_path, name, FILES[name]())
    assert piece.payload is None
    assert piece.measures["width_pixels"] > 0
    assert piece.measures["frames"] == (
        3 if name in ("moving.apng", "a.mpo", "moving.webp", "moving.gif", "pages.tiff") else 1
    )


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_damaged(tmp_path: Path, name: str) -> None:
    whole = FILES[name]()
    last = len(whole) - MAY_LACK.get(name, 0)
    for cut in sorted({*range(1, last, max(1, last // 40)), *range(max(last - 30, 1), last)}):
        with pytest.raises(Damaged):
            _read(tmp_path, name, whole[:cut])


@pytest.mark.parametrize("name", ["a.png", "moving.gif", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.jp2", "a.qoi"])
def test_what_follows_the_end_of_a_picture_does_no_harm(tmp_path: Path, name: str) -> None:
    (piece,) = _read(tmp_path, name, FILES[name]() + b"\0 a short film" * 40)
    assert piece.payload is None


def test_every_suffix_of_the_registry_has_a_format_and_no_format_runs_programs() -> None:
    tried = {form for suffix in KINDS["image"].suffixes for form in formats_for(suffix)}
    assert {"PNG", "TGA", "SGI", "FLI", "PSD", "QOI", "ICNS"} <= tried
    assert not tried & {"EPS", "WMF", "FITS", "HDF5", "GRIB", "BUFR", "MPEG", "SPIDER"}


@pytest.mark.parametrize("name", ["a.tga", "a.sgi", "a.pcx", "a.xbm"])
def test_formats_without_a_sure_signature_are_read_under_their_own_names_only(tmp_path: Path, name: str) -> None:
    payload = FILES[name]()
    assert len(_read(tmp_path, name, payload)) == 1
    with pytest.raises(Damaged, match="no form of image that is known"):
        _read(tmp_path, "a.jpg", payload)


def test_a_format_with_a_signature_is_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    (piece,) = _read(tmp_path, "a.jpg", png())
    assert (piece.detail["format"], piece.suffix) == ("png", "jpg")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize(
    "bomb",
    [
        _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9)),
        _chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(64 << 20), 9)),
        _chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(64 << 20), 9)),
    ],
    ids=["zTXt", "iCCP", "iTXt"],
)
def test_text_that_swells_is_refused(tmp_path: Path, bomb: bytes) -> None:
    whole = png()
    with pytest.raises(Damaged, match=r"too large|MAX_TEXT"):
        _read(tmp_path, "a.png", whole[:33] + bomb + whole[33:])


def test_an_icon_whose_inner_picture_is_a_bomb_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    inner = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    icon = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(inner), 22) + inner
    with pytest.raises(Damaged, match="3600000000 pixels"):
        _read(tmp_path, "a.ico", icon)


def test_a_tag_longer_than_its_file_is_refused_without_memory_for_it(tmp_path: Path) -> None:
    whole = bytearray(_saved("TIFF")())
    (at,) = struct.unpack_from("<I", whole, 4)
    # The first entry with its value elsewhere: its count becomes four thousand millions.
    for number in range(struct.unpack_from("<H", whole, at)[0]):
        entry = at + 2 + 12 * number
        _, kind, count = struct.unpack_from("<HHI", whole, entry)
        if kind == 3 and count > 2:
            struct.pack_into("<I", whole, entry + 4, 0xFFFFFFF0)
            break
    with pytest.raises(Damaged):
        _read(tmp_path, "a.tif", bytes(whole))


def test_a_gif_of_too_many_frames_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.dataset.kinds.images._MAX_PIXELS_OF_ALL_FRAMES", 24 * 16 * 2)
    with pytest.raises(Damaged, match="3 frames of 24 x 16 are too much"):
        _read(tmp_path, "a.gif", FILES["moving.gif"]())


def test_a_library_that_lets_truncated_images_pass_is_overruled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(Damaged):
        _read(tmp_path, "a.jpg", jpeg()[:-400])
