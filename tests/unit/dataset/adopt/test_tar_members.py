"""Tars of every writer are read to the same members; what has no places, or is damaged as a whole, is refused."""

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from packtrain.dataset.adopt.tar_members import MAX_EXTENSION_BYTES, TarMember, TarWalk
from packtrain.dataset.kinds.piece import Damaged
from shard_parts import tar_of

MEMBERS = [
    ("a/0001.jpg", b"x" * 700),
    ("a/0001.txt", b""),
    ("b" * 90 + "/0002.cls", b"7"),
    ("é" * 200 + ".png", b"y" * 512),
]


def walk(payload: bytes) -> tuple[list[TarMember], str]:
    found = TarWalk(io.BytesIO(payload), len(payload))
    members: list[TarMember] = []
    while (member := found.next_member()) is not None:
        members.append(member)
    return members, found.sha256


def refusal(payload: bytes) -> str:
    with pytest.raises(Damaged) as caught:
        walk(payload)
    return str(caught.value)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_gives_names_places_and_the_digest_of_the_file(form: int) -> None:
    given = MEMBERS[:3] if form == tarfile.USTAR_FORMAT else MEMBERS
    payload = tar_of(given, form)
    members, sha256 = walk(payload)
    assert [(m.name.decode(), payload[m.offset : m.offset + m.size_bytes]) for m in members] == given
    assert all(member.is_file for member in members)
    assert sha256 == hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("option", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_what_the_tar_program_writes_is_read(option: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "one.jpg").write_bytes(b"1" * 1000)
    (raw / "two.txt").write_bytes(b"2")
    os.link(raw / "one.jpg", raw / "z-linked.jpg")
    (raw / "pointer").symlink_to("one.jpg")
    subprocess.run(["tar", f"--format={option}", "--sort=name", "-cf", tmp_path / "x.tar", "-C", raw, "."], check=True)
    payload = (tmp_path / "x.tar").read_bytes()
    members, sha256 = walk(payload)
    files = {m.name: payload[m.offset : m.offset + m.size_bytes] for m in members if m.is_file}
    assert files == {b"./one.jpg": b"1" * 1000, b"./two.txt": b"2"}
    assert sorted(m.name for m in members if not m.is_file) == [b"./", b"./pointer", b"./z-linked.jpg"]
    assert sha256 == hashlib.sha256(payload).hexdigest()


def test_lengths_in_base_256_and_in_pax_records_are_read() -> None:
    payload = bytearray(tar_of([("0.jpg", b"z" * 600)]))
    payload[124:136] = b"\x80" + (600).to_bytes(11, "big")
    payload[148:156] = b" " * 8
    payload[148:156] = b"%06o\0 " % sum(payload[:512])
    assert walk(bytes(payload))[0] == [TarMember(b"0.jpg", 512, 600, True)]
    info = tarfile.TarInfo("0.jpg")
    info.size, info.pax_headers = 3, {"size": "3", "comment": "held"}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"abc"))
    assert [m[0] for m in walk(target.getvalue())[0]] == [b"0.jpg"]


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "hole.jpg").open("wb") as stream:
        stream.truncate(8 << 20)
        stream.seek(4 << 20)
        stream.write(b"x" * 4096)
    for form in ("gnu", "posix"):
        subprocess.run(
            ["tar", "-S", f"--format={form}", "-cf", tmp_path / "x.tar", "-C", tmp_path, "hole.jpg"], check=True
        )
        assert "sparse" in refusal((tmp_path / "x.tar").read_bytes())


def test_a_tar_cut_anywhere_is_refused() -> None:
    payload = tar_of([("0.jpg", b"z" * 600), ("1.jpg", b"z" * 100)])
    end = 512 + 1024 + 512 + 512 + 1024  # members, and the two blocks of the end; the rest is filling
    for length in range(0, end, 37):
        refusal(payload[:length])
    assert len(walk(payload[:end])[0]) == 2


def test_a_tar_with_another_appended_is_refused() -> None:
    payload = tar_of([("0.jpg", b"z")])
    assert "appended" in refusal(payload + payload)


def test_no_length_is_believed() -> None:
    payload = bytearray(tar_of([("0.jpg", b"z")]))

    def with_length(field: bytes, flag: bytes = b"0") -> bytes:
        payload[124:136], payload[156:157] = field, flag
        payload[148:156] = b" " * 8
        payload[148:156] = b"%06o\0 " % sum(payload[:512])
        return bytes(payload)

    assert "cut" in refusal(with_length(b"77777777777\0"))
    assert "larger than any file" in refusal(with_length(b"\x80" + b"\xff" * 11))
    assert "negative" in refusal(with_length(b"\xff" * 12))
    for flag in (b"L", b"K", b"x", b"g"):
        assert str(MAX_EXTENSION_BYTES) in refusal(with_length(b"77777777777\0", flag))
    assert "not octal" in refusal(with_length(b"not a number"))


def test_endless_headers_before_a_member_are_refused() -> None:
    long_name = tar_of([("n" * 200 + ".jpg", b"")])[:1024]
    assert "headers before one member" in refusal(long_name * 50 + bytes(1024))


def test_bytes_that_are_no_tar_are_refused() -> None:
    assert "no tar" in refusal(b"a line of text\n" * 100)
    assert "no end" in refusal(b"")


def test_one_flipped_bit_in_a_header_is_noticed() -> None:
    payload = tar_of([("0.jpg", b"z" * 600)])
    for at in range(0, 512, 11):
        flipped = bytearray(payload)
        flipped[at] ^= 1
        if 148 <= at < 156:
            continue  # of the sum's own bytes the last is free
        refusal(bytes(flipped))
