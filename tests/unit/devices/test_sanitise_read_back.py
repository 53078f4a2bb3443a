"""Which blocks are read back, and that no byte of what is read goes unseen. The device here is a file."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.devices import sanitise_read_back, sanitise_target
from packtrain.devices.sanitise_look import Header
from packtrain.devices.sanitise_read_back import BLOCK_BYTES, NUM_PARTS, PER_PART, places, read_back, with_head
from packtrain.documents.sanitisation import ReadBack
from packtrain.units import MIB

SEED = "0123456789abcdef" * 2


@given(st.integers(min_value=4 * MIB, max_value=1 << 60), st.binary(min_size=16, max_size=16))
def test_places_lie_on_the_drive_and_leave_no_long_stretch_unseen(size_bytes: int, lot: bytes) -> None:
    size_bytes -= size_bytes % 512
    found = places(size_bytes, lot.hex(), "sample")
    assert found[0] == MIB
    assert found[-1] < size_bytes <= found[-1] + BLOCK_BYTES
    assert all(offset % MIB == 0 for offset in found)
    assert len(found) <= NUM_PARTS * PER_PART + 2
    if len(found) > 1:
        longest = max(after - before for before, after in itertools.pairwise(found))
        assert longest <= 2 * (size_bytes // NUM_PARTS + BLOCK_BYTES)


def test_the_same_seed_draws_the_same_places_and_another_draws_others() -> None:
    size_bytes = 20 * 10**12
    assert places(size_bytes, SEED, "sample") == places(size_bytes, SEED, "sample")
    assert places(size_bytes, SEED, "sample") != places(size_bytes, "0" * 32, "sample")


def test_every_byte_of_a_large_drive_is_named_in_little_memory() -> None:
    assert isinstance(places(20 * 10**12, SEED, "full"), range)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A file has no buffers of a block device to flush.
    monkeypatch.setattr(sanitise_read_back, "forget_cached", os.fsync)
    path = tmp_path / "device"
    path.write_bytes(bytes(6 * MIB + 512))
    return path


def read(path: Path, headers: tuple[Header, ...] = ()) -> ReadBack:
    descriptor = os.open(path, os.O_RDWR)
    try:
        size_bytes = os.fstat(descriptor).st_size
        return with_head(descriptor, read_back(descriptor, size_bytes, SEED, "full", headers, _ignore), headers)
    finally:
        os.close(descriptor)


def _ignore(done: int, total: int) -> None:
    del done, total


def test_zeros_are_empty(device: Path) -> None:
    found = read(device)
    assert found.is_empty
    assert (found.pattern, found.read_bytes, found.how) == ("00", 6 * MIB + 512, "full")


@given(st.integers(min_value=0, max_value=6 * MIB + 511), st.integers(min_value=1, max_value=255))
def test_one_byte_anywhere_is_found_where_it_is(
    tmp_path_factory: pytest.TempPathFactory, offset: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("device") / "device"
    with path.open("wb") as stream:
        stream.truncate(6 * MIB + 512)
        stream.seek(offset)
        stream.write(bytes([byte]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sanitise_read_back, "forget_cached", os.fsync)
        found = read(path)
    path.unlink()
    assert not found.is_empty
    assert found.first_fault is not None
    at = found.first_fault
    # A block that begins with 0xff is told by what breaks its fill: the zero behind.
    starts_block = byte == 0xFF and offset % MIB == 0
    assert at.offset == (offset + 1 if starts_block else offset)


def test_ones_are_a_fill_too_and_a_mixture_is_none(device: Path) -> None:
    device.write_bytes(bytes(MIB) + b"\xff" * 3 * MIB)
    assert read(device).pattern == "ff"
    device.write_bytes(bytes(2 * MIB) + b"\xff" * 2 * MIB)
    found = read(device)
    assert (found.pattern, found.num_faults, found.is_empty) == ("", 0, False)


def test_a_volume_that_still_begins_where_it_began_is_found_between_the_blocks(device: Path) -> None:
    content = b"age-encryption.org/v1\n".ljust(64, b"x")
    with device.open("r+b") as stream:
        stream.seek(3 * MIB + 4096 + 100)
        stream.write(content)
    headers = (Header(3 * MIB + 4096 + 100, content), Header(5 * MIB, content))
    found = read(device, headers)
    assert (found.num_headers, found.num_headers_left) == (2, 1)


def test_the_head_is_a_mebibyte() -> None:
    assert sanitise_target.HEAD_BYTES == BLOCK_BYTES
