"""Any erasure up to m is undone; every placement keeps its rule; `survives` is what the code itself survives."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.erasure.code import Code
from packtrain.erasure.placement import (
    DriveSpec,
    Placement,
    Survival,
    place,
    required_parity,
    survival_statement,
    survives,
)
from packtrain.errors import PlacementImpossible
from unit.erasure import reference_code


@st.composite
def erased_stripes(draw: st.DrawFn) -> tuple[list[bytes], int, list[int], list[int]]:
    k, m = draw(st.integers(1, 20)), draw(st.integers(1, 12))
    length = draw(st.one_of(st.integers(0, 70), st.sampled_from([4095, 4096, 65537])))
    data = [draw(st.randoms(use_true_random=False)).randbytes(length) for _ in range(k)]
    missing = draw(st.lists(st.integers(0, k + m - 1), unique=True, min_size=1, max_size=m))
    absent = draw(st.lists(st.integers(0, k + m - 1), unique=True, max_size=m - len(missing)))
    return data, m, missing, absent


@given(erased_stripes())
def test_any_erasure_up_to_m_is_undone(stripe: tuple[list[bytes], int, list[int], list[int]]) -> None:
    data, m, missing, absent = stripe
    code = Code(len(data), m)
    parity = [bytearray(len(data[0])) for _ in range(m)]
    code.encode(data, parity)
    columns = [*data, *(bytes(column) for column in parity)]
    present = {c: columns[c] for c in range(code.n) if c not in missing and c not in absent}
    out = [bytearray(len(data[0])) for _ in missing]
    code.reconstruct(present, missing, out)
    assert [bytes(column) for column in out] == [columns[c] for c in missing]


@given(st.integers(1, 9), st.integers(0, 6), st.binary(min_size=180, max_size=180))
def test_the_fast_code_equals_the_reference(k: int, m: int, payload: bytes) -> None:
    data = [payload[at : at + 20] for at in range(0, 20 * k, 20)]
    parity = [bytearray(20) for _ in range(m)]
    Code(k, m).encode(data, parity)
    assert [bytes(column) for column in parity] == reference_code.encode(data, m)


@st.composite
def shipments(draw: st.DrawFn, most: int = 40) -> tuple[list[DriveSpec], Survival, int | None]:
    cases = draw(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=most))
    sizes = draw(st.sampled_from([[1000], [1000, 2000], [500, 1000, 4000]]))
    drives = [DriveSpec(f"d{i}", case, draw(st.sampled_from(sizes))) for i, case in enumerate(cases)]
    survive = Survival(draw(st.integers(0, 2)), draw(st.integers(0, 3)))
    return drives, survive, draw(st.one_of(st.none(), st.integers(1, 12)))


def placed(shipment: tuple[list[DriveSpec], Survival, int | None]) -> tuple[Placement | None, dict[str, str]]:
    drives, survive, bays = shipment
    try:
        return place(drives, survive, bays=bays), {drive.label: drive.case for drive in drives}
    except PlacementImpossible as error:
        assert error.hint
        return None, {}


@given(shipments())
def test_every_placement_keeps_the_rule(shipment: tuple[list[DriveSpec], Survival, int | None]) -> None:
    placement, case_of = placed(shipment)
    if placement is None:
        return
    assert sorted(label for group in placement.groups for label in group.drives) == sorted(case_of)
    for group in placement.groups:
        assert group.k >= 1
        assert len(group.drives) <= (shipment[2] or len(case_of))
        assert group.m == required_parity([case_of[label] for label in group.drives], shipment[1])


@given(shipments(most=9))
def test_what_was_asked_is_survived_in_every_way_it_can_happen(
    shipment: tuple[list[DriveSpec], Survival, int | None],
) -> None:
    placement, case_of = placed(shipment)
    if placement is None:
        return
    _, survive, _ = shipment
    for cases in itertools.combinations(sorted(set(case_of.values())), min(survive.cases, len(set(case_of.values())))):
        for group in placement.groups:
            for lost in itertools.combinations(group.drives, min(survive.drives, len(group.drives))):
                assert survives(placement, case_of, lost, cases)


@given(shipments(most=7), st.data())
def test_survives_is_what_the_code_itself_survives(
    shipment: tuple[list[DriveSpec], Survival, int | None], data: st.DataObject
) -> None:
    placement, case_of = placed(shipment)
    if placement is None:
        return
    lost = data.draw(st.sets(st.sampled_from(sorted(case_of))))
    restored = True
    for group in placement.groups:
        columns = [bytes([index + 1]) * 3 for index in range(group.k)]
        parity = [bytearray(3) for _ in range(group.m)]
        Code(group.k, group.m).encode(columns, parity)
        columns += [bytes(column) for column in parity]
        present = {c: columns[c] for c, label in enumerate(group.drives) if label not in lost}
        missing = [c for c in range(len(columns)) if c not in present]
        out = [bytearray(3) for _ in missing]
        try:
            Code(group.k, group.m).reconstruct(present, missing, out)
        except ValueError:
            restored = False
        else:
            assert out == [columns[c] for c in missing]
    assert survives(placement, case_of, lost) == restored


@given(shipments(most=8))
def test_the_statement_is_true_and_no_weaker_than_the_truth(
    shipment: tuple[list[DriveSpec], Survival, int | None],
) -> None:
    placement, case_of = placed(shipment)
    if placement is None:
        return
    names = sorted(set(case_of.values()))

    def always(num_cases: int, num_drives: int) -> bool:
        return all(
            survives(placement, case_of, lost, cases)
            for cases in itertools.combinations(names, num_cases)
            for group in placement.groups
            for left in [[label for label in group.drives if case_of[label] not in cases]]
            for lost in itertools.combinations(left, min(num_drives, len(left)))
        )

    said = survival_statement(placement, case_of)
    words = {0: "case", 1: "one case", 2: "two cases", 3: "three cases", 4: "four cases", 5: "5 cases"}
    most_cases = max((count for count in range(1, len(names) + 1) if always(count, 0)), default=0)
    assert said.startswith(f"any {words[most_cases]};") == (most_cases > 0)
    spare = max(count for count in range(len(case_of) + 1) if always(0, count))
    assert (f"with no case lost any {spare} drive" in said) == (spare > 0)
    if most_cases:
        more = max(count for count in range(len(case_of) + 1) if always(most_cases, count))
        case_words = {1: "a case"}.get(most_cases, words[most_cases])
        assert (f"{case_words} and any {more} more" in said) == (more > 0)
        assert f"{case_words} and {more + 1} more" in said


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_syndromes_of_the_columns_that_came_give_back_those_that_did_not(data: st.DataObject) -> None:
    k, m = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    length = data.draw(st.sampled_from([1, 31, 4096, 70_001]))
    code = Code(k, m)
    columns = [bytearray(random.Random(index).randbytes(length)) for index in range(k)]
    parity = [bytearray(length) for _ in range(m)]
    code.encode(columns, parity)
    stripe = [*columns, *parity]
    lost_data = data.draw(st.sets(st.integers(0, k - 1), max_size=min(k, m)), label="lost data")
    lost_parity = data.draw(st.sets(st.integers(k, k + m - 1), max_size=m - len(lost_data)), label="lost parity")
    came = data.draw(st.permutations([i for i in range(k + m) if i not in lost_data | lost_parity]), label="order")
    syndromes = [bytearray(length) for _ in range(m)]
    for column in came:
        code.accumulate(column, stripe[column], syndromes)
    missing = sorted(lost_data)
    out = [bytearray(length) for _ in missing]
    code.solve(missing, {row: syndromes[row - k] for row in range(k, k + m) if row in came}, out)
    assert out == [columns[column] for column in missing]
    present = {index: stripe[index] for index in came}
    if missing and len(present) >= k:
        again = [bytearray(length) for _ in missing]
        code.reconstruct(present, missing, again)
        assert again == out
    # With what was missing added, nothing is left.
    for column in (*missing, *sorted(lost_parity)):
        code.accumulate(column, stripe[column], syndromes)
    assert not any(map(any, syndromes))


def test_a_column_shorter_than_the_stripe_counts_as_if_zeros_followed() -> None:
    code = Code(2, 1)
    long, short = bytearray(range(100)), bytearray(range(40))
    parity = [bytearray(100)]
    code.encode([long, short + bytes(60)], parity)
    syndromes = [bytearray(100)]
    for column, payload in ((2, parity[0]), (1, short)):
        code.accumulate(column, payload, syndromes)
    out = [bytearray(100)]
    code.solve([0], {2: syndromes[0]}, out)
    assert out == [long]


@pytest.mark.parametrize(("column", "count", "length"), [(-1, 2, 10), (5, 2, 10), (0, 1, 10), (0, 2, 9), (4, 2, 9)])
def test_syndromes_of_the_wrong_shape_are_refused(column: int, count: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"syndromes"):
        Code(3, 2).accumulate(column, bytes(10), [bytearray(length) for _ in range(count)])


@pytest.mark.parametrize(("missing", "rows"), [((0, 1), (3,)), ((3,), (4,)), ((0,), (2,)), ((0, 0), (3, 4))])
def test_more_unknowns_than_syndromes_are_refused(missing: tuple[int, ...], rows: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"syndromes"):
        Code(3, 2).solve(missing, {row: bytes(8) for row in rows}, [bytearray(8) for _ in missing])
