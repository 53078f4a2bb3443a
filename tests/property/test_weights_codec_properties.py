"""Compressed weights: whatever goes in comes out, bit by bit; and hostile bytes are refused before memory is taken."""

import io
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrain.errors import WeightsUnopenable
from packtrain.training import weights_codec, weights_codec_planes
from packtrain.training.weights_codec_base import BaseWeights
from packtrain.training.weights_codec_planes import BLOCK_BYTES, decode_block, encode_block, parse_head

Tensors = list[tuple[str, str, tuple[int, ...], bytes]]
WIDTH_OF = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8, "I32": 4, "I16": 2, "U8": 1, "BOOL": 1}
in_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["with zstandard", "without"], autouse=True)
def coder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(weights_codec_planes, "_zstandard", lambda: None)
    else:
        pytest.importorskip("zstandard")


def spelled(tensors: Tensors) -> bytes:
    header: dict[str, object] = {}
    body = b""
    for name, dtype, shape, raw in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    spelled = json.dumps(header).encode()
    return struct.pack("<Q", len(spelled)) + spelled + body


@st.composite
def numbers(draw: st.DrawFn, dtype: str) -> tuple[tuple[int, ...], bytes]:
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=3)))
    num_bytes = int(np.prod(shape, dtype=int)) * WIDTH_OF[dtype]
    kind = draw(st.sampled_from(["any", "normal", "ones", "zeros"]))
    if kind == "any":  # NaN payloads, infinities, negative zeros
        return shape, draw(st.binary(min_size=num_bytes, max_size=num_bytes))
    if kind == "normal":
        seed = draw(st.integers(0, 99))
        return shape, np.random.default_rng(seed).normal(size=num_bytes).astype("<f4").tobytes()[:num_bytes]
    return shape, (b"\xff" if kind == "ones" else b"\0") * num_bytes


@st.composite
def files(draw: st.DrawFn) -> Tensors:
    found: Tensors = []
    for number in range(draw(st.integers(0, 4))):
        dtype = draw(st.sampled_from(sorted(WIDTH_OF)))
        found.append((f"layer.{number}", dtype, *draw(numbers(dtype))))
    return found


def round_trip(path: Path, base: BaseWeights | None = None, num_threads: int = 1) -> bytes:
    packed, opened = io.BytesIO(), io.BytesIO()
    assert weights_codec.compress(path, packed, base, num_threads) == len(packed.getvalue())
    packed.seek(0)
    weights_codec.decompress(packed, opened, path.stat().st_size, base, "here", num_threads)
    return opened.getvalue()


@given(tensors=files())
@in_a_folder
def test_any_tensors_come_back_bit_by_bit(tmp_path: Path, tensors: Tensors) -> None:
    (tmp_path / "w").write_bytes(spelled(tensors))
    assert round_trip(tmp_path / "w") == (tmp_path / "w").read_bytes()


@given(payload=st.binary(max_size=600))
@in_a_folder
def test_any_bytes_come_back(tmp_path: Path, payload: bytes) -> None:
    (tmp_path / "w").write_bytes(payload)
    assert round_trip(tmp_path / "w") == payload


@given(tensors=files(), other=files(), seed=st.integers(0, 99))
@in_a_folder
def test_any_tensors_come_back_as_a_difference_to_any_base(
    tmp_path: Path,
    tensors: Tensors,
    other: Tensors,
    seed: int,
) -> None:
    # Some tensors of the base are those of the file with a few bits changed, the others are strangers.
    draw = np.random.default_rng(seed)
    near = [
        (name, dtype, shape, bytes(byte ^ int(draw.integers(0, 2)) for byte in raw))
        for name, dtype, shape, raw in tensors
        if draw.integers(0, 2)
    ]
    names = {each[0] for each in near}
    (tmp_path / "base").write_bytes(spelled([*near, *(each for each in other if each[0] not in names)]))
    (tmp_path / "w").write_bytes(spelled(tensors))
    with BaseWeights(tmp_path / "base") as base:
        assert round_trip(tmp_path / "w", base) == (tmp_path / "w").read_bytes()


@given(
    width=st.sampled_from([1, 2, 4, 8]),
    is_float=st.booleans(),
    has_base=st.booleans(),
    seed=st.integers(0, 999),
    count=st.integers(1, 400),
    scale=st.sampled_from([0, 1, 3, 255]),
)
def test_any_block_comes_back(*, width: int, is_float: bool, has_base: bool, seed: int, count: int, scale: int) -> None:
    draw = np.random.default_rng(seed)
    raw = draw.integers(0, scale + 1, width * count, np.uint8).tobytes()
    base = draw.integers(0, 256, width * count, np.uint8).tobytes() if has_base else None
    coded = encode_block(raw, width, is_float=is_float, base=base)
    heads = 14 + 5 * width
    head = parse_head(coded[:14], coded[14:heads], "here")
    assert decode_block(head, coded[heads:], base if head.needs_base else None, "here") == raw


@given(tensors=files(), data=st.data())
@in_a_folder
def test_a_damaged_file_is_refused_or_opens_to_as_many_bytes_as_were_signed(
    tmp_path: Path, tensors: Tensors, data: st.DataObject
) -> None:
    (tmp_path / "w").write_bytes(spelled(tensors))
    packed = io.BytesIO()
    weights_codec.compress(tmp_path / "w", packed)
    damaged = bytearray(packed.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) if data.draw(st.booleans()) else bytes(damaged)
    opened = io.BytesIO()
    total_bytes = (tmp_path / "w").stat().st_size
    try:
        weights_codec.decompress(io.BytesIO(cut), opened, total_bytes, None, "here")
    except WeightsUnopenable:
        return
    assert len(opened.getvalue()) == total_bytes  # the digest of the export list decides about the rest


@given(garbage=st.binary(max_size=300), total_bytes=st.integers(0, 2**53))
def test_any_bytes_after_a_good_head_are_refused_or_fit(garbage: bytes, total_bytes: int) -> None:
    head = struct.pack("<20sQ32s", weights_codec.MAGIC, total_bytes, bytes(32))
    opened = io.BytesIO()
    try:
        weights_codec.decompress(io.BytesIO(head + garbage), opened, total_bytes, None, "here")
    except WeightsUnopenable:
        return
    assert len(opened.getvalue()) == total_bytes


@pytest.mark.parametrize("coding", [weights_codec_planes.ZSTD, weights_codec_planes.DEFLATE])
def test_a_bomb_takes_no_more_memory_than_a_block(coding: int) -> None:
    import zlib

    import pyarrow as pa

    zeros = bytes(256 << 20)
    if coding == weights_codec_planes.ZSTD:
        bomb = pa.Codec("zstd").compress(zeros, asbytes=True)
    else:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = packer.compress(zeros) + packer.flush()
    assert len(bomb) < BLOCK_BYTES
    del zeros
    block = weights_codec_planes.HEAD.pack(BLOCK_BYTES, 1, 0, 0) + weights_codec_planes.PLANE.pack(coding, len(bomb))
    head = struct.pack("<20sQ32s", weights_codec.MAGIC, 1 << 50, bytes(32))
    tracemalloc.start()
    try:
        with pytest.raises(WeightsUnopenable):
            weights_codec.decompress(io.BytesIO(head + block + bomb), io.BytesIO(), 1 << 50, None, "here")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("raw_bytes", "width", "mode", "offset"),
    [
        (0, 1, 0, 0),
        (BLOCK_BYTES + 1, 1, 0, 0),
        (8, 3, 0, 0),
        (7, 2, 0, 0),
        (8, 2, 4, 0),
        (8, 2, 1, 9),
        (2**32 - 1, 1, 0, 0),
    ],
)
def test_a_block_head_that_no_writer_writes_is_refused(raw_bytes: int, width: int, mode: int, offset: int) -> None:
    head = weights_codec_planes.HEAD.pack(raw_bytes, width, mode, offset)
    with pytest.raises(WeightsUnopenable):
        weights_codec_planes.plane_heads_bytes(head, "here")


def test_a_block_that_names_bytes_beyond_its_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(bytes(100))
    block = weights_codec_planes.HEAD.pack(100, 1, weights_codec_planes.XOR, 2**64 - 50)
    block += weights_codec_planes.PLANE.pack(weights_codec_planes.STORED, 100) + bytes(100)
    with BaseWeights(tmp_path / "base") as base:
        head = struct.pack("<20sQ32s", weights_codec.MAGIC, 100, bytes.fromhex(base.sha256))
        with pytest.raises(WeightsUnopenable, match="does not have"):
            weights_codec.decompress(io.BytesIO(head + block), io.BytesIO(), 100, base, "here")
