import itertools

import pytest

from packtrain.erasure.placement import (
    DriveSpec,
    Group,
    Placement,
    Survival,
    capacity_bytes,
    place,
    required_parity,
    survival_statement,
    survives,
)
from packtrain.errors import PlacementImpossible

TB = 10**12


def drives_in(*counts: int, capacity: int = TB) -> list[DriveSpec]:
    return [
        DriveSpec(f"{case}{number}", case, capacity)
        for case, count in zip("ABCDEFGH", counts, strict=False)
        for number in range(1, count + 1)
    ]


def codes(placement: Placement) -> list[tuple[int, int]]:
    return sorted(((group.k, group.m) for group in placement.groups), reverse=True)


def cases_of(drives: list[DriveSpec]) -> dict[str, str]:
    return {drive.label: drive.case for drive in drives}


def statement(drives: list[DriveSpec], placement: Placement) -> str:
    return survival_statement(placement, cases_of(drives))


def test_eight_drives_in_four_cases_make_one_group_of_five_and_three() -> None:
    assert codes(place(drives_in(2, 2, 2, 2), Survival(1, 1))) == [(5, 3)]


def test_sixty_drives_with_eight_bays_make_groups_that_fit_the_bays() -> None:
    placement = place(drives_in(15, 15, 15, 15), Survival(1, 0), bays=8)
    assert codes(placement) == [(6, 2)] * 7 + [(3, 1)]


def test_sixty_drives_all_mounted_make_one_group() -> None:
    assert codes(place(drives_in(15, 15, 15, 15), Survival(1, 3))) == [(42, 18)]


def test_groups_of_four_are_taken_where_seven_bays_would_waste_parity() -> None:
    # Seven drives over four cases need m = 2 for one case, as eight do: 5 + 2 holds less than two groups of 3 + 1.
    assert sum(k for k, _ in codes(place(drives_in(15, 15, 15, 15), Survival(1, 0), bays=7))) == 45


def test_every_drive_is_placed_once() -> None:
    drives = drives_in(7, 5, 3)
    placed = [label for group in place(drives, Survival(1, 0), bays=6).groups for label in group.drives]
    assert sorted(placed) == sorted(cases_of(drives))


def test_columns_go_round_the_cases() -> None:
    (group,) = place(drives_in(2, 2, 2, 2), Survival(1, 1)).groups
    assert [label[0] for label in group.drives] == list("ABCDABCD")


def test_like_drives_are_grouped_with_like() -> None:
    large = drives_in(2, 2, 2, 2, capacity=4 * TB)
    small = [DriveSpec(drive.label + "s", drive.case, TB) for drive in drives_in(2, 2, 2, 2)]
    mixed = [drive for pair in zip(small, large, strict=True) for drive in pair]
    groups = place(mixed, Survival(1, 0)).groups
    assert [{label.endswith("s") for label in group.drives} for group in groups] == [{False}, {True}]


def test_no_survival_asked_means_no_parity() -> None:
    assert codes(place(drives_in(3), Survival(0, 0))) == [(3, 0)]


def test_one_case_cannot_survive_the_loss_of_a_case() -> None:
    with pytest.raises(PlacementImpossible, match=r"found 3 drives in one case \(A: 3\)") as caught:
        place(drives_in(3), Survival(1, 0))
    assert caught.value.hint == "spread the drives over at least 2 cases, or ask to survive fewer"


def test_too_few_bays_are_named_with_the_number_that_is_needed() -> None:
    with pytest.raises(PlacementImpossible) as caught:
        place(drives_in(2, 2), Survival(1, 1), bays=3)
    assert "a group of at least 4 drives" in (caught.value.hint or "")


def test_a_lopsided_set_is_refused_with_its_counts() -> None:
    with pytest.raises(PlacementImpossible, match="A: 1, B: 7"):
        place(drives_in(1, 7), Survival(1, 1))


def test_drives_that_are_too_small_are_refused_with_the_size_that_is_needed() -> None:
    with pytest.raises(PlacementImpossible, match=r"room for 6 TB.*room for 4\.9 TB") as caught:
        place(drives_in(2, 2, 2, 2), Survival(1, 1), total_bytes=6 * TB)
    assert "drives of 1.22 TB each" in (caught.value.hint or "")


def test_a_drive_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="distinct labels"):
        place(drives_in(1) * 2, Survival(0, 0))


def test_capacity_is_k_times_the_smallest_drive_less_two_percent() -> None:
    placement = Placement((Group(2, 1, ("a", "b", "c")), Group(1, 1, ("d", "e"))), Survival(0, 1))
    capacity_of = {"a": 1000, "b": 500, "c": 2000, "d": 100, "e": 100}
    assert capacity_bytes(placement, capacity_of) == 2 * 490 + 98


def test_required_parity_counts_the_fullest_cases() -> None:
    assert required_parity(["A", "A", "A", "B", "B", "C"], Survival(2, 1)) == 6


@pytest.mark.parametrize(
    ("counts", "survive", "bays", "words"),
    [
        (
            (2, 2, 2, 2),
            Survival(1, 1),
            None,
            "any one case; with no case lost any 3 drives of a group; a case and any 1 more drive of a group; "
            "a case and 2 more drives of a group are NOT survivable; two cases are NOT survivable",
        ),
        (
            (2, 2, 2, 2),
            Survival(1, 0),
            None,
            "any one case; with no case lost any 2 drives of a group; "
            "a case and 1 more drive of a group is NOT survivable; two cases are NOT survivable",
        ),
        (
            (5, 5, 5, 5),
            Survival(2, 0),
            8,
            "any two cases; with no case lost any 2 drives of a group; a case and any 1 more drive of a group; "
            "two cases and 1 more drive of a group are NOT survivable; three cases are NOT survivable",
        ),
        (
            (3,),
            Survival(0, 1),
            None,
            "with no case lost any 1 drive of a group; 2 drives of a group are NOT survivable; "
            "one case is NOT survivable",
        ),
        (
            (2,),
            Survival(0, 0),
            None,
            "no loss at all; 1 drive of a group is NOT survivable; one case is NOT survivable",
        ),
        (
            (4, 2, 1, 1),
            Survival(1, 0),
            None,
            "any one case; with no case lost any 4 drives of a group; "
            "a case and 1 more drive of a group is NOT always survivable; two cases are NOT always survivable",
        ),
    ],
)
def test_the_survival_statement_says_what_the_distribution_gives(
    counts: tuple[int, ...], survive: Survival, bays: int | None, words: str
) -> None:
    drives = drives_in(*counts)
    assert statement(drives, place(drives, survive, bays=bays)) == words


def test_the_statement_follows_m_and_not_what_was_asked() -> None:
    drives = drives_in(1, 1, 1, 1)
    stronger = Placement((Group(2, 2, ("A1", "B1", "C1", "D1")),), Survival(1, 0))
    assert statement(drives, stronger).startswith("any two cases; with no case lost any 2 drives of a group")


def test_losing_a_case_and_a_drive_is_survived_where_asked() -> None:
    drives = drives_in(2, 2, 2, 2)
    placement = place(drives, Survival(1, 1))
    case_of = cases_of(drives)
    assert survives(placement, case_of, ["B1"], ["A"])
    assert not survives(placement, case_of, ["B1", "C1"], ["A"])


def test_every_loss_of_one_case_is_survived_by_sixty_drives() -> None:
    drives = drives_in(15, 15, 15, 15)
    placement = place(drives, Survival(1, 1), bays=8)
    for case in "ABCD":
        for extra in cases_of(drives):
            assert survives(placement, cases_of(drives), [extra], [case])


def test_an_unknown_drive_is_refused() -> None:
    drives = drives_in(2)
    with pytest.raises(ValueError, match="Z9"):
        survives(place(drives, Survival(0, 0)), cases_of(drives), ["Z9"])


def test_the_search_is_as_good_as_trying_everything() -> None:
    # Equal drives, all ways to share them out by cases: the greedy rows miss none of the best.
    for counts in itertools.product(range(4), repeat=3):
        drives = drives_in(*counts)
        if not 1 <= len(drives) <= 6:
            continue
        for survive, bays in itertools.product((Survival(1, 0), Survival(1, 1), Survival(0, 1)), (3, 6)):
            best = max((sum(ks) for ks in _all_groupings(drives, survive, bays)), default=0)
            try:
                found = sum(group.k for group in place(drives, survive, bays=bays).groups)
            except PlacementImpossible:
                found = 0
            assert found == best, (counts, survive, bays)


def _all_groupings(drives: list[DriveSpec], survive: Survival, bays: int) -> list[list[int]]:
    if not drives:
        return [[]]
    found: list[list[int]] = []
    for size in range(min(bays, len(drives))):
        for others in itertools.combinations(drives[1:], size):
            group = [drives[0], *others]
            k = len(group) - required_parity([drive.case for drive in group], survive)
            if k >= 1:
                rest = [drive for drive in drives if drive not in group]
                found += [[k, *ks] for ks in _all_groupings(rest, survive, bays)]
    return found


def test_a_few_bytes_more_on_some_drives_buy_no_weaker_groups() -> None:
    free = (31_000_008_192, 31_000_004_096, 31_000_000_000, 30_999_995_904)
    drives = [DriveSpec(f"{case}{i}", case, free[2 * n + i - 1]) for n, case in enumerate("AB") for i in (1, 2)]
    placement = place(drives, Survival(cases=1, drives=0), total_bytes=231_000_000)
    assert [(group.k, group.m) for group in placement.groups] == [(2, 2)]
