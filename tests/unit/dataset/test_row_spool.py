"""Rows of a source that is larger than memory: the same rows in the same order, and little of them held."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset import row_spool
from packtrain.dataset.row_spool import RowSpool
from packtrain.engines.processes import ProcessMapper
from packtrain.stages.prepare import prepare
from source_parts import ignore, tree, voyage_folder


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=30))
def test_rows_come_back_in_their_order_as_they_were_when_they_were_settled(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(row_spool, "_ROWS_IN_MEMORY", 4)
        spool = RowSpool(tmp_path_factory.getbasetemp())
        expected: list[dict[str, int]] = []
        num_open = 0
        for number, closes in steps:
            for _ in range(number):
                expected.append({"number": len(expected), "place": -1})
                spool.add(expected[-1])
            num_open += number
            if closes:  # as a part does: its rows are told their place, and are open no more
                for row in expected[len(expected) - num_open :]:
                    row["place"] = len(expected)
                num_open = 0
            spool.settle(num_open)
            assert len(spool._rows) < 4 + max(num_open, 1)
    assert len(spool) == len(expected)
    assert list(spool) == expected
    spool.clear()
    assert (len(spool), list(spool)) == (0, [])


def test_a_source_of_many_samples_gives_the_same_data_set_with_few_rows_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "long.csv").write_text("id,name\n" + "".join(f"{i},n{i}\n" for i in range(2000)))
    recipe = "table_block_rows = 4\nshard_bytes = 4096"
    one = voyage_folder(tmp_path / "one", raw, recipe)
    prepare(one, ProcessMapper(0), ignore)
    monkeypatch.setattr(row_spool, "_ROWS_IN_MEMORY", 16)
    two = voyage_folder(tmp_path / "two", raw, recipe)
    prepare(two, ProcessMapper(0), ignore)
    assert tree(two.work / "dataset") == tree(one.work / "dataset")
    assert pq.read_metadata(two.work / "dataset" / "index.parquet").num_rows == 500
