"""File systems are known by their marks; random bytes are none and crash nothing."""

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.devices.superblock import FileSystem, recognise
from recorded_machines import ext4_head

NAME = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def marked(*marks: tuple[int, bytes], length: int = 128 * 1024) -> bytes:
    head = bytearray(length)
    for offset, mark in marks:
        head[offset : offset + len(mark)] = mark
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (ext4_head("A3", NAME.bytes), FileSystem("ext4", "A3", str(NAME))),
        (marked((0, b"XFSB"), (32, NAME.bytes), (108, b"B1")), FileSystem("xfs", "B1", str(NAME))),
        (
            marked((0x10040, b"_BHRfS_M"), (0x10020, NAME.bytes), (0x1012B, b"pool")),
            FileSystem("btrfs", "pool", str(NAME)),
        ),
        (marked((3, b"EXFAT   "), (100, struct.pack("<I", 0x1234ABCD))), FileSystem("exfat", "", "1234-ABCD")),
        (marked((3, b"NTFS    "), (0x48, struct.pack("<Q", 0xA1B2))), FileSystem("ntfs", "", "000000000000A1B2")),
        (
            marked((82, b"FAT32   "), (71, b"STICK      "), (67, struct.pack("<I", 0x1234ABCD)), (510, b"\x55\xaa")),
            FileSystem("vfat", "STICK", "1234-ABCD"),
        ),
        (marked((54, b"FAT16   "), (43, b"NO NAME    ")), FileSystem("vfat", "", "0000-0000")),
        (marked((0, b"LUKS\xba\xbe\0\x02"), (168, str(NAME).encode())), FileSystem("crypto_LUKS", "", str(NAME))),
        (marked((4086, b"SWAPSPACE2"), (1036, NAME.bytes)), FileSystem("swap", "", str(NAME))),
        (marked((512, b"EFI PART"), (568, NAME.bytes_le), (510, b"\x55\xaa")), FileSystem("gpt", "", str(NAME))),
        (marked((440, b"\1\2\3\4"), (446, b"\x80"), (510, b"\x55\xaa")), FileSystem("dos", "", "04030201")),
        (marked((4096, struct.pack("<I", 0xA92B4EFC))), FileSystem("linux_raid_member")),
        (marked(), None),
        (b"", None),
        (marked((510, b"\x55\xaa")), None),
    ],
)
def test_a_device_is_known_by_its_marks(head: bytes, expected: FileSystem | None) -> None:
    assert recognise(head) == expected


def test_a_raid_with_its_mark_at_the_end_is_known() -> None:
    size_bytes = 10 << 20
    tail = bytearray(65536)
    tail[-8192:-8188] = struct.pack("<I", 0xA92B4EFC)
    assert recognise(b"", bytes(tail), size_bytes) == FileSystem("linux_raid_member")


@given(st.binary(max_size=2048), st.integers(0, 70_000), st.binary(max_size=64))
def test_any_bytes_are_looked_at_without_an_error(start: bytes, offset: int, mark: bytes) -> None:
    recognise(marked((0, start), (offset, mark)))
