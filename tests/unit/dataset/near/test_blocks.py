import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from packtrain.dataset.near.blocks import BLOCK_BYTES, fingerprint_of_block


def _share(one: bytes, other: bytes) -> float:
    """Return the estimated Jaccard similarity."""
    assert len(one) == len(other) == BLOCK_BYTES
    return float((np.frombuffer(one, "<u4") == np.frombuffer(other, "<u4")).mean())


def _block(number: int, num_rows: int = 500) -> pa.Table:
    """Return a block of a table of readings: a running number, a word, a place, two readings."""
    chance = random.Random(number)
    return pa.table(
        {
            "at": list(range(number * num_rows, (number + 1) * num_rows)),
            "state": [chance.choice(["idle", "rising", "falling"]) for _ in range(num_rows)],
            "place": [chance.choice(["north", "south"]) for _ in range(num_rows)],
            "level": [round(chance.gauss(50, 10), 2) for _ in range(num_rows)],
            "heat": [round(chance.gauss(20, 3), 1) for _ in range(num_rows)],
        }
    )


def _with_changed_cells(block: pa.Table, share: float) -> pa.Table:
    chance = random.Random(1)
    columns = [column.to_pylist() for column in block.columns]
    for _ in range(int(share * block.num_rows * len(columns))):
        columns[chance.randrange(len(columns))][chance.randrange(block.num_rows)] = None
    return pa.table(dict(zip(block.column_names, columns, strict=True)))


def test_a_block_with_a_few_changed_cells_is_near_and_another_block_of_the_table_is_not() -> None:
    blocks = [fingerprint_of_block(_block(number)) for number in range(5)]
    assert _share(blocks[0], fingerprint_of_block(_with_changed_cells(_block(0), 0.02))) >= 0.8
    assert max(_share(blocks[0], other) for other in blocks[1:]) < 0.2


def test_blocks_of_few_different_values_are_not_near_by_what_the_table_is_about() -> None:
    chance = np.random.default_rng(1)
    table = pa.table({f"answer {number}": chance.integers(0, 4, 4000) for number in range(6)})
    blocks = [fingerprint_of_block(table.slice(start, 1000)) for start in range(0, 4000, 1000)]
    assert max(_share(blocks[0], other) for other in blocks[1:]) < 0.5


def test_names_of_columns_and_order_of_rows_do_not_matter() -> None:
    block = _block(3)
    shuffled = block.take(pa.array(np.random.default_rng(1).permutation(block.num_rows)))
    assert fingerprint_of_block(shuffled.rename_columns(list("abcde"))) == fingerprint_of_block(block)


def test_how_rows_are_stored_does_not_matter() -> None:
    block = _block(4)
    as_text = pa.table({name: block[name].cast(pa.string()) for name in block.column_names})
    in_pieces = pa.concat_tables([block.slice(0, 7), block.slice(7)])
    with_dictionary = block.set_column(1, "state", block["state"].combine_chunks().dictionary_encode())
    for other in (as_text, in_pieces, with_dictionary):
        assert fingerprint_of_block(other) == fingerprint_of_block(block)


def test_one_column_is_compared_by_its_rows() -> None:
    rows = [f"text {number}" for number in range(300)]
    whole = fingerprint_of_block(pa.table({"text": rows}))
    assert _share(whole, fingerprint_of_block(pa.table({"text": rows[15:]}))) >= 0.85
    assert _share(whole, fingerprint_of_block(pa.table({"text": [f"other {row}" for row in rows]}))) < 0.1


def test_equal_rows_count_as_often_as_they_come() -> None:
    many, few = (fingerprint_of_block(pa.table({"a": ["x"] * number, "b": ["y"] * number})) for number in (400, 100))
    assert _share(many, few) < 0.5


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"a": pa.array([], pa.int64())})])
def test_a_block_without_rows_or_columns_is_not_compared(table: pa.Table) -> None:
    assert fingerprint_of_block(table) == b""


def test_nested_cells_bytes_and_empty_cells_are_compared() -> None:
    table = pa.table(
        {
            "list": [[1, 2], None, []],
            "bytes": [b"\xff\xfe", b"", None],
            "structure": [{"a": 1}, None, {"a": None}],
            "nothing": pa.nulls(3),
        }
    )
    assert len(fingerprint_of_block(table)) == BLOCK_BYTES


def test_fingerprints_do_not_change_with_process_or_version() -> None:
    code = (
        "import pyarrow as pa; from packtrain.dataset.near.blocks import fingerprint_of_block as of;"
        "print(of(pa.table({'a': list(range(100)), 'b': [str(n * n) for n in range(100)]}))[:16].hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    # Frozen: another version of the library that gives other values must raise the version of the kind in the registry.
    assert printed == {"cc80f11d466f28387ed8cc4722df4f11"}
