"""What weights become smaller by, and what is said where they cannot be opened."""

import io
from pathlib import Path

import pytest

from packtrain.digest import sha256_file
from packtrain.documents.export_list import ExportedFile, Packing
from packtrain.errors import WeightsUnopenable
from packtrain.training import weights_codec, weights_codec_planes
from packtrain.training.packed_weights import base_mark, finder, pack, unpack
from packtrain.training.weights_codec_base import BaseWeights, base_files, best_base
from packtrain.training.weights_codec_layout import stretches
from weights_parts import normal_weights, raw_of, write_safetensors

COUNT = 1_500_000


def save(path: Path, dtype: str, moved: float = 0.0, name: str = "layer.weight", seed: int = 1) -> Path:
    raw = raw_of(normal_weights(COUNT, moved, seed), dtype)
    return write_safetensors(path, {name: (dtype, (COUNT,), raw)})


def listed(path: Path, packing: Packing) -> ExportedFile:
    digest = sha256_file(path)
    size = path.stat().st_size
    return ExportedFile(name=path.name, bytes=size, sha256=digest, sealed_bytes=0, sealed_sha256=digest, packed=packing)


# What zipnn 0.5.4 makes of the same distribution (docs/benchmarks.md): 0.662, 0.831; 0.18 as an XOR with the base.
@pytest.mark.parametrize("library", ["zstandard", "none"])
@pytest.mark.parametrize(
    ("dtype", "has_base", "most"), [("BF16", False, 0.668), ("F32", False, 0.84), ("BF16", True, 0.17)]
)
def test_weights_become_as_small_as_their_exponents_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, library: str, most: float, *, has_base: bool
) -> None:
    if library == "none":
        monkeypatch.setattr(weights_codec_planes, "_zstandard", lambda: None)
    else:
        pytest.importorskip("zstandard")
    base = [save(tmp_path / "base.safetensors", dtype)] if has_base else []
    source = save(tmp_path / "weights.safetensors", dtype, 2e-5)
    packed = pack(source, tmp_path / "packed", base)
    assert packed is not None
    assert packed[1].bytes == (tmp_path / "packed").stat().st_size
    assert packed[1].bytes / source.stat().st_size < most
    assert packed[1].base == (sha256_file(base[0]) if base else None)
    unpack(tmp_path / "packed", tmp_path / "opened", listed(source, packed[1]), finder(base))
    assert (tmp_path / "opened").read_bytes() == source.read_bytes()


def test_threads_write_what_one_writes(tmp_path: Path) -> None:
    source = save(tmp_path / "weights.safetensors", "F32")
    one, three = io.BytesIO(), io.BytesIO()
    weights_codec.compress(source, one)
    weights_codec.compress(source, three, num_threads=3)
    assert one.getvalue() == three.getvalue()
    one.seek(0)
    opened = io.BytesIO()
    weights_codec.decompress(one, opened, source.stat().st_size, None, "here", num_threads=3)
    assert opened.getvalue() == source.read_bytes()


def test_what_would_not_become_smaller_or_is_small_is_left(tmp_path: Path) -> None:
    noise = tmp_path / "noise.safetensors"
    import random

    write_safetensors(noise, {"a": ("U8", (2 << 20,), random.Random(1).randbytes(2 << 20))})
    small = write_safetensors(tmp_path / "small.safetensors", {"a": ("F32", (1000,), bytes(4000))})
    for source in (noise, small):
        assert pack(source, tmp_path / "packed", []) is None
        assert not (tmp_path / "packed").exists()


def test_the_base_that_has_most_of_the_tensors_is_taken(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    other = save(tmp_path / "bases" / "a.safetensors", "F32", name="other.weight")
    same = save(tmp_path / "bases" / "b.safetensors", "F32")
    half = save(tmp_path / "bases" / "c.safetensors", "BF16")
    source = save(tmp_path / "weights.safetensors", "F32", 1e-4)
    assert best_base(source, base_files([tmp_path / "bases"])) == same
    assert best_base(source, [other, half]) is None


def test_without_its_base_a_difference_is_not_opened_and_the_message_names_it(tmp_path: Path) -> None:
    base = save(tmp_path / "base.safetensors", "BF16")
    source = save(tmp_path / "weights.safetensors", "BF16", 2e-5)
    packed = pack(source, tmp_path / "packed", [base])
    assert packed is not None
    other = save(tmp_path / "other.safetensors", "BF16", 1e-5)
    with pytest.raises(WeightsUnopenable, match="not here") as raised:
        unpack(tmp_path / "packed", tmp_path / "opened", listed(source, packed[1]), finder([other]))
    assert raised.value.exit_code == 93
    assert sha256_file(base) in str(raised.value)
    assert not (tmp_path / "opened").exists()
    with BaseWeights(other) as wrong, (tmp_path / "packed").open("rb") as stream, pytest.raises(WeightsUnopenable):
        weights_codec.decompress(stream, io.BytesIO(), source.stat().st_size, wrong, "here")


@pytest.mark.parametrize("case", ["cut", "longer", "other length", "other magic"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, case: str) -> None:
    source = save(tmp_path / "weights.safetensors", "BF16")
    packed = io.BytesIO()
    weights_codec.compress(source, packed)
    content = packed.getvalue()
    total_bytes = source.stat().st_size
    if case == "cut":
        content = content[:-1]
    elif case == "longer":
        content += b"\0"
    elif case == "other length":
        total_bytes += 1
    else:
        content = b"Packtrain" + content[9:]
    with pytest.raises(WeightsUnopenable):
        weights_codec.decompress(io.BytesIO(content), io.BytesIO(), total_bytes, None, "here")


def test_a_file_is_cut_along_its_tensors_and_any_other_file_is_one_stretch(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "w", {"a": ("F32", (2,), bytes(8)), "none": ("F32", (0,), b""), "b": ("I64", (1,), bytes(8))}
    )
    head = path.stat().st_size - 16
    found = [(each.offset - head, each.num_bytes, each.width, each.is_float) for each in stretches(path)]
    assert found == [(-head, head, 1, False), (0, 8, 4, True), (8, 8, 8, False)]
    # Bytes that belong to no tensor: nothing is known about it.
    path.write_bytes(path.read_bytes() + b"x")
    assert len(stretches(path)) == 1


def test_a_changed_base_is_seen_without_reading_it(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "base.safetensors", {"a": ("F32", (1,), bytes(4))})
    before = base_mark([path])
    assert base_mark([path]) == before
    write_safetensors(path, {"a": ("F32", (2,), bytes(8))})
    assert base_mark([path]) not in (before, "missing")
    assert base_mark([tmp_path / "nowhere"]) == "missing"
