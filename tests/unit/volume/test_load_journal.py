"""The journal of a load has one writer; what is cut off or no journal of this load is begun anew."""

from pathlib import Path

import pytest

from packtrain.errors import StoreInUse
from packtrain.volume.load_journal import GroupLine, LoadJournal

PLAN, STORE = "a" * 64, "/store"


def opened(path: Path) -> LoadJournal:
    return LoadJournal(path, PLAN, STORE)


@pytest.mark.parametrize("how", ["adds", "writes anew", "removes"])
def test_a_second_writer_is_found_out_where_no_lock_keeps_it_away(tmp_path: Path, how: str) -> None:
    path = tmp_path / "journal.jsonl"
    first = opened(path)
    first.add([GroupLine(1, "b" * 64)])
    second = opened(path)
    if how == "adds":
        second.mark(["x"], "seen")
    elif how == "writes anew":
        second.forget([(1, 0, 0)])
    else:
        path.unlink()
    before = path.read_bytes() if path.exists() else None
    for write in (lambda: first.mark(["y"], "seen"), lambda: first.forget([(1, 0, 0)])):
        with pytest.raises(StoreInUse, match="has written the journal") as caught:
            write()
        assert caught.value.hint
    assert (path.read_bytes() if path.exists() else None) == before
    # The last who opened it goes on.
    third = opened(path)
    third.mark(["z"], "seen")
    third.mark(["w"], "lost")
    assert opened(path).lost == {"w"}


@pytest.mark.parametrize("cut", [1, 30, 140, -2, -40])
def test_a_journal_that_is_cut_off_keeps_whole_lines_and_can_be_written(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    journal = opened(path)
    journal.mark([f"drive-{number}" for number in range(9)], "seen")
    path.write_bytes(path.read_bytes()[:cut])
    again = opened(path)
    assert again.seen <= journal.seen
    assert again.was_known == (cut not in (1, 30))
    again.mark(["more"], "seen")
    assert opened(path).seen == again.seen
