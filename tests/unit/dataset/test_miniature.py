import pytest

from packtrain.dataset.miniature import choose, shares


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        ({"table": 391, "image": 1372, "clip": 11}, 64, {"table": 14, "image": 46, "clip": 4}),
        ({"image": 1000}, 64, {"image": 64}),
        ({"image": 10}, 64, {"image": 10}),
        ({"image": 1000, "clip": 2}, 64, {"image": 62, "clip": 2}),
        ({"image": 50, "clip": 50, "table": 50}, 3, {"image": 4, "clip": 4, "table": 4}),
        ({"image": 0, "clip": 5}, 8, {"image": 0, "clip": 5}),
    ],
)
def test_shares_are_in_proportion_with_a_least_of_each_kind(
    available: dict[str, int], wanted: int, expected: dict[str, int]
) -> None:
    assert shares(available, wanted) == expected


def test_the_choice_depends_on_key_and_seed_alone() -> None:
    rows = [{"key": f"k{i}", "kind": "image", "withdrawn": False} for i in range(200)]
    one = choose(rows, {"image": 20}, 7)
    assert [row["key"] for row in choose(reversed(rows), {"image": 20}, 7)] == [row["key"] for row in reversed(one)]
    assert choose(rows, {"image": 20}, 8) != one


def test_the_choice_keeps_the_order_and_a_larger_one_contains_it() -> None:
    rows = [{"key": f"k{i:03d}", "kind": "image", "withdrawn": False} for i in range(200)]
    small = [row["key"] for row in choose(rows, {"image": 20}, 0)]
    large = [row["key"] for row in choose(rows, {"image": 60}, 0)]
    assert small == sorted(small)
    assert set(small) < set(large)
