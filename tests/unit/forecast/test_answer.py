from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.erasure.placement import Survival
from packtrain.errors import PlacementImpossible
from packtrain.forecast.answer import forecast
from packtrain.forecast.question import Days, Leg, Question, Risks

# The size of the voyage that the press told of, on a link that an observatory might share.
LARGE = Question(80 * 10**12, 60, 4, 8, 8, Survival(1, 0), link_rate=200e6)


def test_eighty_terabytes_on_sixty_drives_go_in_eight_waves() -> None:
    found = forecast(LARGE)
    assert (found.k, found.m) == (6, 2)
    assert (found.waves, found.load_waves) == (8, 8)
    # 7 groups of 6 + 2 and one of 3 + 1 are 45 data columns of 60.
    assert found.raw_bytes == -(-80 * 10**12 * 60 // 45)
    assert found.survives.startswith("any one case;")


def test_sending_takes_the_bits_over_the_free_part_of_the_link() -> None:
    half = forecast(replace(LARGE, link_free=0.5)).send
    assert half is not None
    assert half.days == pytest.approx(80e12 * 8 / 100e6 / 86400)
    assert half.bottleneck == "send: link"


def test_packing_writes_and_reads_back_what_a_bay_holds_wave_after_wave() -> None:
    found = forecast(replace(LARGE, swap_minutes=0))
    pack = found.carry.steps[0]
    a_drive = 80e12 / 45
    assert pack.days.likely == pytest.approx(8 * 2 * a_drive / 180e6 / 86400)
    assert pack.limit == "drives"


def test_few_cores_or_a_slow_source_are_named_as_what_packing_waits_for() -> None:
    assert forecast(replace(LARGE, cores=1)).carry.steps[0].limit == "cores"
    assert forecast(replace(LARGE, source_rate=50e6)).carry.steps[0].limit == "source"
    assert forecast(replace(LARGE, store_rate=50e6)).carry.steps[-1].limit == "store"


def test_without_a_link_there_is_nothing_to_set_beside_carrying() -> None:
    assert forecast(replace(LARGE, link_rate=None)).send is None


def test_drives_that_are_too_small_are_said_to_be() -> None:
    found = forecast(replace(LARGE, drive_bytes=10**12))
    assert found.fits is False
    assert forecast(replace(LARGE, drive_bytes=2 * 10**12)).fits is True


def test_the_break_even_is_where_both_ways_take_as_long() -> None:
    least = forecast(LARGE).break_even[200e6]
    assert least is not None
    at = forecast(replace(LARGE, total_bytes=least))
    assert at.send is not None
    assert at.carry.days == pytest.approx(at.send.days, rel=0.01)
    assert forecast(LARGE).break_even[100e9] is None


def test_work_before_counts_for_both_ways_and_for_no_risk() -> None:
    before = forecast(replace(LARGE, before=(Leg("prepare", Days(30, 40, 60)),)))
    plain = forecast(LARGE)
    assert before.send is not None and plain.send is not None
    assert before.carry.days == pytest.approx(plain.carry.days + 40)
    assert before.send.days == pytest.approx(plain.send.days + 40)
    assert before.loss_probability == pytest.approx(plain.loss_probability)


def test_more_parity_is_never_likelier_to_lose() -> None:
    choices = {(choice.survive.cases, choice.survive.drives): choice for choice in forecast(LARGE).choices}
    assert choices[1, 2].loss_probability < choices[1, 1].loss_probability < choices[1, 0].loss_probability
    assert choices[1, 2].raw_bytes > choices[1, 1].raw_bytes > choices[1, 0].raw_bytes


def test_what_no_grouping_survives_is_refused() -> None:
    with pytest.raises(PlacementImpossible):
        forecast(replace(LARGE, num_cases=1))


def test_the_odds_of_arrival_are_in_order_and_within_the_ranges() -> None:
    carry = forecast(LARGE).carry
    assert sum(step.days.low for step in carry.steps) <= carry.days_10 <= carry.days_50 <= carry.days_90
    assert carry.days_90 <= sum(step.days.high for step in carry.steps)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000))
def test_days_are_read_as_they_are_written(first: float, second: float, third: float) -> None:
    low, likely, high = sorted(round(value, 3) for value in (first, second, third))
    assert Days.parse(f"{low:f}..{likely:f}..{high:f}") == Days(low, likely, high)


@pytest.mark.parametrize("text", ["", "x", "5..2", "1..2..3..4", "-1", "1..", "nan", "1e3", "٣"])
def test_what_is_no_range_of_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"days|order"):
        Days.parse(text)


@pytest.mark.parametrize("change", [{"num_cases": 61}, {"total_bytes": 0}, {"link_free": 0.0}, {"write_rate": 0.0}])
def test_a_question_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        replace(LARGE, **change)  # pyright: ignore[reportArgumentType]


def test_a_risk_beyond_certainty_is_refused() -> None:
    with pytest.raises(ValueError, match="part of 1"):
        Risks(transit=1.0)
