"""A few frames of a clip, for what is measured of it and for its fingerprint."""

from __future__ import annotations

from typing import Any, Final

from PIL import Image

NUM_SAMPLED: Final = 8
# As large as a fingerprint needs, and cheap: the scaler reads the frame once.
_SIDE: Final = 128


class FrameSamples:
    """Takes the frames shown in the middle of each eighth of the clip, as they go by.

    Args:
        expected_seconds: how long the clip says it is; 0 where it does not say: then frames at doubling distances are
            taken, and the nearest of them chosen at the end.
    """

    def __init__(self, expected_seconds: float) -> None:
        self._wanted = [expected_seconds * (number + 0.5) / NUM_SAMPLED for number in range(NUM_SAMPLED)]
        self._is_guess = expected_seconds <= 0
        self._chosen: list[Image.Image] = []
        self._spread: list[tuple[float, Image.Image]] = []
        self._stride = 1
        self._num_seen = 0
        self._before: Any = None

    def take(self, frame: Any, seconds: float) -> None:
        """Show one frame, at so many seconds after the first."""
        if self._is_guess:
            if self._num_seen % self._stride == 0:
                self._spread.append((seconds, small_image(frame)))
            if len(self._spread) == 4 * NUM_SAMPLED:
                self._spread = self._spread[::2]
                self._stride *= 2
        else:
            while len(self._chosen) < NUM_SAMPLED and seconds > self._wanted[len(self._chosen)]:
                self._chosen.append(small_image(self._before if self._before is not None else frame))
        self._before = frame
        self._num_seen += 1

    def frames(self, seconds: float) -> list[Image.Image]:
        """Return the eight frames of a clip that turned out to be so long; some may be the same one."""
        assert self._before is not None
        if not self._is_guess:
            last = [small_image(self._before)] if len(self._chosen) < NUM_SAMPLED else []
            return self._chosen + last * (NUM_SAMPLED - len(self._chosen))
        wanted = [seconds * (number + 0.5) / NUM_SAMPLED for number in range(NUM_SAMPLED)]
        return [min(self._spread, key=lambda each: abs(each[0] - at))[1] for at in wanted]


def small_image(frame: Any) -> Image.Image:
    """Return a frame with its longer side at most 128 pixels."""
    width, height = int(frame.width), int(frame.height)
    longer = max(width, height)
    if longer > _SIDE:
        width, height = max(width * _SIDE // longer, 1), max(height * _SIDE // longer, 1)
    return image_of(frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA"))


def image_of(frame: Any) -> Image.Image:
    """Return a frame of rgb24 as an image, with one copy: the library's own way makes three."""
    plane = frame.planes[0]
    return Image.frombytes("RGB", (frame.width, frame.height), plane, "raw", "RGB", plane.line_size, 1)
