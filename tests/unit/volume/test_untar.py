"""The tar reader takes what packtrain writes, and nothing that a hostile archive could hold."""

import io
import tarfile
from collections.abc import Callable

import pytest

from packtrain.errors import HostileArchive
from packtrain.volume import tar
from packtrain.volume.untar import TarReader, check_name, check_target


def read_all(payload: bytes, chunk: int = 1 << 20) -> list[tuple[bytes, str, bytes, bytes]]:
    """Return (name, kind, data, target) of every member, the source giving at most `chunk` bytes at a time."""
    stream = io.BytesIO(payload)

    def readinto(view: memoryview) -> int:
        return stream.readinto(view[:chunk])

    reader = TarReader(readinto, "volume")
    found: list[tuple[bytes, str, bytes, bytes]] = []
    while (member := reader.next_member()) is not None:
        data = b"".join(bytes(piece) for piece in iter(reader.read_data, b""))
        assert len(data) == member.size_bytes
        found.append((member.name, member.kind, data, member.target))
    return found


def one_file(name: bytes = b"a", data: bytes = b"data") -> bytes:
    return tar.header(name, "file", len(data), 0o644, 0) + data + tar.padding(len(data))


def volume(*members: bytes) -> bytes:
    return b"".join(members) + tar.END_OF_ARCHIVE


def forged(change: Callable[[bytearray], None], *, fix_sum: bool = True) -> bytes:
    """Return a volume of one file whose header was changed, by default with the checksum made good again."""
    header = bytearray(tar.header(b"a", "file", 4, 0o644, 0))
    change(header)
    if fix_sum:
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
    return volume(bytes(header), b"data" + bytes(508))


def put(start: int, value: bytes) -> Callable[[bytearray], None]:
    def change(header: bytearray) -> None:
        header[start : start + len(value)] = value

    return change


@pytest.mark.parametrize("chunk", [1, 511, 513, 1 << 20])
def test_what_the_writer_writes_is_read_in_any_portions(chunk: int) -> None:
    long, odd = b"x" * 90 + b"/" + b"y" * 200, b"caf\xe9"
    payload = volume(
        one_file(b"a", b"1" * 700),
        one_file(long, b""),
        one_file(odd, b"2"),
        tar.header(b"d/empty", "directory", 0, 0o755, -5),
        tar.header(b"d/link", "symlink", 0, 0o777, 0, b"../" + b"t" * 150),
    )
    assert read_all(payload, chunk) == [
        (b"a", "file", b"1" * 700, b""),
        (long, "file", b"", b""),
        (odd, "file", b"2", b""),
        (b"d/empty", "directory", b"", b""),
        (b"d/link", "symlink", b"", b"../" + b"t" * 150),
    ]


def test_a_tar_of_the_standard_library_is_read_too() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("folder/file")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    assert read_all(buffer.getvalue()) == [(b"folder/file", "file", b"hello", b"")]


def test_data_that_nobody_reads_is_skipped() -> None:
    stream = io.BytesIO(volume(one_file(b"a", b"1" * 3_000_000), one_file(b"b")))
    reader = TarReader(stream.readinto, "volume")
    names = []
    while (member := reader.next_member()) is not None:
        names.append(member.name)
    assert names == [b"a", b"b"]


@pytest.mark.parametrize("name", [b"../x", b"a/../../x", b"/etc/passwd", b"a//b", b"a/./b", b".", b"..", b"a/.."])
def test_a_path_out_of_the_tree_is_refused(name: bytes) -> None:
    with pytest.raises(HostileArchive, match="path leads out of the tree"):
        read_all(forged(put(0, name)))


@pytest.mark.parametrize("flag", [b"1", b"3", b"4", b"6", b"7", b"S", b"L", b"K", b"g", b"X", b"\0", b"A"])
def test_devices_hard_links_and_foreign_extensions_are_refused(flag: bytes) -> None:
    with pytest.raises(HostileArchive):
        read_all(forged(put(156, flag)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(257, b"ustar  \0"), "not USTAR"),
        (put(124, b"\x80" + bytes(11)), "not octal"),
        (put(124, b"-0000000001\0"), "not octal"),
        (put(124, b"0o000000004\0"), "not octal"),
        (put(124, b"00000000009\0"), "not octal"),
        (put(124, b"77777777777\0"), "cut in a member's data"),
        (put(124, b"00000000003\0"), "padding after a member is not zero"),
        (put(157, b"target"), "link target on a member that is no link"),
        (put(50, b"tail"), "bytes after the end of a header field"),
    ],
)
def test_a_header_that_lies_is_refused(change: Callable[[bytearray], None], message: str) -> None:
    with pytest.raises(HostileArchive, match=message):
        read_all(forged(change))


def test_a_wrong_checksum_is_refused() -> None:
    with pytest.raises(HostileArchive, match="checksum"):
        read_all(forged(put(0, b"b"), fix_sum=False))


def pax(records: bytes, size_bytes: int | None = None) -> bytes:
    size = len(records) if size_bytes is None else size_bytes
    header = bytearray(tar.header(b"PaxHeader", "file", size, 0o644, 0))
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + records + bytes(-len(records) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """Return a well-formed pax record (of 10 to 99 bytes)."""
    payload = b"%d %b=%b\n" % (len(key) + len(value) + 5, key, value)
    assert len(payload) == len(key) + len(value) + 5
    return payload


@pytest.mark.parametrize(
    "records",
    [
        b"",
        b"10 path=b",
        b"8 path=b\n",
        b"99 path=bb\n",
        b"0 path=b\n",
        b"x path=b\n",
        b"10 path=b\n\n",
        record(b"nothing", b"1"),
        record(b"gid", b"100"),
        record(b"SCHILY.xattr.user", b"1"),
        record(b"GNU.sparse.name", b"1"),
        record(b"path", b"b") * 2,
        record(b"hdrcharset", b"EBCDIC"),
        record(b"path", b"../x"),
        record(b"path", b"/etc/passwd"),
        record(b"linkpath", b"/etc"),
        record(b"size", b"-1"),
        record(b"size", b"9" * 17),
        record(b"size", b"9007199254740992"),
    ],
)
def test_a_pax_header_outside_of_the_subset_is_refused(records: bytes) -> None:
    with pytest.raises(HostileArchive):
        read_all(volume(pax(records), one_file()))


def test_a_huge_pax_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(HostileArchive, match="pax header is too long"):
        read_all(volume(pax(b"", 8**11 - 1), one_file()))


def test_pax_headers_without_a_member_or_twice_are_refused() -> None:
    record = b"10 path=b\n"
    assert read_all(volume(pax(record), one_file()))[0][0] == b"b"
    for payload in (volume(pax(record)), volume(pax(record), pax(record), one_file())):
        with pytest.raises(HostileArchive):
            read_all(payload)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"", "cut in a header"),
        (bytes(512), "cut in a end"),
        (bytes(512) + one_file(), "one zero block"),
        (bytes(1024) + one_file(), "bytes after the end"),
        (bytes(1023), "cut"),
        (bytes(5000) + b"x", "bytes after the end"),
    ],
)
def test_an_end_that_is_none_is_refused(tail: bytes, message: str) -> None:
    with pytest.raises(HostileArchive, match=message):
        read_all(one_file() + tail)


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"..", b"../../x", b"a/../../..", b"", b"a\0b", b"x" * 5000, b"b/.."]
)
def test_a_link_that_leaves_the_tree_is_refused(target: bytes) -> None:
    with pytest.raises(HostileArchive):
        check_target(b"link", target)


def test_a_link_through_another_link_cannot_climb_out() -> None:
    check_target(b"d1/d2/to-root", b"../..")
    with pytest.raises(HostileArchive):
        # Through d1/d2/to-root, which leads to the root, ".." would be the root's parent.
        check_target(b"out", b"d1/d2/to-root/..")


@pytest.mark.parametrize("target", [b"b", b"./b/c", b"../a/x", b"../..", b"..", b"b/"])
def test_a_link_inside_the_tree_is_taken(target: bytes) -> None:
    check_target(b"d/e/link", target)


@pytest.mark.parametrize("name", [b"x" * 256, b"a/" * 2050 + b"a", b"", b"a\0"])
def test_a_name_of_impossible_length_or_with_nul_is_refused(name: bytes) -> None:
    with pytest.raises(HostileArchive):
        check_name(name)
