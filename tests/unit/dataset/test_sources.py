import os
import subprocess
from pathlib import Path

import pytest

from packtrain.dataset.sources import (
    OddEntry,
    SourceFile,
    Sources,
    key_prefix,
    name_of_text,
    role_of,
    suffix_of,
    text_of_name,
)
from packtrain.errors import SourceChanged, SourceUnreadable, VoyageFileError


def _sources(tmp_path: Path, *names: str) -> Sources:
    (tmp_path / "voyage").mkdir(exist_ok=True)
    return Sources([tmp_path / name for name in names], tmp_path / "voyage")


def _write(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = Path(os.fsdecode(os.path.join(os.fsencode(root), os.fsencode(name))))  # noqa: PTH118 - raw bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_walk_goes_through_every_folder_in_the_byte_order_of_names(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "b.csv", "a/z.csv", "a/B.csv", "a.csv", "é.csv")
    assert [e.name for e in _sources(tmp_path, "raw").walk()] == [
        "raw/a/B.csv",
        "raw/a/z.csv",
        "raw/a.csv",
        "raw/b.csv",
        "raw/é.csv",
    ]


def test_folders_in_each_other_as_deep_as_a_path_can_be_are_walked(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    place = os.open(tmp_path / "raw", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=place)
        above, place = place, os.open("a", os.O_RDONLY, dir_fd=place)
        os.close(above)
    os.close(os.open("x.csv", os.O_WRONLY | os.O_CREAT, dir_fd=place))
    os.close(place)
    try:
        assert [entry.name for entry in _sources(tmp_path, "raw").walk()] == ["raw/" + "a/" * 1500 + "x.csv"]
    finally:
        # What removes the folders of tests goes from call to call.
        subprocess.run(["rm", "-rf", str(tmp_path / "raw")], check=True)


def test_a_name_that_is_not_utf8_can_be_opened_by_its_text(tmp_path: Path) -> None:
    _write(tmp_path / "raw", b"caf\xe9\\x.csv")
    sources = _sources(tmp_path, "raw")
    (found,) = sources.walk()
    assert isinstance(found, SourceFile)
    assert found.name == r"raw/caf\xe9\\x.csv"
    with sources.open(found) as stream:
        assert stream.read() == b"x"


@pytest.mark.parametrize("raw", [b"plain", b"\xff\xfe", b"a\\b", b"\\x41", "ünïcode".encode(), b"\\\\xff\xff"])
def test_text_of_a_name_gives_the_raw_name_back(raw: bytes) -> None:
    assert name_of_text(text_of_name(raw)) == raw


def test_links_and_pipes_are_reported_and_not_followed(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "a.csv")
    (tmp_path / "raw" / "link.csv").symlink_to("a.csv")
    (tmp_path / "raw" / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "raw" / "pipe.csv")
    odd = [e for e in _sources(tmp_path, "raw").walk() if isinstance(e, OddEntry)]
    assert [(e.name, e.reason) for e in odd] == [
        ("raw/link.csv", "symbolic link, not followed"),
        ("raw/loop", "symbolic link, not followed"),
        ("raw/pipe.csv", "not a regular file"),
    ]


def test_two_roots_of_one_name_get_different_labels(tmp_path: Path) -> None:
    _write(tmp_path / "x" / "raw", "a.csv")
    _write(tmp_path / "y" / "raw", "a.csv")
    assert [e.name for e in _sources(tmp_path, "x/raw", "y/raw").walk()] == ["raw/a.csv", "raw-2/a.csv"]


def test_a_root_may_be_one_file(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv")
    sources = _sources(tmp_path, "a.csv")
    (found,) = sources.walk()
    assert found.name == "a.csv"
    assert sources.path_of("a.csv") == tmp_path / "a.csv"


def test_a_missing_root_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="nowhere"):
        _sources(tmp_path, "nowhere")


@pytest.mark.parametrize("names", [("raw", "raw"), ("raw", "raw/a"), ("raw/a", "raw")])
def test_roots_that_overlap_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    _write(tmp_path / "raw" / "a", "a.csv")
    with pytest.raises(VoyageFileError, match="overlap"):
        _sources(tmp_path, *names)


def test_a_root_that_holds_the_voyage_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoyageFileError, match="voyage folder itself"):
        Sources([tmp_path], tmp_path / "voyage")


def test_a_source_that_changed_after_the_walk_is_not_read(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "a.csv")
    sources = _sources(tmp_path, "raw")
    (found,) = sources.walk()
    assert isinstance(found, SourceFile)
    (tmp_path / "raw" / "a.csv").write_bytes(b"other")
    with pytest.raises(SourceChanged, match=r"a\.csv"), sources.open(found):
        pass


def test_a_source_that_changes_while_it_is_read_is_told_even_after_an_error(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "a.csv")
    sources = _sources(tmp_path, "raw")
    (found,) = sources.walk()
    assert isinstance(found, SourceFile)
    with pytest.raises(SourceChanged), sources.open(found):
        (tmp_path / "raw" / "a.csv").write_bytes(b"other")
        raise ValueError("the decoder met half of it")


def test_a_source_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "a.csv")
    sources = _sources(tmp_path, "raw")
    (found,) = sources.walk()
    assert isinstance(found, SourceFile)
    (tmp_path / "raw" / "a.csv").unlink()
    (tmp_path / "raw" / "a.csv").symlink_to("/etc/hostname")
    with pytest.raises(OSError), sources.open(found):
        pass


def test_a_source_that_may_not_be_read_is_an_error_and_no_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "raw", "a.csv")
    sources = _sources(tmp_path, "raw")
    (found,) = sources.walk()
    assert isinstance(found, SourceFile)

    def refused(*_: object) -> int:  # root, as whom tests may run, is never refused by the file system
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("packtrain.dataset.sources.os.open", refused)
    with pytest.raises(SourceUnreadable, match="may not be read"), sources.open(found):
        pass


def test_the_digest_of_sources_changes_with_a_time_of_change(tmp_path: Path) -> None:
    _write(tmp_path / "raw", "a.csv")
    sources = _sources(tmp_path, "raw")
    before = sources.totals()
    os.utime(tmp_path / "raw" / "a.csv", ns=(1, 1))
    assert sources.totals().digest != before.digest
    assert (before.num_files, before.total_bytes) == (1, 1)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("a/b.CSV", "table"),
        ("a.csv.gz", "table"),
        ("a.XLSX", "table"),
        ("x.Jpeg", "image"),
        ("x.mp4", "clip"),
        ("LICENSE", "paper"),
        ("sub/attribution.json", "paper"),
        ("readme-first.md", "paper"),
        ("attribution.csv", "table"),
        ("notes.md", None),
        ("x.eps", None),
        (".csv", "table"),
        ("gz", None),
    ],
)
def test_the_role_of_a_file_is_told_by_its_name(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_the_suffix_of_a_gzipped_file_has_both_parts() -> None:
    assert suffix_of("dir.x/a.CSV.gz") == "csv.gz"


def test_keys_are_readable_short_and_differ_for_names_that_look_alike() -> None:
    one, other = key_prefix("raw/Bilder/Ölberg 1.png"), key_prefix("raw/Bilder/ölberg 1.png")
    assert one != other
    assert one.startswith("raw-bilder-lberg-1-png-")
    assert len(key_prefix("x" * 4000)) <= 61
