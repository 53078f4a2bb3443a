"""Tar headers written by hand, read by Python's tarfile."""

import io
import tarfile

import pytest

from packtrain.volume import tar


def read(*parts: bytes) -> list[tarfile.TarInfo]:
    return tarfile.open(fileobj=io.BytesIO(b"".join(parts) + tar.END_OF_ARCHIVE)).getmembers()


def test_a_plain_file_takes_one_block() -> None:
    assert len(tar.header(b"a/b.txt", "file", 5, 0o644, 1)) == 512


def test_a_name_of_255_bytes_fits_ustar_when_a_slash_divides_it() -> None:
    name = b"d" * 154 + b"/" + b"f" * 100
    header = tar.header(name, "file", 0, 0o644, 1)
    assert len(header) == 512
    assert read(header)[0].name.encode() == name


@pytest.mark.parametrize(
    "name",
    [b"x" * 101, b"d" * 156 + b"/f", "über".encode(), b"odd\xff\xfe", b"a/" * 140 + b"f", ("é" * 200).encode()],
    ids=["long", "long folder", "utf-8", "not utf-8", "deep", "long utf-8"],
)
def test_a_name_that_ustar_cannot_say_comes_back_byte_for_byte(name: bytes) -> None:
    header = tar.header(name, "file", 3, 0o640, 7)
    (member,) = read(header, b"abc", tar.padding(3))
    assert member.name.encode("utf-8", "surrogateescape") == name
    assert (member.size, member.mode, member.mtime) == (3, 0o640, 7)


def test_a_size_beyond_8_gib_is_kept() -> None:
    header = tar.header(b"big", "file", 9 << 30, 0o644, 1)
    assert tarfile.TarFile(fileobj=io.BytesIO(header)).next().size == 9 << 30  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [-86400, 8**11])
def test_a_time_out_of_ustars_range_is_kept(seconds: int) -> None:
    assert read(tar.header(b"old", "file", 0, 0o644, seconds))[0].mtime == seconds


def test_a_link_target_is_kept_raw() -> None:
    target = b"../" * 40 + b"\xff"
    (member,) = read(tar.header(b"link", "symlink", 0, 0o777, 1, target))
    assert member.issym()
    assert member.linkname.encode("utf-8", "surrogateescape") == target


def test_a_directory_is_one() -> None:
    (member,) = read(tar.header(b"void", "directory", 0, 0o750, 1))
    assert member.isdir()
    assert member.name == "void"


def test_a_pax_record_counts_its_own_length_across_a_power_of_ten() -> None:
    for length in range(80, 110):
        name = b"\xc3\xa9" * (length // 2)
        assert read(tar.header(name, "file", 0, 0o644, 1))[0].name.encode() == name


def test_owners_beyond_seven_octal_digits_are_kept() -> None:
    (small,) = read(tar.header(b"a", "file", 0, 0o644, 1, uid=1000, gid=8**7 - 1))
    assert (small.uid, small.gid) == (1000, 8**7 - 1)
    (large,) = read(tar.header(b"a", "file", 0, 0o644, 1, uid=8**7, gid=2**32 - 2))
    assert (large.uid, large.gid) == (8**7, 2**32 - 2)


def test_extended_attributes_are_records_that_other_programs_know() -> None:
    xattrs = ((b"user.50%=half", b"\xff\n"), (b"user.note", b"x = y"))
    (member,) = read(tar.header(b"a", "file", 0, 0o644, 1, xattrs=xattrs))
    found = {key: value.encode("utf-8", "surrogateescape") for key, value in member.pax_headers.items()}
    assert found == {"SCHILY.xattr.user.50%25%3Dhalf": b"\xff\n", "SCHILY.xattr.user.note": b"x = y"}


def test_a_hard_link_names_its_file() -> None:
    (member,) = read(tar.header(b"b", "hardlink", 0, 0o644, 1, b"a"))
    assert member.islnk()
    assert member.linkname == "a"
