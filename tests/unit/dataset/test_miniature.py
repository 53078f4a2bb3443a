from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.miniature import Stratum, choose, shares

SIDES = ("train", "validation", "test")


def _of_kinds(available: Mapping[str, int]) -> dict[Stratum, int]:
    return {(kind, "train"): number for kind, number in available.items()}


def _row(key: str, kind: str = "image", split: str = "train", num_bytes: int = 1, **measures: float) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "split": split,
        "blob_bytes": num_bytes,
        "measures": sorted(measures.items()),
        "detail": "{}",
        "withdrawn": False,
    }


def _keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row["key"] for row in rows]


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
    assert shares(_of_kinds(available), wanted) == _of_kinds(expected)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["table", "image", "clip"]), st.sampled_from(SIDES)), st.integers(1, 500)
    ),
    st.integers(1, 200),
)
def test_every_side_of_every_kind_has_a_share_and_none_more_than_there_is(
    available: dict[Stratum, int], wanted: int
) -> None:
    taken = shares(available, wanted)
    assert all(1 <= taken[stratum] <= there for stratum, there in available.items())
    kinds = {kind for kind, _ in available}
    of_kind = {kind: sum(n for (k, _), n in available.items() if k == kind) for kind in kinds}
    least = sum(min(4, there) for there in of_kind.values())
    assert sum(taken.values()) == max(min(wanted, sum(available.values())), least)


def test_the_choice_depends_on_key_and_seed_alone() -> None:
    rows = [_row(f"k{i}") for i in range(200)]
    rows[0]["blob_bytes"] = 9
    wanted = {("image", "train"): 20}
    one = choose(rows, wanted, 7)
    assert _keys(choose(reversed(rows), wanted, 7)) == _keys(list(reversed(one)))
    assert choose(rows, wanted, 8) != one
    assert len(one) == 20


def test_the_choice_keeps_the_order_and_a_larger_one_contains_it() -> None:
    rows = [_row(f"k{i:03d}") for i in range(200)]
    small = _keys(choose(rows, {("image", "train"): 20}, 0))
    large = _keys(choose(rows, {("image", "train"): 60}, 0))
    assert small == sorted(small)
    assert set(small) < set(large)


def test_the_largest_the_longest_and_the_widest_of_those_that_are_trained_on_are_in_it() -> None:
    rows = [_row(f"c{i:03d}", "clip", "train", i, seconds=float(i % 50)) for i in range(100)]
    rows += [_row(f"v{i:03d}", "clip", "validation", 1000 + i, seconds=900.0) for i in range(20)]
    rows += [_row(f"t{i:03d}", "table", "train", 5, columns=float(i == 37)) for i in range(100)]
    wanted = {("clip", "train"): 3, ("clip", "validation"): 1, ("table", "train"): 4}
    chosen = choose(rows, wanted, 1)
    assert {"c099", "c049", "t037"} <= set(_keys(chosen))
    assert {stratum: sum((row["kind"], row["split"]) == stratum for row in chosen) for stratum in wanted} == wanted


def test_the_width_of_a_table_is_known_without_a_measure() -> None:
    rows = [_row(f"t{i}", "table") | {"detail": f'{{"columns":{i % 7},"sheet":"a"}}'} for i in range(9)]
    assert "t6" in _keys(choose(rows, {("table", "train"): 2}, 0))


def test_extremes_come_from_another_side_where_nothing_is_trained_on() -> None:
    rows = [_row("a", "clip", "test", 1), _row("b", "clip", "test", 2)]
    assert _keys(choose(rows, {("clip", "test"): 1}, 0)) == ["b"]


def test_what_is_withdrawn_is_never_chosen() -> None:
    rows = [_row("a", num_bytes=99) | {"withdrawn": True}, _row("b"), _row("c")]
    assert _keys(choose(rows, {("image", "train"): 3}, 0)) == ["b", "c"]
