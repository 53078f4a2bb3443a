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
        folder = tarfile.TarInfo("folder/empty/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    # All but the zeros by which other programs fill the last of their records of 20 blocks.
    payload = buffer.getvalue()[: 3 * 512 + 1024]
    assert read_all(payload) == [(b"folder/file", "file", b"hello", b""), (b"folder/empty", "directory", b"", b"")]


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
        (put(124, b"         4 \0"), "not octal"),
        (put(136, b"\x80" + bytes(10) + b"\1"), "not octal"),
        (put(108, b"\x80" + bytes(7)), "not octal"),
        (put(156, b"5"), "link or folder with data"),
        (put(124, b"77777777777\0"), "cut in a member's data"),
        (put(124, b"00000000003\0"), "padding after a member is not zero"),
        (put(157, b"target"), "link target on a member that is no link"),
        (put(50, b"tail"), "bytes after the end of a header field"),
    ],
)
def test_a_header_that_lies_is_refused(change: Callable[[bytearray], None], message: str) -> None:
    with pytest.raises(HostileArchive, match=message):
        read_all(forged(change))


def test_a_folder_without_its_slash_is_refused() -> None:
    header = bytearray(tar.header(b"a", "directory", 0, 0o755, 0))
    header[:2] = b"a\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(HostileArchive, match="does not end in a slash"):
        read_all(volume(bytes(header)))


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
        record(b"gid", b"none"),
        record(b"SCHILY.xattr.user", b"1"),
        record(b"GNU.sparse.name", b"1"),
        record(b"path", b"b") * 2,
        record(b"hdrcharset", b"EBCDIC"),
        b"37 hdrcharset=ISO-IR 10646 2000 UTF-8\n",
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
        (bytes(1025), "bytes after the end"),
        (bytes(10240), "bytes after the end"),
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


def hard_link(name: bytes, target: bytes) -> bytes:
    return tar.header(name, "hardlink", 0, 0o644, 0, target)


def test_hard_links_follow_their_file() -> None:
    payload = volume(one_file(b"a"), hard_link(b"b", b"a"), hard_link(b"d/c", b"a"), one_file(b"z"))
    assert [(name, kind, target) for name, kind, _, target in read_all(payload)] == [
        (b"a", "file", b""),
        (b"b", "hardlink", b"a"),
        (b"d/c", "hardlink", b"a"),
        (b"z", "file", b""),
    ]


@pytest.mark.parametrize(
    "members",
    [
        (hard_link(b"b", b"a"), one_file(b"a")),
        (one_file(b"a"), hard_link(b"b", b"c")),
        (one_file(b"a"), one_file(b"c"), hard_link(b"b", b"a")),
        (one_file(b"a"), hard_link(b"b", b"a"), hard_link(b"c", b"b")),
        (one_file(b"a"), hard_link(b"b", b"../a")),
        (one_file(b"a"), hard_link(b"b", b"/etc/passwd")),
        (one_file(b"a"), hard_link(b"../b", b"a")),
        (one_file(b"a"), hard_link(b"a", b"a")),
        (tar.header(b"a", "symlink", 0, 0o777, 0, b"x"), hard_link(b"b", b"a")),
        (tar.header(b"a", "directory", 0, 0o755, 0), hard_link(b"b", b"a")),
        (one_file(b"a"), tar.header(b"s", "symlink", 0, 0o777, 0, b"a"), hard_link(b"b", b"a")),
        (one_file(b"a"), hard_link(b"b", b"")),
    ],
    ids=[
        "before its file", "to nothing", "to an earlier file", "to a link", "out of the tree", "absolute",
        "named out of the tree", "to itself", "to a symbolic link", "to a folder", "past a symbolic link", "no target",
    ],
)  # fmt: skip
def test_a_hard_link_to_anything_but_the_file_before_it_is_refused(members: tuple[bytes, ...]) -> None:
    with pytest.raises(HostileArchive):
        read_all(volume(*members))


def attributes_of(payload: bytes) -> tuple[tuple[bytes, bytes], ...]:
    member = TarReader(io.BytesIO(payload).readinto, "volume").next_member()
    assert member is not None
    return member.xattrs


def test_extended_attributes_come_back() -> None:
    xattrs = ((b"system.posix_acl_access", b"\x02\0"), (b"user.50%=half%3D", b""), (b"user.note", b"x=y\n"))
    for kind in ("file", "directory"):
        assert attributes_of(volume(tar.header(b"a", kind, 0, 0o644, 0, xattrs=xattrs))) == xattrs
    large = ((b"user.large", bytes(65_000)),)
    assert attributes_of(volume(tar.header(b"a" * 200, "file", 0, 0o644, 2**40, xattrs=large))) == large


@pytest.mark.parametrize(
    ("kind", "xattrs"),
    [
        ("file", ((b"trusted.overlay.opaque", b"y"),)),
        ("file", ((b"security.selinux", b"x"),)),
        ("file", ((b"user.", b"x"),)),
        ("file", ((b"user." + b"n" * 251, b"x"),)),
        ("file", ((b"user.b", b"x"), (b"user.a", b"x"))),
        ("file", ((b"user.a", bytes(65_536)),)),
        ("file", ((b"user.a", bytes(40_000)), (b"user.b", bytes(40_000)))),
        ("symlink", ((b"user.a", b"x"),)),
    ],
    ids=["trusted", "of the kernel", "no name", "long name", "out of order", "long", "long together", "on a link"],
)
def test_extended_attributes_outside_of_the_subset_are_refused(
    kind: tar.EntryKind, xattrs: tuple[tuple[bytes, bytes], ...]
) -> None:
    target = b"x" if kind == "symlink" else b""
    with pytest.raises(HostileArchive):
        attributes_of(volume(tar.header(b"a", kind, 0, 0o644, 0, target, xattrs=xattrs)))


def test_one_spelling_of_an_attribute_is_taken() -> None:
    assert attributes_of(volume(pax(record(b"SCHILY.xattr.user.a%3D", b"1")), one_file())) == ((b"user.a=", b"1"),)
    for odd in (b"SCHILY.xattr.user.a%3d", b"SCHILY.xattr.user.%41", b"SCHILY.xattr.user.a%"):
        with pytest.raises(HostileArchive):
            attributes_of(volume(pax(record(odd, b"1")), one_file()))


def test_owners_out_of_bounds_are_refused() -> None:
    assert read_all(volume(pax(record(b"uid", b"4294967294")), one_file()))
    for value in (b"4294967295", b"-1000", b"none"):
        with pytest.raises(HostileArchive):
            read_all(volume(pax(record(b"gid", value)), one_file()))
