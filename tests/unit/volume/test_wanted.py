"""Which drives a load wants next: from what it knows, a smallest set, and never from the absence of errors."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.volume import layout
from packtrain.volume.ranges import Ranges
from packtrain.volume.wanted import Knowledge, Need, smallest_set

ZEROS = "0" * 64
UUIDS = tuple(f"00000000-0000-0000-0000-00000000000{number}" for number in range(6))


def make_group(k: int, m: int, num_stripes: int, *, blocks: int = 3, short: frozenset[int] = frozenset()) -> Group:
    """Return a group document; columns in `short` have one block, or none in the last stripe."""
    n = k + m
    volumes = [
        Volume(
            stripe=stripe,
            column=column,
            drive=UUIDS[layout.drive_of(stripe, column, n)],
            bytes=(0 if stripe == num_stripes - 1 else 1000) if column in short else blocks * BLOCK_BYTES,
            sha256=ZEROS,
            blocks_sha256=ZEROS,
            readback="memory",
        )
        for stripe in range(num_stripes)
        for column in range(n)
    ]
    return Group(
        shipment=UUIDS[0], attempt=1, plan=ZEROS, group=0, k=k, m=m, drives=UUIDS[:n], num_stripes=num_stripes,
        volumes=tuple(volumes), catalog=Catalog(bytes=1, sha256=ZEROS), num_files=1, plaintext_bytes=1,
    )  # fmt: skip


def drive(group: Group, stripe: int, column: int) -> str:
    return group.volumes[stripe * (group.k + group.m) + column].drive


def test_at_first_every_drive_with_data_is_wanted_once() -> None:
    assert Knowledge(make_group(3, 1, 4)).unseen() == list(UUIDS[:4])


def test_a_drive_with_parity_alone_is_not_wanted_in_pass_1() -> None:
    assert Knowledge(make_group(3, 1, 1)).unseen() == list(UUIDS[:3])


def test_a_drive_whose_volumes_are_all_restored_is_not_wanted() -> None:
    group = make_group(2, 1, 3)
    done = {(v.stripe, v.column) for v in group.volumes if v.drive == UUIDS[1]}
    assert Knowledge(group, done=done, seen={UUIDS[0]}).unseen() == [UUIDS[2]]


def test_when_a_drive_is_lost_k_others_are_needed_together() -> None:
    group = make_group(3, 2, 2)
    known = Knowledge(group, seen=set(UUIDS), lost={UUIDS[0]}, done=_all_but(group, UUIDS[0]))
    assert known.needs() == [Need(frozenset(UUIDS[1:5]), 3)]
    assert smallest_set(known.needs(), UUIDS[1:5]) == (list(UUIDS[1:4]), True)


def test_drives_with_damage_in_the_rows_that_matter_do_not_count() -> None:
    group = make_group(2, 2, 1)
    bad = {(0, 0): Ranges.of((1,)), (0, 2): Ranges.of((1,))}
    known = Knowledge(group, seen=set(UUIDS), done={(0, 1)}, bad=bad)
    assert known.needs() == [Need(frozenset((drive(group, 0, 1), drive(group, 0, 3))), 2)]
    elsewhere = Knowledge(group, seen=set(UUIDS), done={(0, 1)}, bad={**bad, (0, 2): Ranges.of((2,))})
    assert elsewhere.needs() == [Need(frozenset(UUIDS[1:4]), 2)]


def test_columns_that_ended_are_no_drives_to_mount() -> None:
    group = make_group(3, 1, 1, short=frozenset((2,)))
    known = Knowledge(group, seen=set(UUIDS), lost={UUIDS[0]}, done={(0, 1)})
    assert known.needs() == [Need(frozenset((drive(group, 0, 1), drive(group, 0, 3))), 2)]


def test_more_losses_than_the_code_survives_are_wanted_from_nobody() -> None:
    group = make_group(2, 1, 1)
    known = Knowledge(group, lost={UUIDS[0], UUIDS[1]}, seen={UUIDS[2]})
    assert all(known.is_beyond_repair(volume) for volume in known.open())
    assert (known.needs(), known.unseen()) == ([], [])


def test_a_volume_beyond_repair_is_wanted_once_more_for_what_is_good_of_it() -> None:
    group = make_group(2, 1, 1)
    bad = {(0, 0): Ranges.of((2,)), (0, 1): Ranges.of((2,))}
    known = Knowledge(group, seen=set(UUIDS), bad=bad)
    assert known.needs() == [Need(frozenset((UUIDS[0],)), 1), Need(frozenset((UUIDS[1],)), 1)]
    assert not Knowledge(group, seen=set(UUIDS), bad=bad, salvaged={(0, 0), (0, 1)}).needs()


def test_provable_is_what_k_good_columns_show_and_not_what_no_error_contradicts() -> None:
    group = make_group(2, 1, 3)
    assert (Knowledge(group).num_provable(), Knowledge(group).num_good_drives()) == (0, 0)
    assert Knowledge(group, seen={UUIDS[0], UUIDS[1]}).num_provable() == 3
    damaged = Knowledge(group, seen={UUIDS[0], UUIDS[1]}, bad={(0, 0): None})
    assert (damaged.num_provable(), damaged.num_proven(), damaged.num_good_drives()) == (2, 0, 1)
    done = {(v.stripe, v.column) for v in group.volumes if v.stripe < 2 and v.column < 2}
    assert Knowledge(group, done=done).num_proven() == 2
    assert Knowledge(group, done=done, refused={(0, 1)}).num_proven() == 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_needs_found_range_by_range_are_those_found_block_by_block(data: st.DataObject) -> None:
    group = make_group(3, 2, 1, blocks=7, short=frozenset(data.draw(st.sampled_from([(), (1,), (0, 2)]))))
    sets = st.none() | st.sets(st.integers(0, 6))
    blocks = {(0, column): data.draw(sets) for column in data.draw(st.sets(st.integers(0, 4)))}
    lost = data.draw(st.sets(st.sampled_from(UUIDS), max_size=2))
    bad = {place: None if found is None else Ranges.of(found) for place, found in blocks.items()}
    known = Knowledge(group, bad=bad, lost=lost)

    def need(row: int, column: int) -> Need:
        reaching = [v for v in group.volumes if v.bytes > row * BLOCK_BYTES]
        good = [v for v in reaching if blocks.get((0, v.column), set()) is not None and v.drive not in lost]
        drives = {v.drive for v in good if v.column != column and row not in (blocks.get((0, v.column)) or ())}
        return Need(frozenset(drives), group.k - (5 - len(reaching)))

    for volume in known.open():
        own = blocks.get((0, volume.column), set[int]())
        rows = {row for found in blocks.values() for row in found or ()} | {0}
        if own is not None and volume.drive not in lost:
            rows = own
        asked = [need(row, volume.column) for row in sorted(rows) if row * BLOCK_BYTES < volume.bytes]
        assert list(known.needs_of(volume)) == list(dict.fromkeys(asked))


NEEDS = st.lists(
    st.sets(st.integers(0, 6), min_size=1).flatmap(
        lambda drives: st.integers(1, len(drives)).map(
            lambda count: Need(frozenset(str(number) for number in drives), count)
        )
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(needs=NEEDS)
def test_the_set_fulfils_every_need_and_none_is_smaller(needs: list[Need]) -> None:
    drives = [str(number) for number in range(7)]
    chosen, is_smallest = smallest_set(needs, drives)
    assert is_smallest
    assert all(len(need.drives.intersection(chosen)) >= need.count for need in needs)
    for smaller in itertools.combinations(drives, max(len(chosen) - 1, 0)):
        assert not chosen or any(len(need.drives.intersection(smaller)) < need.count for need in needs)


def test_of_equal_sets_the_drives_named_first_are_taken() -> None:
    need = Need(frozenset("abcd"), 2)
    assert smallest_set([need], ["d", "b", "a", "c"]) == (["d", "b"], True)


def test_where_the_search_is_too_long_a_set_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.volume.wanted._MAX_SEARCH_STEPS", 3)
    needs = [Need(frozenset(pair), 1) for pair in ("ab", "cd", "ef")]
    chosen, is_smallest = smallest_set(needs, list("abcdef"))
    assert not is_smallest
    assert all(need.drives.intersection(chosen) for need in needs)


def _all_but(group: Group, lost: str) -> set[tuple[int, int]]:
    return {(v.stripe, v.column) for v in group.volumes if v.column < group.k and v.drive != lost}
