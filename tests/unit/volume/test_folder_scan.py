"""A folder as cargo: every kind of thing that can lie in one, and what is said of those that cannot be carried."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrain.errors import SourceUnreadable
from packtrain.volume import folder_scan, link_sets
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.folder_scan import scan
from packtrain.volume.link_sets import LinkSets
from packtrain.volume.losses import LossReport
from shipment_parts import write_cargo


def test_scan_lists_files_links_and_empty_directories_in_byte_order(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"b/two": 2, "a": 1, "b/one": 0})
    (tmp_path / "b" / "void").mkdir()
    (tmp_path / "c").symlink_to("nowhere")
    found = [(entry.name, entry.kind, entry.size_bytes) for entry in scan(tmp_path)]
    assert found == [
        (b"a", "file", 1),
        (b"b", "directory", 0),
        (b"b/one", "file", 0),
        (b"b/two", "file", 2),
        (b"b/void", "directory", 0),
        (b"c", "symlink", 0),
    ]


def test_scan_keeps_names_that_are_no_text(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff")).write_bytes(b"x")
    assert [entry.name for entry in scan(tmp_path, b"p/")] == [b"p/odd\xff"]


def test_scan_does_not_follow_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "up").symlink_to("..")
    assert [(entry.name, entry.link_target) for entry in scan(tmp_path)] == [(b"in", None), (b"in/up", b"..")]


def test_scan_names_everything_that_cannot_be_carried_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cargo(tmp_path, {"good": 1})
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's path may not be longer than 107 bytes
        server.bind("socket")
        with pytest.raises(SourceUnreadable) as error:
            list(scan(tmp_path))
    assert "pipe" in error.value.what
    assert "socket" in error.value.what


def test_a_missing_source_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        list(scan(tmp_path / "gone"))


def test_scan_names_links_that_the_reader_would_refuse(tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    (tmp_path / "out").symlink_to("../elsewhere")
    with pytest.raises(SourceUnreadable, match=r"2 sources cannot be carried.*absolute.*leads out of the tree"):
        list(scan(tmp_path))


def reported(root: Path) -> tuple[list[bytes], LossReport]:
    report = LossReport()
    return [entry.name for entry in scan(root, report=report)], report


def test_a_folder_comes_before_what_lies_in_it_and_says_whether_anything_does(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"d/e/f": 1})
    (tmp_path / "d" / "void").mkdir()
    found = [(entry.name, entry.in_catalog_only) for entry in scan(tmp_path)]
    assert found == [(b"d", True), (b"d/e", True), (b"d/e/f", False), (b"d/void", False)]


def test_owner_mode_time_and_attributes_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    path.chmod(0o2751)
    os.setxattr(path, "user.b", b"2")
    os.setxattr(path, "user.a", b"\xff")
    os.utime(path, ns=(0, -1_500_000_001))
    (entry,) = scan(tmp_path)
    assert (entry.mode, entry.mtime_ns) == (0o2751, -1_500_000_001)
    assert (entry.uid, entry.gid) == (os.getuid(), path.stat().st_gid)
    assert entry.xattrs == ((b"user.a", b"\xff"), (b"user.b", b"2"))


def test_the_names_of_one_file_come_together_when_the_last_was_seen(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"a/one": 3, "b": 1})
    for name in ("a/two", "c"):
        (tmp_path / name).hardlink_to(tmp_path / "a/one")
    found = [(entry.name, entry.kind, entry.link_target) for entry in scan(tmp_path)]
    assert found == [
        (b"a", "directory", None),
        (b"b", "file", None),
        (b"a/one", "file", None),
        (b"a/two", "hardlink", b"a/one"),
        (b"c", "hardlink", b"a/one"),
    ]


def test_a_file_with_names_outside_of_the_folder_comes_at_the_end_and_is_told(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"in/a": 3, "in/z": 1})
    (tmp_path / "in/b").hardlink_to(tmp_path / "in/a")
    (tmp_path / "outside").hardlink_to(tmp_path / "in/a")
    names, report = reported(tmp_path / "in")
    assert names == [b"z", b"a", b"b"]
    assert report.lessened["hard links to names outside of the folder"].count == 1
    assert not report.left_out


NAMES_OF_FILES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["a", "b/c", "d", "e"])), min_size=1, max_size=40, unique=True
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES_OF_FILES, outside=st.sets(st.integers(0, 9)))
def test_sets_that_wait_on_disk_come_as_those_that_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[tuple[int, str]], outside: set[int]
) -> None:
    root = tmp_path / "in"
    (tmp_path / "out").mkdir()
    for number, folder in names:
        (root / folder).mkdir(parents=True, exist_ok=True)
        first = tmp_path / "out" / str(number)
        if not first.exists():
            first.write_bytes(b"x" * number)
            os.setxattr(first, "user.number", b"%d" % number)
        (root / folder / str(number)).hardlink_to(first)
    for number in set(range(10)) - outside:
        (tmp_path / "out" / str(number)).unlink(missing_ok=True)
    found, report = list[CargoEntry](), LossReport()
    with monkeypatch.context() as patched:
        patched.setattr(link_sets, "_MOST_HELD_BYTES", 3000)
        found += scan(root, report=report)
    in_memory = LossReport()
    assert found == list(scan(root, report=in_memory))
    assert report.to_dict() == in_memory.to_dict()
    assert report.digest() == in_memory.digest()
    shutil.rmtree(root)
    shutil.rmtree(tmp_path / "out")


def test_however_many_files_wait_for_another_name_few_of_them_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_sets, "_MOST_HELD_BYTES", 100_000)
    begin, held = LinkSets.begin, list[int]()

    def counted(self: LinkSets, key: link_sets.FileKey, first: CargoEntry, num_missing: int) -> None:
        begin(self, key, first, num_missing)
        held.append(self.num_held)

    monkeypatch.setattr(LinkSets, "begin", counted)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for number in range(1000):
        (tmp_path / "a" / str(number)).touch()
        (tmp_path / "b" / str(number)).hardlink_to(tmp_path / "a" / str(number))
    assert [entry.kind for entry in scan(tmp_path)][2:] == ["file", "hardlink"] * 1000
    assert len(held) == 1000
    assert max(held) < 100


def test_a_file_with_holes_is_flagged_and_they_are_counted(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(1 << 19)
        stream.write(b"x" * 4096)
    report = LossReport()
    (entry,) = scan(tmp_path, report=report)
    assert entry.is_sparse
    assert report.lessened["holes carried as zeros"].total_bytes == (1 << 20) - 4096


def test_everything_that_stays_behind_is_named_by_kind(tmp_path: Path) -> None:
    write_cargo(tmp_path, {"good": 1})
    os.mkfifo(tmp_path / "pi\npe")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / ".packtrain-staging").mkdir()
    (tmp_path / ".packtrain-staging" / "x").write_bytes(b"")
    names, report = reported(tmp_path)
    assert names == [b"good"]
    assert {kind: loss.first for kind, loss in report.left_out.items()} == {
        "names that no reader takes": [".packtrain-staging: stores keep their own files there"],
        "symbolic links that leave the folder": ["out: link target is empty, absolute or too long: /etc"],
        "sockets, pipes and devices": ["pi\\npe"],
    }


def test_attributes_of_other_namespaces_and_special_bits_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o4755)
    try:
        os.setxattr(tmp_path / "a", "trusted.packtrain", b"x")
    except OSError as error:
        pytest.skip(f"trusted attributes cannot be set here: {error}")
    _, report = reported(tmp_path)
    assert report.lessened["extended attributes that are not carried"].first == ["a: trusted.packtrain"]
    assert report.lessened["set-id and sticky bits (set by load --keep-owner alone)"].first == ["a: 4755"]


def test_attributes_beyond_the_bound_are_left_out_and_the_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.setxattr(tmp_path / "a", "user.large", b"x" * 2000)
    monkeypatch.setattr(folder_scan, "is_within_bounds", lambda xattrs: not xattrs)
    report = LossReport()
    (entry,) = scan(tmp_path, report=report)
    assert entry.xattrs == ()
    assert report.num_left_out == 1


def test_folders_two_thousand_deep_are_scanned(tmp_path: Path) -> None:
    depth = (4000 - len(os.fsencode(tmp_path))) // 2
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    try:
        assert len(list(scan(tmp_path))) == depth
    finally:
        for level in range(depth, 0, -1):
            Path(f"{tmp_path}{'/d' * level}").rmdir()  # pytest removes what is left recursively


def test_a_huge_folder_is_sorted_without_holding_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_scan, "_RUN_NAMES", 100)
    names = [b"%05d\n" % (n * 7919 % 3000) for n in range(3000)]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    assert [entry.name for entry in scan(tmp_path)] == sorted(names)


def test_losses_digest_changes_with_what_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "one")
    first = reported(tmp_path)[1].digest()
    assert reported(tmp_path)[1].digest() == first
    os.mkfifo(tmp_path / "two")
    assert reported(tmp_path)[1].digest() != first
