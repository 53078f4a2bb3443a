from pathlib import Path

import pytest

from packtrain.dataset.rejects import Reject, RejectRate


def _reject(number: int) -> Reject:
    return Reject(path=f"a{number}.png", sha256="", kind="image", stage="decode", place="", error="torn", bytes=1)


def test_the_rate_counts_fractions_of_sources() -> None:
    rate = RejectRate(10, 0.1)
    rate.add(0.5, [])
    rate.add(0.5, [])
    assert not rate.is_exceeded()
    rate.add(0.01, [])
    assert rate.is_exceeded()


def test_a_rate_of_zero_allows_nothing_and_a_rate_of_one_all() -> None:
    none, everything = RejectRate(3, 0.0), RejectRate(3, 1.0)
    assert not none.is_exceeded()
    none.add(0.1, [])
    everything.add(3, [])
    assert none.is_exceeded()
    assert not everything.is_exceeded()


def test_ten_tenths_are_exactly_one() -> None:
    rate = RejectRate(10, 0.1)
    for _ in range(10):
        rate.add(0.1, [])
    assert not rate.is_exceeded()


def test_the_error_names_the_first_rejects_the_rate_and_the_file() -> None:
    rate = RejectRate(10, 0.1)
    rate.add(2, [_reject(1), _reject(2)])
    rate.add(2, [_reject(3), _reject(4)])
    error = rate.error(Path("/v/rejects.parquet"))
    assert "a1.png: torn; a2.png: torn; a3.png: torn" in error.what
    assert "a4.png" not in error.what
    assert (error.where, error.expected, error.found) == ("/v/rejects.parquet", "at most 10.0% of 10 sources", "40.0%")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_sound_job_is_never_stopped(share: float) -> None:
    rate = RejectRate(5, share)
    rate.add(0.0, [])
    assert not rate.is_exceeded()
