"""The parts of the reference program that need no run: tokens of each kind, sides, and the baseline."""

import importlib
import io
import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from packtrain.training.loader import Sample, SampleStore
from reference_runs import PROGRAM
from tiny_dataset import make_tiny_dataset

pytestmark = pytest.mark.needs_torch


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that imports a module of the program, by its bare name as the program does."""
    monkeypatch.syspath_prepend(str(PROGRAM))
    yield importlib.import_module
    for name in ("tokens", "evaluation", "model", "saving"):
        sys.modules.pop(name, None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_tiny_dataset(tmp_path / "data", num_tables=24, num_images=24, num_clips=8)
    return tmp_path / "data"


def video(num_frames: int) -> bytes:
    """Return an mp4 with sound, its frames from black to white."""
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        pictures, sound = container.add_stream("mpeg4", rate=Fraction(25)), container.add_stream("aac", rate=44_100)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        for number in range(num_frames):
            grey = 255 * number // (num_frames - 1)
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 64), (grey, grey, grey)))
            container.mux(pictures.encode(frame))
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        silence.sample_rate = 44_100
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(sound.encode(silence))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return buffer.getvalue()


def test_each_kind_fits_into_a_row_of_tokens_and_begins_with_its_mark(program: Any, data: Path) -> None:
    tokens, store = program("tokens"), SampleStore(data)
    marks = {sample.kind: tokens.tokenize(sample, 0, 1) for sample in (store[0], store[24], store[48])}
    assert [row[0] - tokens.FIRST_MARK for row in marks.values()] == [0, 1, 2]
    assert len(marks["image"]) == 1 + tokens.IMAGE_SIDE**2
    assert len(marks["clip"]) == 1 + tokens.NUM_FRAMES * tokens.FRAME_SIDE**2
    assert all(0 <= token < tokens.PADDING for row in marks.values() for token in row)
    assert tokens.to_tensor([store[0], store[24], store[48]], 0, 1).shape == (3, tokens.SEQUENCE + 1)


def test_brightness_can_be_had_again_from_its_changes(program: Any) -> None:
    tokens, side = program("tokens"), 11
    picture = Image.effect_noise((side, side), 90)
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    row = tokens.tokenize(Sample("i", "image", buffer.getvalue(), {}), 0, 0)[1:]
    levels: list[int] = []
    for place, token in enumerate(row):
        before = levels[place - 1] if place % side else levels[place - side] if place else None
        change = token - tokens.FIRST_LEVEL
        levels.append(((before or 0) + change) % tokens.NUM_LEVELS)
    assert levels == [value * tokens.NUM_LEVELS // 256 for value in picture.tobytes()]


def test_a_video_with_sound_gives_its_frames_in_order(program: Any) -> None:
    tokens = program("tokens")
    row = tokens.tokenize(Sample("c", "clip", video(7), {}), 0, 0)[1:]
    size = tokens.FRAME_SIDE**2
    changes = [row[first] - tokens.FIRST_LEVEL for first in range(size, len(row), size)]
    # Black to white in six changes: brighter with every frame by about a sixth of the levels.
    assert len(changes) == 6
    assert all(3 <= change <= 8 for change in changes)


def test_a_video_without_pyav_is_refused_in_words(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = video(3)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SystemExit, match=r"clip c cannot be read: .*PyAV is not installed.*clip_frames"):
        program("tokens").to_tensor([Sample("c", "clip", payload, {})], 0, 0)


def test_samples_of_smallest_digest_are_held_back_where_the_index_has_no_sides(program: Any, data: Path) -> None:
    sides = program("evaluation").choose_sides(data)
    rows = pq.read_table(data / "index.parquet").to_pylist()
    expected = {
        (row["kind"], row["key"])
        for kind, num in (("table", 3), ("image", 3), ("clip", 1))
        for row in sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["sha256"])[:num]
    }
    assert sides.held_out == expected
    counted = {(rows[row]["kind"], rows[row]["key"]) for numbers in sides.counted.values() for row in numbers}
    assert not counted & expected
    assert sides.weights["image"] == 1.0 < sides.weights["clip"] == pytest.approx(math.sqrt(3))


def test_the_sides_of_the_index_are_taken_where_it_has_them(program: Any, data: Path) -> None:
    rows = pq.read_table(data / "index.parquet").to_pylist()
    for number, row in enumerate(rows):
        row["split"] = "validation" if number % 4 == 0 else "train"
    pq.write_table(pa.Table.from_pylist(rows), data / "index.parquet")
    sides = program("evaluation").choose_sides(data)
    store, judged = sides.judged
    found = {(store[row].kind, store[row].key) for numbers in judged.values() for row in numbers}
    assert found == {(row["kind"], row["key"]) for row in rows if row["split"] == "validation"}
    assert (sides.held_out, sides.origin) == (frozenset(), "side validation of the index")


def test_a_model_that_knows_nothing_loses_to_the_baseline_which_loses_to_one_that_knows_all(
    program: Any, data: Path
) -> None:
    import torch

    evaluation, tokens = program("evaluation"), program("tokens")
    sides = evaluation.choose_sides(data)

    def of_each_token(bits: float) -> Any:
        return lambda rows: (rows[:, 1:] != tokens.PADDING).sum(dim=1) * torch.tensor(bits * math.log(2))

    for bits, is_better in ((math.log2(tokens.VOCABULARY), False), (0.0, True)):
        found = evaluation.evaluate(of_each_token(bits), sides, seed=0)["kinds"]
        assert set(found) == {"table", "image", "clip"}
        for of in found.values():
            assert of["model_bits_per_token"] == pytest.approx(bits, abs=1e-3)
            assert (of["model_bits_per_token"] < of["baseline_bits_per_token"]) == is_better


def test_the_baseline_is_the_entropy_of_what_it_was_counted_on(program: Any) -> None:
    evaluation = program("evaluation")
    # After the mark, 1 and 2 in turn: pairs tell all, frequencies one bit a token.
    rows = [[9, *([1, 2] * 500)]] * 40
    frequencies, pairs = evaluation._baselines(rows, rows[:1], 2)
    assert frequencies == pytest.approx(1000, rel=1e-3)
    assert 0 < pairs < 20
