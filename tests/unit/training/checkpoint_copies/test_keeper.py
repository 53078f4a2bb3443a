"""A keeper alone: hostile bytes and names, and deaths at every durable step."""

import os
from pathlib import Path

import pytest

from copies_hosts import Host, dcp
from fault_parts import KILLED, run_in_child
from packtrain.training.checkpoint_copies.cuts import Cut, CutFile, attempt_name, checked, from_json, to_json
from packtrain.training.checkpoint_copies.keeper import Keeper
from packtrain.training.checkpoint_copies.program_folder import shards_named

SHA = "a" * 64
FIRST, SECOND = attempt_name(1, 1), attempt_name(2, 1)


def cut_of(*paths: str, entry: str = "step-1") -> Cut:
    return Cut(entry, FIRST, 0, tuple(CutFile(path, 1, SHA) for path in paths))


@pytest.mark.parametrize(
    "cut",
    [
        cut_of("../x"),
        cut_of("a/../../x"),
        cut_of("/etc/passwd"),
        cut_of("a//b"),
        cut_of("a", "a/b"),
        cut_of("", "b"),
        cut_of("b", "a"),
        cut_of("a", "a"),
        cut_of("/".join("abcdefghij")),
        cut_of(),
        cut_of("a\0"),
        cut_of("a", entry=".."),
        cut_of("a", entry=".hidden"),
        cut_of("a", entry="a/b"),
        cut_of("a", entry="x.part"),
        Cut("step-1", "attempt", 0, (CutFile("a", 1, SHA),)),
        Cut("step-1", FIRST, 0, (CutFile("a", 1, "../" + SHA),)),
        Cut("step-1", FIRST, 0, (CutFile("a", -1, SHA),)),
    ],
)
def test_a_cut_with_names_that_lead_elsewhere_is_refused(cut: Cut, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names that no checkpoint has"):
        checked(cut)
    with pytest.raises(ValueError, match="names that no checkpoint has"):
        from_json(to_json(cut))
    keeper = Keeper(tmp_path / "program", tmp_path / "copies")
    with pytest.raises(ValueError, match="names that no checkpoint has"):
        keeper.adopt(cut)


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"files": 1}', b'{"files": [[1]], "entry": "a"}', b"\xff"])
def test_what_is_no_document_of_a_cut_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(payload)


def test_a_cut_comes_back_from_its_document() -> None:
    cut = cut_of("", entry="step-1.pt")
    assert from_json(to_json(cut)) == cut


@pytest.mark.parametrize("sent", [b"", b"x" * 9, b"x" * 5])
def test_bytes_of_another_length_or_content_never_appear(tmp_path: Path, sent: bytes) -> None:
    keeper = Keeper(tmp_path / "program", tmp_path / "copies")
    with pytest.raises(OSError, match=r"sent in another length|other bytes"):
        keeper.fetch(CutFile("f", 5, SHA), lambda _sha256, _offset, _most: sent)
    assert keeper.inventory().contents == frozenset()


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "", "A" * 64, "a" * 63])
def test_only_a_digest_names_a_file_that_is_given_away(tmp_path: Path, sha256: str) -> None:
    keeper = Keeper(tmp_path / "program", tmp_path / "copies")
    with pytest.raises(FileNotFoundError):
        keeper.read_chunk(sha256, 0, 10)


def test_links_and_pipes_in_a_checkpoint_are_no_part_of_it(tmp_path: Path) -> None:
    host = Host(tmp_path, "a", {})
    (tmp_path / "secret").write_bytes(b"not yours")
    host.save("step-1", {"f": b"1"})
    (host.checkpoints / "step-1" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(host.checkpoints / "step-1" / "pipe")
    (host.checkpoints / "latest").symlink_to("step-1")
    (entry,) = host.inventory().entries
    assert [file.path for file in entry.files] == ["f"]


def test_what_is_deeper_than_is_looked_at_is_told_and_not_cut_off(tmp_path: Path) -> None:
    host = Host(tmp_path, "a", {})
    host.save("step-1", {"/".join("abcdefghi"): b"1"})
    (entry,) = host.inventory().entries
    assert not entry.is_readable


def test_shards_are_found_across_pieces_and_the_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / ".metadata"
    path.write_bytes(b"\0" * ((4 << 20) - 7) + b"__12_0.distcp" + b"c__builtin__\neval\n__3_1.distcp")
    assert shards_named(path) == ("__12_0.distcp", "__3_1.distcp")


def test_a_file_that_is_written_anew_is_another_file(tmp_path: Path) -> None:
    host = Host(tmp_path, "a", {})
    host.save("step-1", {"f": b"one"})
    (entry,) = host.inventory().entries
    first = host.digests(entry)
    host.save("step-1", {"f": b"two"})
    with pytest.raises(OSError, match="changed or removed"):
        host.digests(entry)
    assert host.digests(host.inventory().entries[0]) != first


def whole(host: Host, entry: str, attempt: str) -> Cut:
    (held,) = [held for held in host.inventory().entries if held.name == entry]
    digests = host.digests(held)
    files = zip(held.files, digests, strict=True)
    return Cut(entry, attempt, 1, tuple(CutFile(file.path, file.size_bytes, sha256) for file, sha256 in files))


def test_a_fetch_that_is_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    giver = Host(tmp_path, "giver", {})
    giver.save("step-1", {"f": os.urandom(9 << 20)})
    cut = whole(giver, "step-1", FIRST)
    giver.adopt(cut)
    for die_at in range(1, 100):
        root = tmp_path / f"taker-{die_at}"

        def fetch(root: Path = root) -> None:
            Keeper(root / "program", root / "copies").fetch(cut.files[0], giver.read_chunk)

        code, _ = run_in_child(fetch, die_at)
        keeper = Keeper(root / "program", root / "copies")
        held = keeper.inventory().contents
        assert held <= {cut.files[0].sha256}
        fetch()
        assert keeper.inventory().contents == {cut.files[0].sha256}
        assert (
            b"".join(keeper.read_chunk(cut.files[0].sha256, offset, 4 << 20) for offset in range(0, 9 << 20, 4 << 20))
            == (giver.checkpoints / "step-1" / "f").read_bytes()
        )
        if code != KILLED:
            assert die_at > 5
            return
    raise AssertionError("the fetch has no end")


def test_a_killed_fetch_goes_on_with_what_it_has(tmp_path: Path) -> None:
    giver = Host(tmp_path, "giver", {})
    giver.save("step-1", {"f": os.urandom(9 << 20)})
    cut = whole(giver, "step-1", FIRST)
    giver.adopt(cut)
    taker = Keeper(None, tmp_path / "copies")
    giver.budget = 2
    with pytest.raises(ConnectionError):
        taker.fetch(cut.files[0], giver.read_chunk)
    giver.is_on, giver.budget = True, 1
    Keeper(None, tmp_path / "copies").fetch(cut.files[0], giver.read_chunk)
    assert taker.inventory().contents == {cut.files[0].sha256}


def test_an_install_that_is_killed_at_any_step_shows_the_program_nothing_half(tmp_path: Path) -> None:
    for die_at in range(1, 100):
        host = Host(tmp_path, f"host-{die_at}", {})
        host.install(None, FIRST)
        host.save("step-00000005", dcp(5, 0, num_ranks=1))
        host.save("step-00000010", dcp(10, 0, num_ranks=1))
        cut = whole(host, "step-00000010", FIRST)
        host.adopt(cut)
        # Another content under the name of the cut, as another attempt wrote it, and something newer.
        host.save("step-00000010", dcp(10, 0, num_ranks=1, salt="other"))
        host.save("step-00000020", dcp(20, 0, num_ranks=2))

        def install(host: Host = host, cut: Cut = cut) -> None:
            host.keeper.install(cut, SECOND)

        code, _ = run_in_child(install, die_at)
        seen = [path.name for path in host.checkpoints.iterdir()]
        for name in seen:
            expected = {"step-00000005": 5, "step-00000010": 10, "step-00000020": 20}[name]
            choices = [dcp(expected, 0, num_ranks=number, salt=salt) for number in (1, 2) for salt in ("", "other")]
            assert host.seen(name) in choices
        host.restart()
        (entry,) = [one for one in host.inventory().entries if one.name == "step-00000010"] or [None]
        # Never taken for what the attempt that begins has written.
        assert entry is None or entry.attempt == FIRST
        host.install(cut, SECOND)
        assert sorted(path.name for path in host.checkpoints.iterdir()) == ["step-00000005", "step-00000010"]
        assert host.seen("step-00000010") == dcp(10, 0, num_ranks=1)
        assert {one.attempt for one in host.inventory().entries} == {FIRST}
        assert host.inventory().attempt == SECOND
        if code != KILLED:
            assert die_at > 8
            return
    raise AssertionError("the install has no end")
