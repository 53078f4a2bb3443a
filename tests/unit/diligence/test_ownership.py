"""The worked examples of the 50 per cent rule, and properties that any such computation must have."""

import itertools
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.diligence.ownership import Capture, Holding, Threshold, capture, walk_up

MORE_THAN_HALF = Threshold(F(1, 2), is_included=False)


def held(owner: str, owned: str, percent: int | str, at_most: int | str | None = None) -> Holding:
    low = F(str(percent)) / 100
    return Holding(owner, owned, low, low if at_most is None else F(str(at_most)) / 100)


# OFAC FAQ 401: blocked person X, companies A to D. In its own words nowhere; the numbers are the examples'.
@pytest.mark.parametrize(
    ("holdings", "caught"),
    [
        pytest.param([held("X", "A", 50), held("A", "B", 50)], {"X", "A", "B"}, id="half-of-half-is-caught"),
        pytest.param(
            [held("X", "A", 50), held("X", "B", 10), held("A", "B", 40)], {"X", "A", "B"}, id="own-and-through-A-add-up"
        ),
        pytest.param(
            [held("X", "A", 50), held("X", "B", 25), held("A", "C", 25), held("B", "C", 25)],
            {"X", "A"},
            id="B-at-25-does-not-count-towards-C",
        ),
        pytest.param(
            [held("X", "A", 50), held("X", "B", 50), held("A", "C", 25), held("B", "C", 25)],
            {"X", "A", "B", "C"},
            id="two-caught-owners-add-up",
        ),
        pytest.param(
            [held("X", "A", 25), held("X", "B", 25), held("A", "C", 50), held("B", "C", 50)],
            {"X"},
            id="half-through-two-that-are-not-caught",
        ),
    ],
)
def test_the_worked_examples_of_the_rule(holdings: list[Holding], caught: set[str]) -> None:
    assert set(capture(holdings, {"X"}).caught) == caught


def test_owners_on_different_lists_of_one_regime_add_up() -> None:
    found = capture([held("X", "A", 30), held("Y", "A", 20)], {"X", "Y"})
    assert found.caught["A"].share == F(1, 2)
    assert found.caught["A"].owners == ("X", "Y")


def test_a_hair_below_half_is_a_minority_and_not_caught() -> None:
    found = capture([held("X", "A", "49.99"), held("Z", "A", "50.01")], {"X"})
    assert set(found.caught) == {"X"}
    assert found.minority == {"A": F(4999, 10000)}
    assert found.possible == {}


def test_exactly_half_depends_on_the_regime() -> None:
    holdings = [held("X", "A", 50), held("Z", "A", 50)]
    assert "A" in capture(holdings, {"X"}).caught
    assert "A" not in capture(holdings, {"X"}, MORE_THAN_HALF).caught


def test_what_is_not_disclosed_may_belong_to_the_listed_owner() -> None:
    found = capture([held("X", "A", 10), held("Z", "A", 50)], {"X"})
    assert found.possible == {"A": F(1, 2)}
    assert found.undisclosed == {"A": F(2, 5)}


def test_a_range_is_not_counted_twice_as_range_and_as_silence() -> None:
    # X may hold 20 at most, because Z holds 80 at least: not 10 more that nobody has.
    found = capture([held("X", "A", 10, 20), held("Z", "A", 80, 90)], {"X"})
    assert found.possible == {}
    assert found.minority == {"A": F(1, 10)}


def test_silence_alone_is_undisclosed_and_not_possible() -> None:
    found = capture([held("Z", "A", 10)], {"X"}, parties=["A", "B"])
    assert found.possible == {}
    assert found.undisclosed == {"A": F(9, 10), "B": F(1)}


def test_companies_that_own_each_other_do_not_catch_each_other() -> None:
    found = capture([held("A", "B", 60), held("B", "A", 60)], {"X"})
    assert set(found.caught) == {"X"}
    assert set(capture([held("A", "B", 60), held("B", "A", 50), held("X", "A", 50)], {"X"}).caught) == {"X", "A", "B"}


def test_owners_of_more_than_the_whole_are_a_contradiction() -> None:
    assert capture([held("Y", "A", 60), held("Z", "A", 60)], set()).overfull == {"A": F(6, 5)}


PARTIES = ["X", "Y", "A", "B", "C", "D"]


@st.composite
def graphs(draw: st.DrawFn) -> list[Holding]:
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(lambda pair: pair[0] != pair[1]),
            unique=True,
            max_size=9,
        )
    )
    found: list[Holding] = []
    for owner, owned in pairs:
        low, high = sorted((draw(st.integers(0, 10)), draw(st.integers(0, 10))))
        found.append(Holding(owner, owned, F(low, 10), F(high, 10)))
    return found


def slowly(holdings: list[Holding], listed: set[str], threshold: Threshold) -> set[str]:
    """Return the caught parties by the definition: add up again and again until nothing changes."""
    caught = set(listed)
    while True:
        new = {
            party
            for party in PARTIES
            if party not in caught
            and threshold.is_reached(sum((h.low for h in holdings if h.owned == party and h.owner in caught), F(0)))
        }
        if not new:
            return caught
        caught |= new


THRESHOLDS = st.sampled_from([Threshold(), MORE_THAN_HALF, Threshold(F(1, 4))])


@given(graphs(), st.sets(st.sampled_from(PARTIES)), THRESHOLDS)
def test_it_is_what_adding_up_until_nothing_changes_gives(
    holdings: list[Holding], listed: set[str], threshold: Threshold
) -> None:
    assert set(capture(holdings, listed, threshold).caught) == slowly(holdings, listed, threshold)


@given(graphs(), st.sets(st.sampled_from(PARTIES)), st.sets(st.sampled_from(PARTIES)), THRESHOLDS)
def test_more_listed_owners_never_let_anyone_go(
    holdings: list[Holding], listed: set[str], more: set[str], threshold: Threshold
) -> None:
    fewer, greater = capture(holdings, listed, threshold), capture(holdings, listed | more, threshold)
    assert set(fewer.caught) <= set(greater.caught)
    assert set(fewer.possible) <= set(greater.possible) | set(greater.caught)


@given(graphs(), st.sets(st.sampled_from(PARTIES)), st.randoms())
def test_the_order_of_the_statements_does_not_matter(holdings: list[Holding], listed: set[str], order: object) -> None:
    shuffled = list(holdings)
    order.shuffle(shuffled)  # pyright: ignore[reportAttributeAccessIssue] - a random.Random
    first, second = capture(holdings, listed), capture(shuffled, listed)
    assert (set(first.caught), first.possible, first.minority) == (set(second.caught), second.possible, second.minority)


@settings(max_examples=60)
@given(graphs(), st.sets(st.sampled_from(PARTIES), max_size=2))
def test_no_way_of_filling_ranges_and_silence_catches_more_than_what_is_called_possible(
    holdings: list[Holding], listed: set[str]
) -> None:
    found = capture(holdings, listed)
    if found.overfull:
        return
    allowed = set(found.caught) | set(found.possible)
    for ends in itertools.product(*([h.low, h.high] for h in holdings)):
        filled = [Holding(h.owner, h.owned, share, share) for h, share in zip(holdings, ends, strict=True)]
        known = {party: sum((h.low for h in filled if h.owned == party), F(0)) for party in PARTIES}
        if any(share > 1 for share in known.values()):
            continue
        # What nobody named goes to a listed owner, where one that may be listed holds something already.
        silent = [
            Holding("silent", party, 1 - share, 1 - share)
            for party, share in known.items()
            if share < 1 and any(h.owned == party and h.owner in allowed and h.high for h in holdings)
        ]
        caught = slowly(filled + silent, {*listed, "silent"}, Threshold())
        assert caught - {"silent"} <= allowed


def test_a_hundred_thousand_holdings_are_a_chain_and_not_a_square() -> None:
    half = F(1, 2)
    chain = [Holding(f"c{number}", f"c{number + 1}", half, half) for number in range(100_000)]
    found = capture(reversed(chain), {"c0"})
    assert len(found.caught) == 100_001


# --- who is above whom ---


def test_the_walk_goes_up_to_the_top() -> None:
    assert walk_up("A", [held("B", "A", 51), held("C", "B", 100)]).chain == ("A", "B", "C")
    assert walk_up("A", [held("B", "A", 51), held("C", "B", 100)]).end == "top"


def test_a_declared_parent_outweighs_shares() -> None:
    assert walk_up("A", [held("B", "A", 60)], {"A": "C"}).chain == ("A", "C")


@pytest.mark.parametrize(
    ("holdings", "end"),
    [
        ([held("B", "A", 40)], "undisclosed"),
        ([held("B", "A", 40, 60), held("C", "A", 40, 60)], "undisclosed"),
        ([held("B", "A", 30), held("C", "A", 30), held("D", "A", 30)], "top"),
        ([], "top"),
        ([held("B", "A", 60), held("A", "B", 60)], "cycle"),
    ],
)
def test_the_walk_says_how_it_ended(holdings: list[Holding], end: str) -> None:
    assert walk_up("A", holdings).end == end


@given(graphs(), st.sampled_from(PARTIES))
def test_the_walk_always_ends(holdings: list[Holding], party: str) -> None:
    assert walk_up(party, holdings).chain[0] == party


def test_a_share_out_of_bounds_or_in_oneself_is_refused() -> None:
    for low, high in ((F(-1), F(0)), (F(1, 2), F(1, 3)), (F(0), F(2))):
        with pytest.raises(ValueError, match="share of"):
            Holding("X", "A", low, high)
    with pytest.raises(ValueError, match="itself"):
        Holding("A", "A", F(0), F(0))


def test_nothing_known_is_nothing_found() -> None:
    assert capture([], set()) == Capture({}, {}, {}, {}, {})
