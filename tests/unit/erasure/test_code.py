import hashlib
import itertools
import json
import mmap
import threading
from pathlib import Path

import pytest

from packtrain.erasure import isal
from packtrain.erasure.code import Code
from packtrain.errors import MissingDependency
from unit.erasure import reference_code

VECTORS = Path(__file__).parents[2] / "vectors" / "erasure" / "parity.json"


def pseudo_random(name: str, length: int) -> bytes:
    return hashlib.shake_256(name.encode()).digest(length)


def columns_of(k: int, m: int, length: int) -> list[bytes]:
    data = [pseudo_random(f"column {j}", length) for j in range(k)]
    parity = [bytearray(length) for _ in range(m)]
    Code(k, m).encode(data, parity)
    return data + [bytes(column) for column in parity]


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 3), (2, 1), (5, 3), (12, 4), (45, 15)])
def test_parity_is_what_the_definition_says(k: int, m: int) -> None:
    columns = columns_of(k, m, 70)
    assert columns[k:] == reference_code.encode(columns[:k], m)


def test_every_pattern_of_up_to_m_erasures_is_undone() -> None:
    k, m = 5, 3
    columns = columns_of(k, m, 100)
    code = Code(k, m)
    for count in range(1, m + 1):
        for missing in itertools.combinations(range(k + m), count):
            present = {column: columns[column] for column in range(k + m) if column not in missing}
            out = [bytearray(100) for _ in missing]
            code.reconstruct(present, missing, out)
            assert out == [columns[column] for column in missing], missing


def test_the_slow_reference_restores_the_same_columns() -> None:
    columns = columns_of(5, 3, 40)
    present = {column: columns[column] for column in (1, 3, 4, 6, 7)}
    assert reference_code.reconstruct(present, 5, [0, 2, 5]) == [columns[0], columns[2], columns[5]]


def test_columns_longer_than_many_slices_come_back() -> None:
    length = 3 * 65536 + 4097
    columns = columns_of(12, 4, length)
    out = [bytearray(length) for _ in range(4)]
    Code(12, 4).reconstruct({c: columns[c] for c in range(16) if c not in (0, 5, 11, 13)}, [13, 11, 5, 0], out)
    assert [bytes(column) for column in out] == [columns[13], columns[11], columns[5], columns[0]]


def test_a_long_column_has_the_parity_of_its_pieces() -> None:
    length = 2 * 65536 + 17
    columns = columns_of(4, 2, length)
    for at in (0, 65535, 65536, length - 1):
        assert [column[at : at + 1] for column in columns[4:]] == reference_code.encode(
            [column[at : at + 1] for column in columns[:4]], 2
        )


def test_nothing_is_written_beyond_a_column() -> None:
    room = bytearray(b"\xee" * 300)
    Code(3, 1).encode([pseudo_random(str(j), 100) for j in range(3)], [memoryview(room)[100:200]])
    assert room[:100] == room[200:] == b"\xee" * 100


def test_buffers_of_every_kind_are_taken(tmp_path: Path) -> None:
    plain = [pseudo_random(str(j), 4096) for j in range(4)]
    path = tmp_path / "column"
    path.write_bytes(plain[3])
    expected = reference_code.encode(plain, 1)
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        mmap.mmap(-1, 4096) as out,
    ):
        Code(4, 1).encode([plain[0], bytearray(plain[1]), memoryview(plain[2]), mapped], [out])
        assert out[:] == expected[0]


def test_a_buffer_is_released_after_the_call() -> None:
    data, parity = bytearray(16), bytearray(16)
    Code(1, 1).encode([data], [parity])
    data.extend(b"x")
    parity.extend(b"x")


def test_no_parity_is_a_code_too() -> None:
    Code(3, 0).encode([b"a", b"b", b"c"], [])


def test_columns_of_no_bytes_are_allowed() -> None:
    Code(2, 1).encode([b"", b""], [bytearray()])


@pytest.mark.parametrize(("k", "m"), [(0, 1), (1, -1), (200, 56)])
def test_a_code_out_of_range_is_refused(k: int, m: int) -> None:
    with pytest.raises(ValueError, match="no code"):
        Code(k, m)


def test_the_largest_code_restores() -> None:
    columns = columns_of(235, 20, 33)
    missing = list(range(0, 200, 10))
    out = [bytearray(33) for _ in missing]
    Code(235, 20).reconstruct({c: columns[c] for c in range(255) if c not in missing}, missing, out)
    assert [bytes(column) for column in out] == [columns[c] for c in missing]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        Code(2, 1).encode([b"ab", b"a"], [bytearray(2)])


def test_a_read_only_target_is_refused() -> None:
    with pytest.raises(ValueError, match="not a writable contiguous buffer"):
        Code(1, 1).encode([b"ab"], [b"ab"])  # pyright: ignore[reportArgumentType]


def test_a_strided_view_is_refused() -> None:
    with pytest.raises(ValueError, match="not a readable contiguous buffer"):
        Code(1, 1).encode([memoryview(b"abcd")[::2]], [bytearray(2)])


def test_too_few_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="2 columns are present, 3 are needed"):
        Code(3, 2).reconstruct({0: b"a", 4: b"b"}, [1], [bytearray(1)])


@pytest.mark.parametrize("missing", [[5], [-1], [0]])
def test_a_column_that_cannot_be_missing_is_refused(missing: list[int]) -> None:
    with pytest.raises(ValueError, match="columns"):
        Code(3, 2).reconstruct({0: b"a", 1: b"b", 2: b"c"}, missing, [bytearray(1)])


def test_threads_may_share_a_code() -> None:
    code = Code(5, 3)
    columns = columns_of(5, 3, 50_000)
    wrong: list[tuple[int, ...]] = []

    def restore(missing: tuple[int, ...]) -> None:
        out = [bytearray(50_000) for _ in missing]
        code.reconstruct({c: columns[c] for c in range(8) if c not in missing}, missing, out)
        if out != [columns[c] for c in missing]:
            wrong.append(missing)

    threads = [threading.Thread(target=restore, args=(missing,)) for missing in itertools.combinations(range(8), 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_tables_of_many_patterns_do_not_pile_up() -> None:
    code = Code(12, 4)
    columns = columns_of(12, 4, 8)
    for missing in itertools.islice(itertools.combinations(range(16), 4), 600):
        out = [bytearray(8) for _ in missing]
        code.reconstruct({c: columns[c] for c in range(16) if c not in missing}, missing, out)
    assert len(code._decode_tables) <= 256  # pyright: ignore[reportPrivateUsage]


def test_parity_is_what_it_was_when_the_format_was_frozen(subtests: pytest.Subtests) -> None:
    for vector in json.loads(VECTORS.read_text()):
        with subtests.test(k=vector["k"], m=vector["m"]):
            data = [pseudo_random(f"{vector['seed']} {j}", vector["column_bytes"]) for j in range(vector["k"])]
            parity = [bytearray(vector["column_bytes"]) for _ in range(vector["m"])]
            Code(vector["k"], vector["m"]).encode(data, parity)
            assert [hashlib.sha256(column).hexdigest() for column in parity] == vector["parity_sha256"]
            assert [column[:8].hex() for column in parity] == vector["parity_begins"]


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isal, "_candidates", lambda: iter(["/nowhere/libisal.so.2"]))
    isal.load_isal.cache_clear()
    try:
        with pytest.raises(MissingDependency, match=r"libisal\.so\.2"):
            isal.load_isal()
    finally:
        isal.load_isal.cache_clear()


def test_the_library_is_the_one_of_the_wheel() -> None:
    assert "pyeclib.libs" in isal.load_isal().path
