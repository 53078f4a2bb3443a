"""The sample of a dry run, and what is said of all files from it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.dataset.sources import SourceFile
from packtrain.dataset.trial_sample import Layers, draw, layer_of, share, total
from packtrain.documents.dataset import Kind


def _files(num: int, seed: int = 0) -> list[tuple[Kind, SourceFile]]:
    rng = random.Random(seed)
    kinds: tuple[Kind, ...] = ("table", "image", "clip")
    return [(rng.choice(kinds), SourceFile(f"raw/{n:06d}", rng.choice([10, 1000, 10**6]), 1)) for n in range(num)]


def test_every_layer_is_in_the_sample_and_the_sample_is_about_as_large_as_asked() -> None:
    files = _files(5000)
    wanted = Layers.of(files).shares(200)
    chosen = draw(files, wanted, 0)
    assert {layer_of(kind, file) for kind, file in chosen} == {layer_of(kind, file) for kind, file in files}
    assert 190 <= len(chosen) <= 220
    assert chosen == [pair for pair in files if pair in set(chosen)]


def test_where_there_are_no_more_files_than_asked_for_all_are_read() -> None:
    files = _files(50)
    assert draw(files, Layers.of(files).shares(50), 3) == files


def test_another_order_of_the_same_files_gives_the_same_sample_and_another_seed_another() -> None:
    files = _files(500)
    wanted = Layers.of(files).shares(40)
    assert set(draw(reversed(files), wanted, 1)) == set(draw(files, wanted, 1))
    assert draw(files, wanted, 2) != draw(files, wanted, 1)


def test_what_was_read_to_its_end_has_no_range() -> None:
    layer = ("image", 3)
    found = total({layer: [1.0, 5.0, 6.0]}, {layer: 3})
    assert (found.low, found.likely, found.high) == (12, 12, 12)
    assert share(1, 4, 4).low == share(1, 4, 4).high == 0.25


def test_a_sample_without_a_bad_file_does_not_say_that_there_is_none() -> None:
    found = share(0, 200, 1_000_000)
    assert found.likely == found.low == 0
    assert 0.01 < found.high < 0.03
    # Of few files little is known, and it is said.
    assert share(0, 3, 1_000_000).high > 0.5


@settings(max_examples=15)  # of twenty samples each
@given(st.integers(0, 2**32))
def test_the_range_holds_the_truth_in_most_samples(seed: int) -> None:
    rng = random.Random(seed)
    held = 0
    for _ in range(20):
        files = _files(1500, rng.randrange(2**32))
        value = {file.name: file.size_bytes * rng.uniform(0.2, 1.0) for _, file in files}
        layers = Layers.of(files)
        values: dict[tuple[Kind, int], list[float]] = {}
        for kind, file in draw(files, layers.shares(150), rng.randrange(2**32)):
            values.setdefault(layer_of(kind, file), []).append(value[file.name])
        found = total(values, layers.num_files)
        held += found.low <= sum(value.values()) <= found.high
    assert held >= 14
