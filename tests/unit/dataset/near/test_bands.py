import itertools
import random

import pytest

from packtrain.dataset.near.bands import WIDEST_BITS, bands_for, masks_of


@pytest.mark.parametrize("num_rows", [10, 1_000, 50_000, 1_000_000, 100_000_000])
@pytest.mark.parametrize(("num_bits", "threshold"), [(256, 31), (64, 2), (64, 4), (256, 0), (256, 40)])
def test_radii_add_up_to_the_threshold_and_bands_do_not_overlap(num_bits: int, threshold: int, num_rows: int) -> None:
    bands = bands_for(num_bits, threshold, num_rows)
    assert sum(band.radius + 1 for band in bands) == threshold + 1
    assert all(one.start + one.width <= other.start for one, other in itertools.pairwise(bands))
    assert bands[0].start == 0 and bands[-1].start + bands[-1].width <= num_bits
    assert max(band.width for band in bands) <= WIDEST_BITS


def test_any_difference_within_the_threshold_is_within_the_radius_of_a_band() -> None:
    chance = random.Random(5)
    for num_rows in (1_000, 1_000_000, 100_000_000):
        bands = bands_for(256, 31, num_rows)
        for _ in range(500):
            difference = sum(1 << place for place in chance.sample(range(256), 31))
            assert any(
                ((difference >> band.start) & ((1 << band.width) - 1)).bit_count() <= band.radius for band in bands
            )


def test_masks_are_every_difference_within_the_radius_once() -> None:
    for band in set(bands_for(256, 31, 200_000)):
        masks = masks_of(band).tolist()
        assert masks[0] == 0
        assert len(set(masks)) == len(masks)
        assert all(mask.bit_count() <= band.radius and mask < 1 << band.width for mask in masks)
    narrow = bands_for(64, 40, 10)[0]
    assert sorted(masks_of(narrow).tolist()) == [
        mask for mask in range(1 << narrow.width) if mask.bit_count() <= narrow.radius
    ]


def test_more_rows_ask_for_fewer_and_wider_bands() -> None:
    num_bands = [len(bands_for(256, 31, num_rows)) for num_rows in (10_000, 1_000_000, 100_000_000)]
    assert num_bands == sorted(num_bands, reverse=True)
    assert num_bands[0] > num_bands[-1]
