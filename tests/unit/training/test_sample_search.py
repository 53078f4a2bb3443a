"""Training data in a result is found where it lies as it is, and the limits are as stated."""

import hashlib
import random
from pathlib import Path

import pytest

from packtrain.training.loader import SampleStore
from packtrain.training.sample_search import PROBE_BYTES, Probe, choose_probes, find_digests, find_samples
from tiny_dataset import make_tiny_dataset

PROBE = Probe("s1", bytes(range(100, 100 + PROBE_BYTES)))


def noise(count: int) -> bytes:
    return random.Random(4).randbytes(count)


@pytest.mark.parametrize("place", [0, 1, 2, 3, 777, 5000 - PROBE_BYTES])
def test_a_probe_is_found_at_any_place(tmp_path: Path, place: int) -> None:
    content = bytearray(noise(5000))
    content[place : place + PROBE_BYTES] = PROBE.content
    (tmp_path / "file").write_bytes(content)
    assert find_samples(tmp_path / "file", [PROBE]) == ["s1"]


@pytest.mark.parametrize("shift", range(-PROBE_BYTES - 1, 3))
def test_a_probe_is_found_across_two_pieces(tmp_path: Path, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.training.sample_search._PIECE_BYTES", 1 << 10)
    content = bytearray(noise(4000))
    content[2048 + shift : 2048 + shift + PROBE_BYTES] = PROBE.content
    (tmp_path / "file").write_bytes(content)
    assert find_samples(tmp_path / "file", [PROBE]) == ["s1"]


def test_noise_holds_no_probe(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(noise(100_000))
    probes = [Probe(str(number), random.Random(number).randbytes(PROBE_BYTES)) for number in range(100, 300)]
    assert find_samples(tmp_path / "file", probes) == []


def test_a_whole_sample_in_a_file_is_found_for_every_kind(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path / "data")
    store = SampleStore(tmp_path / "data")
    probes = choose_probes(store)
    by_kind = {store[row].kind: store[row] for row in range(len(store)) if store[row].key in {p.key for p in probes}}
    assert set(by_kind) == {"table", "image", "clip"}
    for sample in by_kind.values():
        (tmp_path / "file").write_bytes(noise(333) + sample.payload + noise(50))
        assert sample.key in find_samples(tmp_path / "file", probes)


def test_digests_of_samples_are_found_in_text_in_either_case() -> None:
    digest = hashlib.sha256(b"sample").hexdigest()
    assert find_digests(f"saw {digest.upper()} today".encode(), [digest, "0" * 64]) == [digest]
    assert find_digests(b"loss 0.5", [digest]) == []
