"""Attacks on copies of checkpoints: damage, full disks, races, hosts that come back, clocks; no byte is ever mixed."""

import errno
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from copies_hosts import Cluster, Host, dcp
from packtrain.training.checkpoint_copies.home import NOTE_NAME

TEN, TWENTY = "step-00000010", "step-00000020"


def whole(step: int, num_ranks: int = 3, salt: str = "") -> dict[str, bytes]:
    parts = [dcp(step, rank, num_ranks=num_ranks, salt=salt) for rank in range(num_ranks)]
    return {path: payload for part in parts for path, payload in part.items()}


def damage(path: Path) -> None:
    """Flip a bit as a disk does that rots: neither size nor times say so."""
    status, payload = path.stat(), bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 1
    with path.open("r+b") as stream:
        stream.write(payload)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def objects(host: Host) -> list[Path]:
    return sorted((host.root / "copies" / "objects").iterdir())


@pytest.mark.parametrize("damaged", ["a", "b", "c"])
@pytest.mark.parametrize("is_same_command", [True, False])
def test_a_damaged_copy_is_never_gone_on_from_while_another_host_has_it_whole(
    tmp_path: Path, damaged: str, is_same_command: bool
) -> None:
    cluster = Cluster(tmp_path, copies=2)
    cluster.start()
    cluster.save(10)
    assert cluster.round() == TEN
    if not is_same_command:
        cluster.begin_anew("abc")
    for path in objects(cluster[damaged]):
        damage(path)
    # A host that holds nothing comes, and fetches from all of them.
    new = Host(tmp_path, "d", cluster.network)
    cluster.copies.join("d", new)
    assert cluster.start("abcd") == TEN
    assert new.seen(TEN) == whole(10)
    if not is_same_command:
        assert [cluster[name].seen(TEN) for name in "abc"] == [whole(10)] * 3
    assert new.seen(TEN) == whole(10)


def test_where_every_copy_is_damaged_an_older_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.start()
    for step in (10, 20):
        cluster.save(step)
        cluster.round()
    cluster.begin_anew("abc")
    names = {path.name[:64] for name in "abc" for path in objects(cluster[name]) if b"shard 20 1" in path.read_bytes()}
    for name in "abc":
        for path in objects(cluster[name]):
            if path.name[:64] in names:
                damage(path)
    ready = cluster.copies.before_attempt(tuple("abc"))
    assert (ready.entry, ready.failed) == (TEN, {})
    assert any("damaged" in text for text in ready.told)
    assert [cluster[name].seen(TEN) for name in "abc"] == [whole(10)] * 3
    assert not (cluster["a"].checkpoints / TWENTY).exists()


def test_damage_of_what_the_program_itself_wrote_makes_no_checkpoint_of_its_own(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, copies=2)
    cluster.start()
    cluster.save(10)
    cluster.round()
    # One file under two names: the program's, and what is kept of it.
    damage(cluster["b"].checkpoints / TEN / "__1_0.distcp")
    cluster["c"].wipe()
    cluster["c"].restart()
    for _ in range(3):
        cluster.round()
    assert cluster.start() == TEN
    for name in "ac":
        assert cluster[name].seen(TEN) == whole(10)


def test_a_peer_with_a_full_disk_does_not_keep_a_checkpoint_from_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path)
    cluster.start()
    full = cluster["b"].keeper

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(full, "fetch", refuse)
    monkeypatch.setattr(full, "adopt", refuse)
    cluster["a"].save("step-10.pt", {"": b"weights"})
    cluster.round(1)
    cluster.round(3)
    assert cluster.round(3) == "step-10.pt"
    assert cluster["c"].keeper.inventory().contents
    # Nor the others from letting go what the program has pruned.
    (cluster["a"].checkpoints / "step-10.pt").unlink()
    cluster["a"].save("step-20.pt", {"": b"more"})
    for step in range(4, 9):
        cluster.round(step)
    assert cluster.copies.state.counted == "step-20.pt"
    assert len(objects(cluster["a"])) == 1


def test_what_a_full_disk_has_no_room_for_is_not_left_half_there(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "ab")
    cluster.start("ab")
    cluster["a"].save("step-10.pt", {"": b"w" * 9_000_000})
    cluster.round(1)
    (cut,) = cluster["a"].inventory().cuts or _counted(cluster)

    def read(sha256: str, offset: int, most_bytes: int) -> bytes:
        if offset:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return b"w" * most_bytes

    keeper = Host(tmp_path, "c", cluster.network).keeper
    with pytest.raises(OSError, match="No space"):
        keeper.fetch(cut.files[0], read)
    assert not list((cluster["c"].root / "copies" / "incoming").iterdir())


def _counted(cluster: Cluster) -> Any:
    cluster.round(3)
    return cluster["a"].inventory().cuts


def test_a_host_that_comes_back_with_a_newer_whole_checkpoint_gives_it_to_all_and_one_with_a_part_to_nobody(
    tmp_path: Path,
) -> None:
    cluster = Cluster(tmp_path)
    cluster.start()
    cluster.save(10)
    assert cluster.round() == TEN
    cluster.save(20)
    # c alone gets all of step 20, and goes before it counts; a and b go on from step 10.
    cluster["c"].save(TWENTY, whole(20))
    cluster["a"].is_on = cluster["b"].is_on = True
    cluster.lose("c")
    shutil.rmtree(cluster["a"].checkpoints / TWENTY)
    shutil.rmtree(cluster["b"].checkpoints / TWENTY)
    assert cluster.start("ab") == TEN
    cluster["c"].restart()
    cluster.copies.join("c", cluster["c"])
    # While c belongs to the old attempt alone nobody can say what its peers had written: it is no checkpoint.
    entry = cluster.start("abc")
    assert entry == TEN
    assert [host.seen(entry) for host in cluster.hosts] == [whole(10)] * 3
    assert not (cluster["c"].checkpoints / TWENTY).exists()


def test_a_checkpoint_that_was_whole_on_a_lost_host_is_gone_on_from_when_that_host_is_back(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "abc", copies=0)
    cluster.start()
    cluster["c"].save(TWENTY, whole(20))
    assert cluster.round() == TWENTY
    cluster.lose("c")
    # With no copies it went with its host: a and b begin anew, and have made less when it is back.
    assert cluster.start("ab") == ""
    cluster["a"].save(TEN, whole(10, 1))
    assert cluster.round() == TEN
    cluster["c"].restart()
    cluster.copies.join("c", cluster["c"])
    assert cluster.start("abc") == TWENTY
    assert [host.seen(TWENTY) for host in cluster.hosts] == [whole(20)] * 3


def test_clocks_that_differ_do_not_make_an_old_checkpoint_the_newest(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.start()
    cluster["a"].save("last.pt", {"": b"first"})
    ahead = 2_000_000_000
    os.utime(cluster["a"].checkpoints / "last.pt", (ahead, ahead))
    cluster.round(1)
    assert cluster.round(3) == "last.pt"
    cluster.lose("a")
    assert cluster.start("bc") == "last.pt"
    # The clock of b is right, and so behind that of a.
    cluster["b"].save("last.pt", {"": b"second"})
    for step in (1, 3, 5):
        cluster.round(step)
    cluster.lose("b")
    assert cluster.start("c") == "last.pt"
    assert cluster["c"].seen("last.pt") == {"": b"second"}


def test_a_host_that_was_given_a_checkpoint_has_it_when_all_that_gave_it_are_gone(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.start("ab")
    cluster.copies.lose("c")
    cluster.save(10, "ab")
    assert cluster.round() == TEN
    cluster.lose("a")
    cluster.copies.join("c", cluster["c"])
    assert cluster.start("bc") == TEN
    assert cluster.copies.state.counted == TEN
    cluster.lose("b")
    assert cluster.start("c") == TEN
    assert cluster["c"].seen(TEN) == whole(10, 2)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("lost", ["ab", "ac", "ad", "bc", "bd", "cd"])
def test_two_hosts_at_once_cost_nothing_with_two_copies_and_are_told_with_one(
    tmp_path: Path, copies: int, lost: str
) -> None:
    cluster = Cluster(tmp_path, "abcd", copies)
    cluster.start("abcd")
    for step in (10, 20):
        cluster.save(step, "abcd")
        assert cluster.round() == f"step-{step:08d}"
    for name in lost:
        cluster.lose(name)
    left = "".join(name for name in "abcd" if name not in lost)
    entry = cluster.start(left)
    assert entry in ((TWENTY,) if copies == 2 else (TWENTY, TEN, ""))
    for name in left:
        assert entry == "" or cluster[name].seen(entry) == whole(int(entry[-2:]), 4)
        assert not entry < TWENTY or not (cluster[name].checkpoints / TWENTY).exists()


# --- where all hosts that held a run are gone


def ended(cluster: Cluster) -> None:
    cluster.start()
    for step in (10, 20):
        cluster.save(step)
        cluster.round()
    assert cluster.copies.finish(cluster.home) == cluster.home / TWENTY


def all_new(cluster: Cluster, names: str = "def") -> None:
    """The same command on other hosts, that have nothing."""
    root = cluster["a"].root.parent
    for name in names:
        Host(root, name, cluster.network)
    cluster.begin_anew(names)


def test_hosts_that_have_nothing_go_on_from_what_an_earlier_end_brought_home(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    ended(cluster)
    all_new(cluster)
    ready = cluster.copies.before_attempt(tuple("def"))
    assert (ready.entry, ready.failed) == (TWENTY, {})
    assert [cluster[name].seen(TWENTY) for name in "def"] == [whole(20)] * 3
    assert any("of the voyage folder" in text for text in ready.told)
    # It counts as any other does, and the attempts that follow go on from what is newer.
    assert cluster.copies.state.counted == TWENTY
    cluster.save(30, "def")
    assert cluster.round() == "step-00000030"
    assert cluster.start("def") == "step-00000030"


def test_hosts_that_have_a_newer_one_are_not_given_the_one_at_home(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    ended(cluster)
    cluster.begin_anew("abc")
    cluster.start()
    cluster.save(30)
    cluster.round()
    cluster.begin_anew("abc")
    ready = cluster.copies.before_attempt(tuple("abc"))
    assert (ready.entry, ready.told) == ("step-00000030", ())


@pytest.mark.parametrize("spoiled", ["flipped", "shorter", "missing", "link", "note", "hostile note"])
def test_what_lies_at_home_and_is_not_what_was_brought_is_not_gone_on_from(tmp_path: Path, spoiled: str) -> None:
    cluster = Cluster(tmp_path)
    ended(cluster)
    shard = cluster.home / TWENTY / "__1_0.distcp"
    match spoiled:
        case "flipped":
            damage(shard)
        case "shorter":
            shard.write_bytes(shard.read_bytes()[:-1])
        case "missing":
            shard.unlink()
        case "link":
            shard.rename(tmp_path / "elsewhere")
            shard.symlink_to(tmp_path / "elsewhere")
        case "note":
            (cluster.home / NOTE_NAME).write_text("{")
        case _:
            note = (cluster.home / NOTE_NAME).read_text()
            (cluster.home / NOTE_NAME).write_text(note.replace("__1_0.distcp", "../../../etc/passwd"))
    all_new(cluster)
    ready = cluster.copies.before_attempt(tuple("def"))
    assert (ready.entry, ready.failed) == ("", {})
    assert bool(ready.told) == ("note" not in spoiled)
    assert not list(cluster["d"].checkpoints.iterdir())


def test_bringing_it_from_home_is_gone_on_with_where_it_was_cut_off(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    ended(cluster)
    for place in itertools.count(1):
        all_new(cluster, "d")
        calls = itertools.count(1)
        receive = cluster["d"].keeper.receive

        def dying(*arguments: Any, calls: Any = calls, place: int = place, receive: Any = receive) -> None:
            if next(calls) == place:
                raise ConnectionError("d does not answer")
            receive(*arguments)

        cluster["d"].keeper.receive = dying  # type: ignore[method-assign]
        ready = cluster.copies.before_attempt(("d",))
        if not ready.failed:
            assert ready.entry == TWENTY
            assert place == 6
            break
        cluster["d"].restart()
        assert cluster.start("d") == TWENTY
        assert cluster["d"].seen(TWENTY) == whole(20)
        cluster["d"].wipe()
