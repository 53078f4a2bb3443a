"""Clips by PyAV: every frame is decoded; a clip that cannot be, or only by guessing, is set aside alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import av
import av.error
import av.logging
from PIL import Image

from packtrain.dataset.kinds.animation import animated_webp
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece, Setback, Tally, one_line
from packtrain.documents.recipe import RecipeSection

# A playlist or a script of file names under the name x.mp4 would make the demuxer open other files and addresses:
# only true containers are tried, and none of the library's protocols may be opened.
_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf"
_OPTIONS: Final = {"format_whitelist": _CONTAINERS, "protocol_whitelist": ""}
_MAX_FRAME_PIXELS: Final = 8192 * 8192
# Edit lists hide frames on purpose (a phone cuts a clip without rewriting it); a larger gap is a cut file.
_LEAST_SHARE_OF_FRAMES: Final = 0.9
# A sample is held in memory while it is put together: 1 GiB of pixels.
_MAX_SAMPLE_PIXEL_BYTES: Final = 1 << 30

_UNREADABLE: Final = (
    av.error.FFmpegError,
    OSError,
    ValueError,
    EOFError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
)


def pieces_of_clip(source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield the clip itself, or its consecutive runs of `clip_frames` frames as animated lossless WebP.

    Frames are scaled so that the shorter side is `clip_size_pixels` and cut to the square in the centre. Frames at the
    end that fill no run are counted, not kept.

    Raises:
        Damaged: no container of ours, no picture stream, damaged or missing frames, or fewer frames than one run.
    """
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    av.logging.set_level(None)  # what the library would print to stderr comes to us as errors and as corrupt frames
    try:
        with av.open(source.stream, options=_OPTIONS, metadata_errors="replace") as container:
            yield from _read(container, source, recipe)
    except _UNREADABLE as error:
        raise Damaged(f"not a readable clip: {one_line(error)}") from error


def _read(container: Any, source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    if not container.streams.video:
        raise Damaged("no picture stream in the file")
    stream = container.streams.video[0]
    # One thread: threaded decoders of some codecs return other frames after damage, and not always the same ones.
    stream.thread_type = "NONE"
    detail: dict[str, Any] = {
        "width": int(stream.codec_context.width),
        "height": int(stream.codec_context.height),
        "codec": str(stream.codec_context.name),
        "container": str(container.format.name),
    }
    if detail["width"] * detail["height"] > _MAX_FRAME_PIXELS:
        raise Damaged(f"frames of {detail['width']} x {detail['height']} pixels are too large")
    size, per_sample = recipe.clip_size_pixels, recipe.clip_frames
    run: list[Image.Image] = []
    times: list[float] = []
    num_frames = 0
    for frame in _sound_frames(container, stream):
        if num_frames == 0:
            detail["rotation"] = int(frame.rotation)
        num_frames += 1
        if per_sample is None:
            continue
        run.append(_scaled(frame, size))
        times.append(_seconds(frame))
        if len(run) * run[0].width * run[0].height * 3 > _MAX_SAMPLE_PIXEL_BYTES:
            raise Damaged("one sample would hold more than 1 GiB of pixels: lower clip_frames or clip_size_pixels")
        if len(run) == per_sample:
            first = num_frames - per_sample
            yield Piece(
                animated_webp(run, times), "webp", {**detail, "first_frame": first, "times_seconds": list(times)}
            )
            run, times = [], []
    if num_frames == 0:
        raise Damaged("no frame could be decoded")
    if stream.frames and num_frames < _LEAST_SHARE_OF_FRAMES * stream.frames:
        raise Damaged(f"file ends early: {num_frames} of {stream.frames} frames")
    if per_sample is None:
        yield Piece(None, source.suffix, {**detail, "num_frames": num_frames})
    elif num_frames < per_sample:
        raise Damaged(f"clip has {num_frames} frames, fewer than clip_frames = {per_sample}")
    yield Tally(left_over=len(run))


def _sound_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames in the order of time; damage that a player would paper over is an error here."""
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise Damaged("file is cut or damaged: a packet is incomplete")
        for frame in packet.decode():
            if frame.is_corrupt:
                raise Damaged(f"damaged picture data near {_seconds(frame):.2f} s")
            yield frame


def _scaled(frame: Any, size: int | None) -> Image.Image:
    if size is None:
        return frame.to_image()
    width, height = int(frame.width), int(frame.height)
    short = min(width, height)
    if short == 0:
        raise Damaged("a frame has no pixels")
    # Rounded up, or a side could come out one pixel short of the square.
    scaled_width, scaled_height = -(-width * size // short), -(-height * size // short)
    scaled = frame.reformat(width=scaled_width, height=scaled_height, format="rgb24", interpolation="AREA").to_image()
    left, top = (scaled_width - size) // 2, (scaled_height - size) // 2
    return scaled.crop((left, top, left + size, top + size))


def _seconds(frame: Any) -> float:
    # To the microsecond: finer digits are noise of a time base turned into a float.
    return round(float(frame.time), 6) if frame.time is not None else 0.0
