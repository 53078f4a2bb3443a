"""A volume is read block by block, and every block that is not what it was is an erasure."""

import hashlib
import os
from pathlib import Path

import pytest
from msgspec import structs

from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.digest import BLOCK_BYTES, sha256_bytes
from packtrain.documents.group import Volume
from packtrain.errors import IntegrityError
from packtrain.ports import Drive
from packtrain.volume.block_list import BlockHasher, encode_block_list
from packtrain.volume.blocks import DIFFERS, NOT_READABLE, SHORT, Column, parse_block_list
from packtrain.volume.layout import blocks_name, volume_name
from packtrain.volume.load_journal import DamagedLine, damage_lines
from shipment_parts import content

SIZE = 2 * BLOCK_BYTES + 1000


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    payload = content(SIZE, 1)
    hasher = BlockHasher()
    hasher.update(payload)
    _, hashes = hasher.finish()
    lines = encode_block_list(hashes)
    for name, data in ((volume_name(0, 0, 2), payload), (blocks_name(0, 0), lines)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return Volume(
        stripe=0,
        column=0,
        drive="00000000-0000-0000-0000-000000000000",
        bytes=SIZE,
        sha256=hashlib.sha256(payload).hexdigest(),
        blocks_sha256=sha256_bytes(lines),
        readback="memory",
    )


def read(volume: Volume, drive: Drive | None) -> tuple[list[bool], Column]:
    column = Column(volume, 2, drive, "A1")
    buffer = memoryview(bytearray(BLOCK_BYTES))
    good: list[bool] = []
    for block in range(column.num_blocks):
        good.append(column.read_block(block, buffer))
        if good[-1]:
            start = block * BLOCK_BYTES
            assert buffer[: column.block_bytes(block)] == content(SIZE, 1)[start : start + BLOCK_BYTES]
    return good, column


def test_an_undamaged_volume_has_no_erasures(volume: Volume, tmp_path: Path) -> None:
    good, column = read(volume, DirectoryDrive(tmp_path))
    assert good == [True] * 3
    assert column.verify()
    assert column.damage() == []


def test_flipped_bits_are_named_in_ranges(volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / volume_name(0, 0, 2)
    payload = bytearray(path.read_bytes())
    payload[BLOCK_BYTES] ^= 1
    payload[SIZE - 1] ^= 128
    path.write_bytes(payload)
    good, column = read(volume, DirectoryDrive(tmp_path))
    assert good == [True, False, False]
    assert [(d.first_block, d.last_block, d.what) for d in column.damage()] == [(1, 2, DIFFERS)]
    assert str(column.damage()[0]) == "drive A1, data/0000000-00.tar.age, blocks 1 to 2: differs from the block list"
    assert not column.verify()


def test_a_volume_of_zeros_is_held_as_one_range_however_many_blocks_are_bad(tmp_path: Path) -> None:
    num = 3000
    lines = b"0123456789abcdef\n" * num
    volume = Volume(
        stripe=0,
        column=0,
        drive="00000000-0000-0000-0000-000000000000",
        bytes=num * BLOCK_BYTES,
        sha256="0" * 64,
        blocks_sha256=sha256_bytes(lines),
        readback="memory",
    )
    for name, data in ((volume_name(0, 0, 2), b""), (blocks_name(0, 0), lines)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    _, column = read(volume, DirectoryDrive(tmp_path))
    assert (len(column.bad_blocks), column.bad_blocks.num_ranges) == (num, 1)
    damage = column.damage()
    line = DamagedLine(0, 0, 0, damage_lines(damage))
    bad = line.bad_blocks()
    assert bad is not None
    assert (len(damage), len(bad), bad.num_ranges) == (1, num, 1)


def test_a_cut_volume_is_short_from_the_cut_on(volume: Volume, tmp_path: Path) -> None:
    os.truncate(tmp_path / volume_name(0, 0, 2), BLOCK_BYTES + 5)
    good, column = read(volume, DirectoryDrive(tmp_path))
    assert good == [True, False, False]
    assert [(d.first_block, d.last_block, d.what) for d in column.damage()] == [(1, 2, SHORT)]


def test_an_unreadable_block_is_one_erasure(volume: Volume, tmp_path: Path) -> None:
    orders = Orders(unreadable={volume_name(0, 0, 2): BLOCK_BYTES + 7})
    good, column = read(volume, FaultyDrive(DirectoryDrive(tmp_path), orders))
    assert good == [True, False, True]
    assert [(d.first_block, d.last_block, d.what) for d in column.damage()] == [(1, 1, NOT_READABLE)]


def test_a_volume_on_no_drive_is_lost(volume: Volume) -> None:
    good, column = read(volume, None)
    assert good == [False] * 3
    assert column.lost == "its drive is not there"


def test_a_link_in_the_place_of_a_volume_is_a_missing_file(volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / volume_name(0, 0, 2)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    good, column = read(volume, DirectoryDrive(tmp_path))
    assert good == [False] * 3
    assert column.lost == "the file is missing"


def test_an_altered_block_list_never_makes_an_altered_volume_good(volume: Volume, tmp_path: Path) -> None:
    path, lists = tmp_path / volume_name(0, 0, 2), tmp_path / blocks_name(0, 0)
    payload = bytearray(path.read_bytes())
    payload[5] ^= 1
    hasher = BlockHasher()
    hasher.update(payload)
    path.write_bytes(payload)
    lists.write_bytes(encode_block_list(hasher.finish()[1]))
    good, column = read(volume, DirectoryDrive(tmp_path))
    assert good == [False] * 3
    assert column.lost is not None


def test_every_cut_and_every_flipped_bit_of_a_block_list_is_refused(volume: Volume, tmp_path: Path) -> None:
    payload = (tmp_path / blocks_name(0, 0)).read_bytes()
    assert parse_block_list(payload, volume, "list") == payload
    for length in range(len(payload)):
        with pytest.raises(IntegrityError):
            parse_block_list(payload[:length], volume, "list")
    for position in range(len(payload) * 8):
        altered = bytearray(payload)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError):
            parse_block_list(bytes(altered), volume, "list")


def test_a_signed_block_list_that_is_no_list_is_refused(volume: Volume) -> None:
    payload = b"z" * 51
    forged = structs.replace(volume, blocks_sha256=sha256_bytes(payload))
    with pytest.raises(IntegrityError, match="16 hex digits"):
        parse_block_list(payload, forged, "list")
