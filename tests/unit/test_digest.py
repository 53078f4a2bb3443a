import io
from pathlib import Path

import pytest

from packtrain.digest import sha256_bytes, sha256_file, sha256_stream, sha256_tree, xxh3_block

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert sha256_bytes(b"") == sha256_file(tmp_path / "empty") == EMPTY
    assert sha256_stream(io.BytesIO()) == (EMPTY, 0)


def test_a_stream_longer_than_a_piece_has_the_digest_of_its_bytes() -> None:
    payload = bytes(range(256)) * 9000

    assert sha256_stream(io.BytesIO(payload)) == (sha256_bytes(payload), len(payload))


def test_block_hashes_are_sixteen_digits_with_leading_zeros() -> None:
    # The digest of nothing is published with the algorithm; seed 0.
    assert xxh3_block(b"") == "2d06800538d394c2"
    assert all(len(xxh3_block(bytes([n]))) == 16 for n in range(256))


def _tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, payload in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(payload)
    return root


FILES = {"train.py": b"print()", "a/b.py": b"1", "a-b.py": b"2"}


def test_a_tree_has_the_same_digest_wherever_it_lies(tmp_path: Path) -> None:
    assert sha256_tree(_tree(tmp_path / "one", FILES)) == sha256_tree(_tree(tmp_path / "two", FILES))


def test_caches_and_hidden_folders_do_not_change_a_tree(tmp_path: Path) -> None:
    before = sha256_tree(_tree(tmp_path, FILES))
    _tree(tmp_path, {"__pycache__/train.pyc": b"x", ".git/HEAD": b"x"})

    assert sha256_tree(tmp_path) == before


@pytest.mark.parametrize("change", [{"train.py": b"print(1)"}, {"new.py": b""}])
def test_a_changed_or_added_file_changes_a_tree(tmp_path: Path, change: dict[str, bytes]) -> None:
    before = sha256_tree(_tree(tmp_path, FILES))

    assert sha256_tree(_tree(tmp_path, change)) != before


def test_moving_bytes_from_a_name_to_a_content_changes_a_tree(tmp_path: Path) -> None:
    one = sha256_tree(_tree(tmp_path / "one", {"ab": b"c"}))
    two = sha256_tree(_tree(tmp_path / "two", {"a": b"bc"}))

    assert one != two
