import io
from pathlib import Path

import pytest
from PIL import Image

from packtrain.dataset.kinds.animation import animated_webp
from packtrain.dataset.kinds.piece import Damaged, Piece, Tally
from packtrain.documents.recipe import RecipeSection
from source_parts import clip, read

RUNS_OF_4 = RecipeSection(clip_frames=4, clip_size_pixels=16)


def _file(tmp_path: Path, payload: bytes, name: str = "a.mp4") -> Path:
    path = tmp_path / name
    path.write_bytes(payload)
    return path


def test_without_a_number_of_frames_the_sample_is_the_source_itself(tmp_path: Path) -> None:
    piece, tally = read(_file(tmp_path, clip(10)))
    assert isinstance(piece, Piece)
    assert piece.payload is None
    assert piece.detail["num_frames"] == 10
    assert tally == Tally()


@pytest.mark.parametrize("moving", [True, False])
def test_runs_of_frames_are_animations_that_keep_every_frame(tmp_path: Path, moving: bool) -> None:
    found = read(_file(tmp_path, clip(10, moving=moving)), RUNS_OF_4)
    runs = [piece for piece in found if isinstance(piece, Piece)]
    assert [piece.detail["first_frame"] for piece in runs] == [0, 4]
    assert runs[1].detail["times_seconds"] == [0.4, 0.5, 0.6, 0.7]
    for piece in runs:
        with Image.open(io.BytesIO(piece.payload or b"")) as animation:
            assert (getattr(animation, "n_frames", 1), animation.size) == (4, (16, 16))
    assert found[-1] == Tally(left_over=2)


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    path = _file(tmp_path, clip(8))
    assert read(path, RUNS_OF_4) == read(path, RUNS_OF_4)


def test_an_animation_gives_back_its_pixels_and_durations() -> None:
    frames = [Image.frombytes("RGB", (3, 5), bytes((n * i) % 256 for i in range(45))) for n in (1, 7, 7, 30)]
    payload = animated_webp(frames, [0.0, 0.033333, 0.066667, 0.1])
    with Image.open(io.BytesIO(payload)) as animation:
        durations: list[int] = []
        for number, frame in enumerate(frames):
            animation.seek(number)
            assert animation.convert("RGB").tobytes() == frame.tobytes()
            durations.append(animation.info["duration"])
    assert durations == [33, 34, 33, 33]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_clip_is_damaged(tmp_path: Path, share: float) -> None:
    whole = clip(40)
    with pytest.raises(Damaged):
        read(_file(tmp_path, whole[: int(len(whole) * share)]))


def test_a_clip_whose_pictures_were_overwritten_is_damaged(tmp_path: Path) -> None:
    payload = bytearray(clip(40, 320, 240, codec="libx264"))
    middle = payload.index(b"mdat") + (len(payload) - payload.index(b"mdat")) // 2
    payload[middle : middle + 200] = bytes(range(200))
    with pytest.raises(Damaged):
        read(_file(tmp_path, bytes(payload)))


@pytest.mark.parametrize("payload", [b"", b"\x00" * 4096, b"not a clip at all"])
def test_what_is_no_clip_is_damaged(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(Damaged):
        read(_file(tmp_path, payload))


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
    ],
)
def test_a_playlist_under_the_name_of_a_clip_opens_no_other_file(tmp_path: Path, playlist: bytes) -> None:
    _file(tmp_path, clip(4), "other.mp4")
    with pytest.raises(Damaged, match="not a readable clip"):
        read(_file(tmp_path, playlist))


def test_a_clip_shorter_than_one_run_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="3 frames, fewer than clip_frames = 4"):
        read(_file(tmp_path, clip(3)), RUNS_OF_4)


def test_sound_without_pictures_is_set_aside(tmp_path: Path) -> None:
    import av

    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(4096))
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(Damaged, match="no picture stream"):
        read(_file(tmp_path, target.getvalue()))


def test_what_is_wrong_with_a_clip_does_not_depend_on_how_many_files_are_open(tmp_path: Path) -> None:
    path = _file(tmp_path, clip(20)[:300])
    with pytest.raises(Damaged) as first:
        read(path)
    with path.open("rb"), path.open("rb"), pytest.raises(Damaged) as second:
        read(path)
    assert str(first.value) == str(second.value)
    assert not any(sign.isdigit() for sign in str(first.value))
