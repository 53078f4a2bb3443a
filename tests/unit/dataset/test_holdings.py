"""What is asked of a data set's tables comes in one order, however many threads look for it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.holdings import Holdings

NUM_ROWS = 60_000


def _write(root: Path) -> None:
    keys = [f"k{number:06d}" for number in range(NUM_ROWS)]
    own = {"key": keys, "kind": ["image"] * NUM_ROWS, "sha256": keys}
    source = [f"raw/{number % 1000:04d}" for number in range(NUM_ROWS)]
    place = {"split": ["train"] * NUM_ROWS, "shard": ["a.tar"] * NUM_ROWS, "offset": list(range(NUM_ROWS))}
    dropped_for = ["raw/0001" if number % 3 else "raw/other" for number in range(NUM_ROWS)]
    pq.write_table(pa.table({**own, "source": source, **place}), root / "index.parquet", row_group_size=2048)
    pq.write_table(
        pa.table({**own, "source": source, "kept_source": dropped_for}), root / "drops.parquet", row_group_size=2048
    )
    empty = [""] * NUM_ROWS
    pq.write_table(pa.table({"path": source, "place": keys, "error": empty}), root / "rejects.parquet")


def test_rows_of_the_chosen_sources_come_in_the_order_of_their_table(tmp_path: Path) -> None:
    _write(tmp_path)
    with Holdings(tmp_path) as holdings:
        holdings.choose([f"raw/{number:04d}" for number in range(0, 1000, 2)])
        for rows in (holdings.samples(), holdings.drops()):
            keys = [row["key"] for row in rows]
            assert len(keys) == NUM_ROWS // 2
            assert keys == sorted(keys)
        rejects = [(row["path"], row["place"]) for row in holdings.rejects()]
        assert rejects == sorted(rejects)
        holdings.choose(["raw/0001"])
        keys = [row["key"] for row in holdings.dropped_for()]
        assert keys
        assert keys == sorted(keys)
