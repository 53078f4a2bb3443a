"""Small pictures of samples, made from bytes that nobody vouches for: what cannot be shown says why, in words."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from packtrain.dataset.kinds.image_formats import UNREADABLE, all_formats
from packtrain.dataset.kinds.images import MAX_PIXELS
from packtrain.dataset.kinds.piece import one_line
from packtrain.dataset.looking.look import Thumb
from packtrain.dataset.looking.media import NotThere

IMAGE_PIXELS: Final = 160
FRAME_PIXELS: Final = 112
NUM_FRAMES: Final = 5
_QUALITY: Final = 72
_BEHIND_TRANSPARENT: Final = (200, 204, 210)
_BOX: Final = (255, 64, 32)
# Frames that are decoded to come to one time: a seek lands at a key frame, and some files have one a minute.
_MOST_FRAMES_TO_A_TIME: Final = 600
_MAX_FRAME_PIXELS: Final = 8192 * 8192


def image_thumbs(
    opened: Callable[[], BinaryIO], box: Sequence[int] = (), box_width: int | None = None
) -> tuple[Thumb, ...]:
    """Return the thumbnail of an image, of its first frame, upright.

    Args:
        opened: opens its bytes.
        box: left, top, right, lower edge of a part of it that gets a frame, in pixels of the upright image; or none.
        box_width: how wide the image is in the pixels of the box, where it was scaled before it was cut.
    """
    try:
        with opened() as stream:
            return (_image_thumb(stream, box, box_width),)
    except NotThere as error:
        return (Thumb(b"", error=str(error)),)
    except UnidentifiedImageError:
        return (Thumb(b"", error="no form of image that is known"),)
    except UNREADABLE as error:
        return (Thumb(b"", error=one_line(error)),)


def clip_thumbs(opened: Callable[[], BinaryIO], times_seconds: Sequence[float] = ()) -> tuple[Thumb, ...]:
    """Return a few frames of a clip, evenly spread over its time.

    Args:
        opened: opens its bytes: an animated WebP of ours, or what a camera wrote.
        times_seconds: of the frames of a WebP, whose own times begin at 0; of another file the times wanted.
    """
    from av.error import FFmpegError

    try:
        with opened() as stream:
            is_ours = stream.read(16)[8:12] == b"WEBP"
            stream.seek(0)
            return tuple(_webp_frames(stream, times_seconds) if is_ours else _clip_frames(stream, times_seconds))
    except NotThere as error:
        return (Thumb(b"", error=str(error)),)
    except (*UNREADABLE, FFmpegError) as error:
        return (Thumb(b"", error=one_line(error)),)


def _image_thumb(stream: BinaryIO, box: Sequence[int], box_width: int | None) -> Thumb:
    with _guarded(), Image.open(stream, formats=all_formats()) as image:
        size = image.size
        # A JPEG is decoded at a half, a quarter, an eighth of its size where that is enough.
        image.draft(None, (2 * IMAGE_PIXELS, 2 * IMAGE_PIXELS))
        image.load()
        upright = ImageOps.exif_transpose(image)
        full_width = size[0] if upright.size == image.size else size[1]
        small = _small(upright, IMAGE_PIXELS)
    if box:
        scale = small.width / (box_width or full_width)
        frame = [round(edge * scale) for edge in box]
        ImageDraw.Draw(small).rectangle((frame[0], frame[1], frame[2] - 1, frame[3] - 1), outline=_BOX, width=2)
    return _thumb(small)


def _webp_frames(stream: BinaryIO, times_seconds: Sequence[float]) -> Iterator[Thumb]:
    with _guarded(), Image.open(stream, formats=["WEBP"]) as image:
        num_frames = int(getattr(image, "n_frames", 1))
        for number in _spread(num_frames):
            image.seek(number)
            image.load()
            at = times_seconds[number] if number < len(times_seconds) else None
            yield _thumb(_small(image, FRAME_PIXELS), at)


def _clip_frames(stream: BinaryIO, times_seconds: Sequence[float]) -> Iterator[Thumb]:
    import av
    import av.logging

    from packtrain.dataset.kinds.clips import OPEN_OPTIONS

    av.logging.set_level(None)
    with av.open(stream, options=OPEN_OPTIONS, metadata_errors="replace") as container:
        if not container.streams.video:
            raise ValueError("no picture stream in the file")
        video: Any = container.streams.video[0]
        if int(video.codec_context.width) * int(video.codec_context.height) > _MAX_FRAME_PIXELS:
            raise ValueError("its frames are too large")
        # One thread: see kinds/clips.py.
        video.thread_type = "NONE"
        seen: set[int] = set()
        for wanted in times_seconds or _times(container, video):
            frame = _frame_at(container, video, wanted)
            if frame is not None and frame.pts not in seen:
                seen.add(frame.pts)
                at = round(float(frame.time), 6) if frame.time is not None else None
                yield _thumb(_small(_turned(frame), FRAME_PIXELS), at)
        if not seen:
            raise ValueError("no frame could be decoded")


def _times(container: Any, video: Any) -> list[float]:
    """Return the middles of equal parts of the clip's time, from the time of its first frame on."""
    start = float(video.start_time * video.time_base) if video.start_time is not None else 0.0
    if video.duration is not None:
        seconds = float(video.duration * video.time_base)
    else:
        seconds = float(container.duration or 0) / 1e6
    return [start + seconds * (i + 0.5) / NUM_FRAMES for i in range(NUM_FRAMES)] if seconds > 0 else [start]


def _frame_at(container: Any, video: Any, seconds: float) -> Any:
    """Return the first frame that is shown at this time or later; of a damaged tail the last frame before it."""
    from av.error import FFmpegError

    found: Any = None
    try:
        container.seek(max(int(seconds / video.time_base), 0), stream=video, backward=True)
        for number, frame in enumerate(container.decode(video)):
            found = frame
            if frame.time is None or frame.time >= seconds - 1e-6 or number == _MOST_FRAMES_TO_A_TIME:
                break
    except FFmpegError:
        if found is None:
            raise
    return found


def _turned(frame: Any) -> Image.Image:
    # FFmpeg's rotation counts against the clock, as Pillow's does.
    return frame.to_image().rotate(int(frame.rotation), expand=True) if frame.rotation else frame.to_image()


def _spread(num_frames: int) -> list[int]:
    """Return numbers of up to five frames from the first to the last."""
    wanted = min(num_frames, NUM_FRAMES)
    return sorted({i * (num_frames - 1) // max(wanted - 1, 1) for i in range(wanted)})


def _small(image: Image.Image, side: int) -> Image.Image:
    """Return an image at most `side` pixels wide and high, as RGB on grey."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _stretched(image)
    if image.mode not in ("L", "RGB"):
        coloured = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
        image = coloured
        if coloured.mode == "RGBA":
            image = Image.new("RGB", coloured.size, _BEHIND_TRANSPARENT)
            image.paste(coloured, mask=coloured.getchannel("A"))
    small = image.copy()
    # Never enlarged here: a crop of 16 pixels travels as 16 pixels, and the page enlarges it without smoothing.
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return small.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Return an image of more than 8 bits with its darkest pixel black and its lightest white."""
    wide = image.convert("F")
    extrema: Any = wide.getextrema()
    low, high = extrema
    scale = 255.0 / (high - low) if high > low else 0.0
    return wide.point(lambda value: value * scale - low * scale).convert("L")


def _thumb(image: Image.Image, at_seconds: float | None = None) -> Thumb:
    target = io.BytesIO()
    # A new image: no metadata of the source, a place or a name, gets onto the page.
    pixels = Image.frombytes("RGB", image.size, image.tobytes())
    pixels.save(target, "WEBP", quality=_QUALITY, method=4)
    return Thumb(target.getvalue(), image.width, image.height, at_seconds=at_seconds)


def _guarded() -> warnings.catch_warnings:
    """Return a context without Pillow's warnings, in which its bound on pixels is ours."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    return warnings.catch_warnings(action="ignore")
