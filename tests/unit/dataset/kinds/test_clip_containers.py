"""Clips in the containers that are read, and odd ones among them: turned, uneven, cut, of one frame, with a cover."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from packtrain.dataset.kinds.piece import Damaged, Piece, Setback, Tally
from packtrain.documents.recipe import RecipeSection
from source_parts import clip, png, read

RUNS_OF_4 = RecipeSection(clip_frames=4, clip_size_pixels=16)
UNTIL_DAMAGE = RecipeSection(clip_frames=4, clip_size_pixels=16, clip_keep_until_damage=True)

# container, suffix, codec, pixel form
FORMS = [
    ("mp4", "mp4", "mpeg4", "yuv420p"),
    ("mov", "mov", "libx264", "yuv420p"),
    ("matroska", "mkv", "mpeg4", "yuv420p"),
    ("webm", "webm", "libvpx-vp9", "yuv420p"),
    ("avi", "avi", "mpeg4", "yuv420p"),
    ("mpeg", "mpg", "mpeg2video", "yuv420p"),
    ("mpegts", "m2ts", "libx264", "yuv420p"),
    ("ogg", "ogv", "libvpx", "yuv420p"),
    ("flv", "flv", "flv", "yuv420p"),
    ("asf", "wmv", "msmpeg4", "yuv420p"),
    ("mxf", "mxf", "mpeg2video", "yuv420p"),
    ("nut", "nut", "ffv1", "yuv420p"),
    ("ivf", "ivf", "libvpx-vp9", "yuv420p"),
    ("yuv4mpegpipe", "y4m", "wrapped_avframe", "yuv420p"),
    ("matroska", "mkv", "libx265", "yuv420p10le"),
    ("webm", "webm", "libvpx-vp9", "yuva420p"),
    ("matroska", "mkv", "ffv1", "gray16le"),
]


def _film(
    container_name: str = "mp4",
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    *,
    size: tuple[int, int] = (64, 48),
    times: Sequence[int] = tuple(range(12)),
    rate: int = 25,
) -> bytes:
    """Return a film of frames that get brighter, shown at `times` of 1 / rate seconds."""
    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.time_base = Fraction(1, rate)
        for number, at in enumerate(times):
            image = Image.new("RGB", size, (20 * number % 256, 60, 90))
            frame = av.VideoFrame.from_image(image).reformat(format=pix_fmt)
            frame.pts, frame.time_base = at, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def _read(tmp_path: Path, payload: bytes, name: str, recipe: RecipeSection | None = None) -> list[Any]:
    path = tmp_path / name
    path.write_bytes(payload)
    return read(path, recipe)


def _pieces(tmp_path: Path, payload: bytes, name: str, recipe: RecipeSection | None = None) -> list[Piece]:
    return [found for found in _read(tmp_path, payload, name, recipe) if isinstance(found, Piece)]


@pytest.mark.parametrize(("container", "suffix", "codec", "pix_fmt"), FORMS, ids=lambda value: str(value))
def test_each_container_is_read_whole_and_in_runs(
    tmp_path: Path, container: str, suffix: str, codec: str, pix_fmt: str
) -> None:
    payload = _film(container, codec, pix_fmt)
    (whole,) = _pieces(tmp_path, payload, f"a.{suffix}")
    assert (whole.payload, whole.measures["frames"], whole.measures["width_pixels"]) == (None, 12, 64)
    assert len(_pieces(tmp_path, payload, f"a.{suffix}", RUNS_OF_4)) == 3


@pytest.mark.parametrize("cut", [0.35, 0.7, 0.99])
@pytest.mark.parametrize(("container", "suffix", "codec"), [("matroska", "mkv", "mpeg4"), ("avi", "avi", "mpeg4")])
def test_a_cut_container_is_damaged(tmp_path: Path, container: str, suffix: str, codec: str, cut: float) -> None:
    payload = _film(container, codec, times=range(60))
    with pytest.raises(Damaged):
        _read(tmp_path, payload[: int(len(payload) * cut)], f"a.{suffix}")


def test_times_of_an_uneven_film_are_kept(tmp_path: Path) -> None:
    times = (0, 1, 2, 10, 11, 30, 31, 32)
    found = _pieces(tmp_path, _film("matroska", times=times), "a.mkv", RUNS_OF_4)
    told = [each for piece in found for each in piece.detail["times_seconds"]]  # type: ignore[union-attr]
    assert told == [at / 25 for at in times]
    with Image.open(io.BytesIO(found[0].payload or b"")) as animation:
        durations = []
        for number in range(4):
            animation.seek(number)
            animation.load()
            durations.append(animation.info["duration"])
    assert durations == [40, 40, 320, 320]


def test_a_film_that_begins_late_keeps_its_times_and_its_length(tmp_path: Path) -> None:
    (whole,) = _pieces(tmp_path, _film("matroska", times=range(50, 62)), "a.mkv")
    assert whole.measures["seconds"] == pytest.approx(12 / 25, abs=0.002)
    assert whole.measures["frames_per_second"] == pytest.approx(25, rel=0.01)


def _turned(payload: bytes, degrees: int) -> bytes:
    """Return an MP4 whose track header turns it clockwise (QuickTime file format, "Matrices")."""
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    at = payload.index(b"tkhd") + 4 + 40
    assert struct.unpack_from(">9i", payload, at) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    return payload[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + payload[at + 36 :]


@pytest.mark.parametrize(("degrees", "lit"), [(90, "right"), (180, "bottom"), (270, "left")])
def test_frames_are_turned_as_the_file_says(tmp_path: Path, degrees: int, lit: str) -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        image = Image.new("RGB", (64, 64), (0, 0, 0))
        image.paste((255, 255, 255), (0, 0, 64, 16))
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    (run,) = _pieces(tmp_path, _turned(target.getvalue(), degrees), "a.mp4", RUNS_OF_4)
    assert abs(int(run.detail["rotation"])) == (90 if degrees != 180 else 180)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(run.payload or b"")) as frame:
        grey = frame.convert("L")
    places = {"top": (8, 1), "right": (14, 8), "bottom": (8, 14), "left": (1, 8)}
    assert {name for name, at in places.items() if int(grey.getpixel(at) or 0) > 128} == {lit}  # type: ignore[arg-type]


@pytest.mark.parametrize("num_frames", [1, 2])
def test_a_film_of_a_frame_or_two_is_a_sample(tmp_path: Path, num_frames: int) -> None:
    (whole,) = _pieces(tmp_path, _film("matroska", times=range(num_frames)), "a.mkv")
    assert whole.measures["frames"] == num_frames
    assert ("motion" in whole.measures) == (num_frames > 1)


@pytest.mark.parametrize("size", [(64, 36), (62, 50), (18, 90)])
def test_odd_sizes_become_squares(tmp_path: Path, size: tuple[int, int]) -> None:
    payload = _film("matroska", "ffv1", "yuv444p", size=(size[0] + 1, size[1] + 1))
    for piece in _pieces(tmp_path, payload, "a.mkv", RUNS_OF_4):
        with Image.open(io.BytesIO(piece.payload or b"")) as frame:
            assert frame.size == (16, 16)


def test_without_a_size_frames_keep_theirs(tmp_path: Path) -> None:
    found = _pieces(tmp_path, _film(size=(62, 50)), "a.mp4", RecipeSection(clip_frames=6))
    with Image.open(io.BytesIO(found[0].payload or b"")) as frame:
        assert frame.size == (62, 50)


def test_frames_of_a_hundred_megapixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    head = b"YUV4MPEG2 W12000 H12000 F25:1 Ip C420jpeg\nFRAME\n"
    with pytest.raises(Damaged, match=r"too large|not a readable clip"):
        _read(tmp_path, head + bytes(4096), "a.y4m")


def _with_cover(*, film: bool) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        sound: Any = container.add_stream("pcm_s16le", rate=8000)
        stream: Any = None
        if film:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.add_attachment("cover.png", "image/png", png())
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(1600))
        container.mux(sound.encode(frame))
        if stream is not None:
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))))
            container.mux(stream.encode())
        container.mux(sound.encode())
    return target.getvalue()


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="no picture stream in the file"):
        _read(tmp_path, _with_cover(film=False), "a.mkv")
    (whole,) = _pieces(tmp_path, _with_cover(film=True), "a.mkv")
    assert whole.measures["frames"] == 5


def test_of_several_films_the_first_is_taken(tmp_path: Path) -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        streams: list[Any] = []
        for width in (64, 128):
            stream: Any = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
            streams.append(stream)
        for stream in streams:
            for _ in range(6):
                container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (stream.width, 48)))))
            container.mux(stream.encode())
    (whole,) = _pieces(tmp_path, target.getvalue(), "a.mp4")
    assert (whole.measures["width_pixels"], whole.measures["frames"]) == (64, 6)


# --- a broken tail


def _broken(at: float = 0.6) -> bytes:
    payload = _film("matroska", "mpeg4", times=range(60))
    return payload[: int(len(payload) * at)]


def test_what_comes_before_damage_is_kept_only_where_the_recipe_says_so(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        _read(tmp_path, _broken(), "a.mkv", RUNS_OF_4)
    found = _read(tmp_path, _broken(), "a.mkv", UNTIL_DAMAGE)
    runs = [each for each in found if isinstance(each, Piece)]
    sound = _pieces(tmp_path, _film("matroska", "mpeg4", times=range(60)), "b.mkv", RUNS_OF_4)
    assert 1 <= len(runs) < len(sound)
    assert [each.payload for each in runs] == [each.payload for each in sound[: len(runs)]]
    setback, tally = found[-2:]
    assert isinstance(setback, Setback) and setback.place.startswith("from ") and setback.error
    assert isinstance(tally, Tally) and 0 < tally.num_lost / tally.num_parts < 1


def test_a_sound_clip_is_not_touched_by_that_wish(tmp_path: Path) -> None:
    assert _read(tmp_path, clip(10), "a.mp4", UNTIL_DAMAGE) == _read(tmp_path, clip(10), "a.mp4", RUNS_OF_4)


@pytest.mark.parametrize("payload", [b"", b"no clip at all", clip(3)])
def test_nothing_before_the_damage_is_a_clip_set_aside(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(Damaged):
        _read(tmp_path, payload, "a.mp4", UNTIL_DAMAGE)


@pytest.mark.parametrize("name", ["sound.ogg", "sound.mkv"])
def test_sound_under_the_name_of_a_film_is_set_aside(tmp_path: Path, name: str) -> None:
    wave = b"RIFF" + struct.pack("<I", 36 + 800) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    with pytest.raises(Damaged, match="not a readable clip"):
        _read(tmp_path, wave + b"data" + struct.pack("<I", 800) + bytes(800), name)
