from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.erasure.placement import DriveSpec, Survival
from packtrain.errors import PlacementImpossible
from packtrain.forecast.answer import forecast
from packtrain.forecast.arrival import draw_way, odds_of
from packtrain.forecast.break_even import break_evens
from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.prices import Prices
from packtrain.forecast.question import Question
from packtrain.forecast.risks import Risks
from packtrain.forecast.steps import Step

# The size of the voyage that the press told of, on a link that an observatory might share.
LARGE = Question(80 * 10**12, 60, 4, 8, 8, Survival(1, 0), link_rate=200e6)


def at_rate(question: Question, rate: float) -> int | None:
    return break_evens(question, forecast(question).placement, (rate,))[0].likely


def step(question: Question, name: str) -> Step:
    return next(each for each in forecast(question).carry.steps if each.name == name)


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
    assert pack.limit == "bays"
    assert forecast(replace(LARGE, pack_bays=60)).carry.steps[0].limit == "drives"


def test_few_cores_or_a_slow_source_are_named_as_what_packing_waits_for() -> None:
    assert forecast(replace(LARGE, cores=1)).carry.steps[0].limit == "cores"
    assert forecast(replace(LARGE, source_rate=50e6)).carry.steps[0].limit == "source"
    assert forecast(replace(LARGE, store_rate=50e6)).carry.steps[-1].limit == "store"


def test_what_is_not_read_back_is_packed_in_half_the_time() -> None:
    plain = replace(LARGE, swap_minutes=0)
    assert step(replace(plain, is_read_back=False), "pack").days.likely == pytest.approx(
        step(plain, "pack").days.likely / 2
    )


def test_hosts_share_the_waves_and_bring_their_cores() -> None:
    alone = replace(LARGE, swap_minutes=0)
    four = forecast(replace(alone, load_hosts=4))
    assert four.load_waves == 2
    assert step(replace(alone, load_hosts=4), "load").days.likely == pytest.approx(step(alone, "load").days.likely / 4)
    slow = replace(alone, load_cores=1, load_core_seconds_per_gb=100.0)
    assert step(slow, "load").limit == "cores"
    assert step(replace(slow, load_hosts=4), "load").days.likely == pytest.approx(step(slow, "load").days.likely / 4)


def test_every_step_waits_for_what_would_take_longest_by_itself() -> None:
    for each in forecast(replace(LARGE, source_rate=400e6, store_rate=300e6)).carry.steps:
        if each.days_if_only:
            assert each.days_if_only[each.limit] == max(each.days_if_only.values())


def test_changing_drives_is_named_where_it_takes_longer_than_the_drives_do() -> None:
    small = replace(LARGE, total_bytes=10**9)
    assert step(small, "pack").limit == "people"


def test_the_rate_of_a_step_is_its_bytes_over_its_likely_time() -> None:
    pack = step(LARGE, "pack")
    assert pack.bytes_per_second == pytest.approx(80e12 / (pack.days.likely * 86400))
    assert forecast(LARGE).carry.steps[1].bytes_per_second is None


def test_training_and_the_way_home_are_the_same_after_both_ways() -> None:
    after = replace(LARGE, training=Days(10, 20, 40), results_bytes=500 * 10**9)
    found = forecast(after)
    assert found.send is not None
    home = 500e9 * 8 / 200e6 / 86400
    assert found.carry.done_days == pytest.approx(found.carry.days + 20 + home)
    assert found.send.done_days == pytest.approx(found.send.days + 20 + home)
    by_drives = forecast(replace(after, results_by="drives"))
    assert [each.name for each in by_drives.carry.steps if each.part == "after"][1:] == [
        "return: write",
        "return: hand over, travel, admit",
        "return: read",
    ]
    assert dict(found.home_ways)["link"] == pytest.approx(home)
    assert dict(found.home_ways).keys() == {"link", "drives"}


def test_without_a_link_results_come_home_on_drives() -> None:
    found = forecast(replace(LARGE, link_rate=None, results_bytes=10**12))
    assert found.carry.steps[-1].name == "return: read"


def test_the_drives_of_a_case_that_is_carried_first_arrive_before_the_link_in_most_voyages() -> None:
    assert forecast(LARGE).carry_first == 1.0
    assert forecast(replace(LARGE, link_rate=100e9)).carry_first == 0.0
    even = forecast(replace(LARGE, total_bytes=at_rate(LARGE, 200e6) or 0)).carry_first
    assert even is not None
    assert 0.1 < even < 0.9


def test_the_curve_of_arrivals_never_falls_and_its_tenths_are_the_odds() -> None:
    there = forecast(LARGE).carry.there
    assert list(there.curve) == sorted(there.curve)
    assert len(there.curve) == 51
    hundred = odds_of([float(number) for number in range(101)])
    assert (hundred.days_10, hundred.days_50, hundred.days_90) == (10, 50, 90)


def test_what_has_a_price_is_added_up_and_what_has_none_is_named() -> None:
    found = forecast(replace(LARGE, prices=Prices(drive=60, case=100, link_month=1500)))
    assert found.carry.cost.total == 60 * 60 + 4 * 100
    assert found.carry.cost.unpriced == ("carrier", "shipping")
    assert found.send is not None
    # 37 days are two months that began.
    assert found.send.cost.total == 2 * 1500
    assert forecast(LARGE).carry.cost.total is None


def test_a_price_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="price"):
        Prices(drive=-1)


def test_delays_at_their_longest_move_the_break_even_up() -> None:
    for each in forecast(LARGE).curve:
        if each.high is not None:
            assert each.low is not None and each.likely is not None
            assert each.low <= each.likely <= each.high


def test_real_drives_of_two_sizes_hold_what_their_smallest_in_each_group_allows() -> None:
    drives = tuple(
        DriveSpec(f"{case}{number}", case, (2 if number <= 2 else 4) * 10**12)
        for case in "ABC"
        for number in range(1, 5)
    )
    asked = Question(6 * 10**12, 12, 3, 6, 6, Survival(1, 0), drives=drives)
    found = forecast(asked)
    most = found.choices[0].most_bytes
    assert most is not None
    assert found.fits is (most >= 6 * 10**12)
    assert not forecast(replace(asked, total_bytes=most + 1)).fits
    assert found.raw_bytes > 6 * 10**12


def test_ten_thousand_drives_are_grouped_as_a_few_are() -> None:
    many = forecast(replace(LARGE, num_drives=10_000, num_cases=100, pack_bays=20, load_bays=20))
    assert sum(len(group.drives) for group in many.placement.groups) == 10_000
    labels = {label for group in many.placement.groups for label in group.drives}
    assert labels == set(replace(LARGE, num_drives=10_000, num_cases=100).case_of)
    assert (many.k, many.m) == (19, 1)
    assert many.survives.startswith("any one case")


def test_without_a_link_there_is_nothing_to_set_beside_carrying() -> None:
    assert forecast(replace(LARGE, link_rate=None)).send is None


def test_drives_that_are_too_small_are_said_to_be() -> None:
    found = forecast(replace(LARGE, drive_bytes=10**12))
    assert found.fits is False
    assert forecast(replace(LARGE, drive_bytes=2 * 10**12)).fits is True


def test_the_break_even_is_where_both_ways_take_as_long() -> None:
    least = at_rate(LARGE, 200e6)
    assert least is not None
    at = forecast(replace(LARGE, total_bytes=least))
    assert at.send is not None
    assert at.carry.days == pytest.approx(at.send.days, rel=0.01)
    assert at_rate(LARGE, 100e9) is None


def test_work_before_counts_for_both_ways_and_for_no_risk() -> None:
    before = forecast(replace(LARGE, before=(Leg("prepare", Days(30, 40, 60)),)))
    plain = forecast(LARGE)
    assert before.send is not None and plain.send is not None
    assert before.carry.days == pytest.approx(plain.carry.days + 40)
    assert before.send.days == pytest.approx(plain.send.days + 40)
    assert before.loss.probability == pytest.approx(plain.loss.probability)


def test_more_parity_is_never_likelier_to_lose() -> None:
    choices = {(choice.survive.cases, choice.survive.drives): choice for choice in forecast(LARGE).choices}
    assert choices[1, 2].loss.probability < choices[1, 1].loss.probability < choices[1, 0].loss.probability
    assert choices[1, 2].raw_bytes > choices[1, 1].raw_bytes > choices[1, 0].raw_bytes


def test_what_no_grouping_survives_is_refused() -> None:
    with pytest.raises(PlacementImpossible):
        forecast(replace(LARGE, num_cases=1))


def test_the_odds_of_arrival_are_in_order_and_within_the_ranges() -> None:
    carry = forecast(LARGE).carry
    assert (
        sum(step.days.low for step in carry.steps) <= carry.there.days_10 <= carry.there.days_50 <= carry.there.days_90
    )
    assert carry.there.days_90 <= sum(step.days.high for step in carry.steps)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000))
def test_days_are_read_as_they_are_written(first: float, second: float, third: float) -> None:
    low, likely, high = sorted(round(value, 3) for value in (first, second, third))
    assert Days.parse(f"{low:f}..{likely:f}..{high:f}") == Days(low, likely, high)


@pytest.mark.parametrize("text", ["", "x", "5..2", "1..2..3..4", "-1", "1..", "nan", "1e3", "٣"])
def test_what_is_no_range_of_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"days|order"):
        Days.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"num_cases": 61},
        {"total_bytes": 0},
        {"link_free": 0.0},
        {"write_rate": 0.0},
        {"link_rate": 1e30},
        {"total_bytes": 10**19},
        {"pack_hosts": 0},
        {"results_by": "link", "link_rate": None},
    ],
)
def test_a_question_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        replace(LARGE, **change)  # pyright: ignore[reportArgumentType]


def test_a_risk_beyond_certainty_is_refused() -> None:
    with pytest.raises(ValueError, match="part of 1"):
        Risks(transit=1.0)


def test_two_legs_of_one_name_are_not_late_together() -> None:
    same, other = (
        draw_way([Step(name, "way", Days(0, 1, 2), "people") for name in names])
        for names in (("drive", "drive"), ("drive", "road"))
    )
    apart, wide = odds_of(same.there), odds_of(other.there)
    # Both late at once is rarer: 9 of 10 within 2.7 days, where twice one leg would take 3.1.
    assert apart.days_90 == pytest.approx(wide.days_90, abs=0.06)


def test_a_drive_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a drive must hold something"):
        replace(LARGE, drive_bytes=0)
