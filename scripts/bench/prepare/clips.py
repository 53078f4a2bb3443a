"""Clips cut from the demo's film, and PyAV's plain loop over them."""

from __future__ import annotations

import functools
import json
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

_WIDTH: Final = 640
_HEIGHT: Final = 360
_FRAMES_A_CLIP: Final = 48
_KEY_FRAME_EVERY: Final = 24


def make_clips(root: Path, demo_data: Path, num_clips: int, *, seed: int = 7) -> Path:
    """Write clips of 48 frames of 640 x 360 (H.264 in MP4), each a part of the film in place and time; return where."""
    folder = root / "clips"
    folder.mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(functools.partial(_cut, folder, demo_data, seed), range(num_clips), chunksize=4))
    return folder


@functools.cache
def _film(demo_data: Path) -> Sequence[Any]:
    import av

    frames: list[Any] = []
    for path in sorted((demo_data / "clips").iterdir()):
        with av.open(path) as container:
            decoded: Any = container.decode(video=0)
            frames += [frame.to_ndarray(format="rgb24") for frame in decoded]
    return frames


def _cut(folder: Path, demo_data: Path, seed: int, number: int) -> None:
    import av
    import numpy

    film = _film(demo_data)
    chance = random.Random(f"{seed}/clip/{number}")
    height, width = film[0].shape[:2]
    first = chance.randint(0, len(film) - _FRAMES_A_CLIP)
    left, top = chance.randint(0, width - _WIDTH), chance.randint(0, height - _HEIGHT)
    options = {"preset": "veryfast", "threads": "1", "g": str(_KEY_FRAME_EVERY)}
    with av.open(folder / f"{number:04d}.mp4", "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for whole in film[first : first + _FRAMES_A_CLIP]:
            part = numpy.ascontiguousarray(whole[top : top + _HEIGHT, left : left + _WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Run the plain loop over a folder: one process, one thread, all frames: clips.py FOLDER SIDE."""
    import av

    folder, side = Path(sys.argv[1]), int(sys.argv[2])
    num_frames = 0
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        with av.open(path) as container:
            stream: Any = container.streams.video[0]
            stream.thread_type = "NONE"
            for frame in container.decode(stream):
                # As packtrain scales; PyAV's default is a little slower.
                frame.reformat(width=side, height=side, format="rgb24", interpolation="AREA").to_ndarray()
                num_frames += 1
    print(json.dumps({"frames": num_frames, "loop_seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
