"""Placing groups on hosts: whole groups are read where all their drives are, split ones by the fewest moves."""

from hypothesis import given
from hypothesis import strategies as st

from packtrain.volume.host_placing import place_groups

HOSTS = ("h1", "h2", "h3")


@st.composite
def seen_drives(draw: st.DrawFn) -> tuple[dict[int, list[str]], dict[str, set[str]]]:
    groups = {
        number: [f"{number}-{drive}" for drive in range(draw(st.integers(1, 5)))]
        for number in range(draw(st.integers(1, 5)))
    }
    seen = {uuid: draw(st.sets(st.sampled_from(HOSTS))) for uuids in groups.values() for uuid in uuids}
    return groups, seen


@given(seen_drives())
def test_what_is_whole_is_read_and_the_moves_are_the_fewest(
    drawn: tuple[dict[int, list[str]], dict[str, set[str]]],
) -> None:
    groups, seen = drawn
    placing = place_groups(groups, seen)
    for number, uuids in groups.items():
        here = [uuid for uuid in uuids if seen[uuid]]
        moves = [move for move in placing.moves if move.group == number]
        fewest = min((sum(host not in seen[uuid] for uuid in here) for host in HOSTS), default=0)
        assert len(moves) == fewest
        if not here:
            assert number not in placing.hosts
        elif fewest:
            assert number not in placing.hosts
            # When they are done, the group is whole.
            after = seen | {move.drive: {move.target} for move in moves}
            assert place_groups({number: uuids}, after).hosts == {number: moves[0].target}
        else:
            assert all(placing.hosts[number] in seen[uuid] for uuid in here)


@given(seen_drives())
def test_the_order_in_which_hosts_answer_changes_nothing(
    drawn: tuple[dict[int, list[str]], dict[str, set[str]]],
) -> None:
    groups, seen = drawn
    other = {uuid: sorted(hosts, reverse=True) for uuid, hosts in reversed(seen.items())}
    assert place_groups(groups, seen) == place_groups(dict(reversed(groups.items())), other)
