"""Clips by PyAV: every frame is decoded; a clip that cannot be, or only by guessing, is set aside alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import av.error
import av.logging
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from PIL import Image

from packtrain.dataset.kinds.animation import animated_webp
from packtrain.dataset.kinds.container_ends import ends_early
from packtrain.dataset.kinds.frame_samples import NUM_SAMPLED, FrameSamples, image_of
from packtrain.dataset.kinds.picture_measures import greys_of, mean_brightness, motion_of, rounded
from packtrain.dataset.kinds.piece import Damaged, Detail, OpenSource, Piece, Setback, Tally, one_line
from packtrain.dataset.kinds.registry import near_method
from packtrain.documents.recipe import RecipeSection

# A playlist or a script of file names under the name x.mp4 would make the demuxer open other files and addresses:
# only true containers are tried, and none of the library's protocols may be opened.
_CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,mxf,nut,ivf,dv,yuv4mpegpipe"
)
OPEN_OPTIONS: Final = {"format_whitelist": _CONTAINERS, "protocol_whitelist": ""}
_MAX_FRAME_PIXELS: Final = 8192 * 8192
# Edit lists hide frames on purpose (a phone cuts a clip without rewriting it); a larger gap is a cut file.
_LEAST_SHARE_OF_FRAMES: Final = 0.9
# A sample is held in memory while it is put together: 1 GiB of pixels.
_MAX_SAMPLE_PIXEL_BYTES: Final = 1 << 30
# Pictures in a container that are no film: covers of albums, previews.
_NO_FILM: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_QUARTER_TURNS: Final = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    -180: Image.Transpose.ROTATE_180,
    -90: Image.Transpose.ROTATE_270,
}

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

    Frames are turned as the file says, scaled so that the shorter side is `clip_size_pixels`, and cut to the square in
    the centre. Frames at the end that fill no run are counted, not kept. With `clip_keep_until_damage` the runs before
    damage are kept, and what comes after them is a setback.

    Raises:
        Damaged: no container of ours, no film in it, damaged or missing frames, or fewer frames than one run.
    """
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    av.logging.set_level(None)  # what the library would print to stderr comes to us as errors and as corrupt frames
    is_cut = ends_early(source.stream, source.size_bytes)
    num_yielded = 0
    clip: _Clip | None = None
    try:
        with av.open(source.stream, options=OPEN_OPTIONS, metadata_errors="replace") as container:
            clip = _Clip(container, source, recipe, is_cut=is_cut)
            for piece in clip.pieces():
                num_yielded += 1
                yield piece
            yield Tally(left_over=clip.left_over)
            return
    except Damaged as error:
        reason, cause = str(error), error.__cause__
    except _UNREADABLE as error:
        reason, cause = f"not a readable clip: {one_line(error)}", error
    if clip is None or num_yielded == 0 or not recipe.clip_keep_until_damage:
        raise Damaged(reason) from cause
    yield Setback(f"from {clip.kept_seconds:.3f} s", reason)
    # Where the file does not say how many frames it has, half of it counts as lost.
    expected = max(clip.frames_told, clip.num_kept + 1)
    lost = expected - clip.num_kept if clip.frames_told else clip.num_kept
    yield Tally(num_parts=clip.num_kept + lost, num_lost=lost)


class _Clip:
    """One open clip on its way through the decoder.

    Attributes:
        frames_told: how many frames the file says it has; 0 where it does not say.
        num_kept, kept_seconds: frames in the runs that were yielded, and the time at which the next one begins.
        left_over: frames after the last full run.
    """

    def __init__(self, container: Any, source: OpenSource, recipe: RecipeSection, *, is_cut: bool) -> None:
        self._container = container
        self._source = source
        self._recipe = recipe
        self._stream = _film_of(container)
        # One thread: threaded decoders of some codecs return other frames after damage, and not always the same ones.
        self._stream.thread_type = "NONE"
        # Before anything is allocated: frames may grow in the middle of a stream.
        self._stream.codec_context.options = {"max_pixels": str(_MAX_FRAME_PIXELS)}
        self._detail = _detail(container, self._stream)
        self._is_cut = is_cut
        self._near = near_method(recipe, "clip") is not None
        self._scaler = VideoReformatter()
        self.frames_told = int(self._stream.frames)
        self.num_kept = 0
        self.kept_seconds = 0.0
        self.left_over = 0

    def pieces(self) -> Iterator[Piece]:
        """Yield the samples; damage that a player would paper over is an error."""
        num_frames = 0
        runs = None if self._recipe.clip_frames is None else _Runs(self._recipe.clip_frames)
        whole = _Whole(_told_seconds(self._container, self._stream))
        for frame in self._sound_frames():
            if num_frames == 0:
                self._note_of(frame)
            num_frames += 1
            if runs is None:
                whole.take(frame)
                continue
            runs.take(self._scaled(frame), _seconds(frame), _end_seconds(frame))
            if runs.is_full:
                yield self._run(runs, num_frames - runs.length)
                self.num_kept, self.kept_seconds = num_frames, runs.ends
                runs.clear()
        if num_frames == 0:
            raise Damaged("no frame could be decoded")
        if num_frames < _LEAST_SHARE_OF_FRAMES * self.frames_told:
            raise Damaged(f"file ends early: {num_frames} of {self.frames_told} frames")
        if self._is_cut:
            raise Damaged("file ends early: its container says that it is longer")
        if runs is None:
            detail = {**self._detail, "num_frames": num_frames}
            yield self._piece(None, self._source.suffix, detail, whole.frames(), num_frames, whole.seconds)
        elif num_frames < runs.length:
            raise Damaged(f"clip has {num_frames} frames, fewer than clip_frames = {runs.length}")
        else:
            self.left_over = num_frames - self.num_kept

    def _sound_frames(self) -> Iterator[Any]:
        """Yield the frames in the order of time."""
        for packet in self._container.demux(self._stream):
            if packet.is_corrupt:
                raise Damaged("file is cut or damaged: a packet is incomplete")
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise Damaged(f"damaged picture data near {_seconds(frame):.2f} s")
                yield frame

    def _note_of(self, first: Any) -> None:
        self._detail["rotation"] = int(first.rotation)
        if first.interlaced_frame:
            self._detail["interlaced"] = True

    def _run(self, runs: _Runs, first: int) -> Piece:
        detail = {**self._detail, "first_frame": first, "times_seconds": list(runs.times)}
        sampled = [runs.frames[len(runs.frames) * (2 * n + 1) // (2 * NUM_SAMPLED)] for n in range(NUM_SAMPLED)]
        payload = animated_webp(runs.frames, runs.times)
        return self._piece(payload, "webp", detail, sampled, len(runs.frames), runs.ends - runs.times[0])

    def _piece(
        self,
        payload: bytes | None,
        suffix: str,
        detail: Detail,
        sampled: list[Image.Image],
        num_frames: int,
        seconds: float,
    ) -> Piece:
        greys = greys_of(sampled)
        measures: dict[str, float] = {
            "width_pixels": int(self._stream.codec_context.width),
            "height_pixels": int(self._stream.codec_context.height),
            "seconds": max(seconds, 0.0),
            "frames": num_frames,
            "bytes": self._source.size_bytes,
            "brightness": mean_brightness(greys),
        }
        if seconds > 0:
            measures["frames_per_second"] = num_frames / seconds
        if num_frames > 1:
            measures["motion"] = motion_of(greys)
        fingerprint = b""
        if self._near:
            # Imported here: most recipes compare nothing.
            from packtrain.dataset.near.fingerprint import fingerprint_of_frames

            fingerprint = fingerprint_of_frames(sampled, max(seconds, 0.0))
        return Piece(payload, suffix, detail, measures=rounded(measures), fingerprint=fingerprint)

    def _scaled(self, frame: Any) -> Image.Image:
        size = self._recipe.clip_size_pixels
        width, height = int(frame.width), int(frame.height)
        if size is None:
            scaled = image_of(self._scaler.reformat(frame, format="rgb24", threads=1))
        else:
            short = min(width, height)
            # Rounded up, or a side could come out one pixel short of the square.
            wide, high = -(-width * size // short), -(-height * size // short)
            # One scaler for all frames: to set one up takes as long as scaling a frame of 640 x 360.
            small = self._scaler.reformat(
                frame, width=wide, height=high, format="rgb24", interpolation="AREA", threads=1
            )
            left, top = (wide - size) // 2, (high - size) // 2
            scaled = image_of(small).crop((left, top, left + size, top + size))
        turn = _QUARTER_TURNS.get(int(frame.rotation))
        return scaled if turn is None else scaled.transpose(turn)


class _Runs:
    """The frames of the run that is being filled."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.frames: list[Image.Image] = []
        self.times: list[float] = []
        self.ends = 0.0

    @property
    def is_full(self) -> bool:
        return len(self.frames) == self.length

    def take(self, frame: Image.Image, seconds: float, ends: float) -> None:
        self.frames.append(frame)
        self.times.append(seconds)
        self.ends = ends
        if len(self.frames) * self.frames[0].width * self.frames[0].height * 3 > _MAX_SAMPLE_PIXEL_BYTES:
            raise Damaged("one sample would hold more than 1 GiB of pixels: lower clip_frames or clip_size_pixels")

    def clear(self) -> None:
        self.frames, self.times = [], []


class _Whole:
    """What is looked at of a clip that is kept as it is."""

    def __init__(self, told_seconds: float) -> None:
        self._samples = FrameSamples(told_seconds)
        self._first: float | None = None
        self._last = 0.0
        self._ends = 0.0

    @property
    def seconds(self) -> float:
        return self._ends - (self._first or 0.0)

    def take(self, frame: Any) -> None:
        at = _seconds(frame)
        self._first = at if self._first is None else self._first
        self._ends = max(self._ends, _end_seconds(frame))
        self._samples.take(frame, at - self._first)

    def frames(self) -> list[Image.Image]:
        return self._samples.frames(self.seconds)


def _film_of(container: Any) -> Any:
    """Return the stream that a player would show: the default one, else the first; covers and previews are none."""
    films = [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]
    if not films:
        covers = " (a cover or preview is none)" if container.streams.video else ""
        raise Damaged(f"no picture stream in the file{covers}")
    return next((each for each in films if each.disposition & Disposition.default), films[0])


def _detail(container: Any, stream: Any) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "width": int(stream.codec_context.width),
        "height": int(stream.codec_context.height),
        "codec": str(stream.codec_context.name),
        "container": str(container.format.name),
    }
    if detail["width"] * detail["height"] > _MAX_FRAME_PIXELS:
        raise Damaged(f"frames of {detail['width']} x {detail['height']} pixels are too large")
    return detail


def _told_seconds(container: Any, stream: Any) -> float:
    """Return how long the file says the clip is; 0 where it does not say."""
    if stream.duration and stream.time_base:
        return max(float(stream.duration * stream.time_base), 0.0)
    return max(float(Fraction(container.duration, av.time_base)), 0.0) if container.duration else 0.0


def _seconds(frame: Any) -> float:
    # To the microsecond: finer digits are noise of a time base turned into a float.
    return round(float(frame.time), 6) if frame.time is not None else 0.0


def _end_seconds(frame: Any) -> float:
    """Return when a frame ends; where the file does not say, when it begins."""
    base = frame.time_base
    # Without a Fraction of the product, which would be brought to its lowest terms for every frame.
    lasts = frame.duration * base.numerator / base.denominator if frame.duration and base else 0.0
    return round(_seconds(frame) + max(lasts, 0.0), 6)
