"""Planted copies of real pictures: the set is that of the benchmark, and so is the way the figure is computed."""

import io
from typing import Literal

import pytest
from PIL import Image

from bench.near_corpus import CHANGES, judge, near_corpus
from near_parts import DEMO_DATA, dropped_and_components
from packtrain.dataset.near.fingerprint import fingerprint_of_image

pytestmark = pytest.mark.long

needs_pictures = pytest.mark.skipif(
    not (DEMO_DATA / "images").is_dir(), reason="the demo's data is not fetched: make demo-data"
)


@needs_pictures
@pytest.mark.parametrize("method", ["pdq", "phash"])
def test_at_least_98_per_cent_of_planted_copies_are_found_with_at_most_1_per_cent_extra(
    method: Literal["pdq", "phash"],
) -> None:
    planted = list(near_corpus(DEMO_DATA))
    fingerprints: list[bytes] = []
    for picture in planted:
        with Image.open(io.BytesIO(picture.content)) as image:
            fingerprints.append(fingerprint_of_image(image, method))
    dropped, _ = dropped_and_components(method, fingerprints)
    found = judge(planted, {row: kept for row, (kept, _) in dropped.items()})
    assert found.num_planted >= 300
    assert {picture.change for picture in planted} == {"", *CHANGES}
    assert found.recall >= 0.98, found
    assert found.extra <= 0.01, found
