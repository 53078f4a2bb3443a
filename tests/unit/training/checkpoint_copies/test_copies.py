"""Copies of checkpoints on other hosts: what counts, what is installed, what may go."""

import shutil
from pathlib import Path

import pytest

from copies_hosts import Cluster, dcp
from packtrain.errors import DriveFull


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize("lost", ["a", "b", "c"])
def test_any_host_may_be_lost_once_a_checkpoint_counts(cluster: Cluster, lost: str) -> None:
    assert cluster.start() == ""
    cluster.save(10)
    assert cluster.round() == "step-00000010"
    cluster.lose(lost)
    left = "abc".replace(lost, "")
    assert cluster.start(left) == "step-00000010"
    whole = {path: payload for rank in range(3) for path, payload in dcp(10, rank, num_ranks=3).items()}
    for name in left:
        assert cluster[name].seen("step-00000010") == whole


def test_a_checkpoint_that_does_not_count_yet_dies_with_its_host(cluster: Cluster) -> None:
    cluster.start()
    cluster.save(10)
    cluster.round()
    cluster.save(20)
    cluster.lose("c")
    assert cluster.start("ab") == "step-00000010"
    assert not (cluster["a"].checkpoints / "step-00000020").exists()


def test_a_worker_that_died_costs_no_checkpoint_that_is_whole_on_living_hosts(cluster: Cluster) -> None:
    cluster.start()
    cluster.save(10)
    assert cluster.start() == "step-00000010"


def test_a_shard_that_the_mark_names_is_waited_for(cluster: Cluster) -> None:
    cluster.start()
    for rank, name in enumerate("ab"):
        cluster[name].save("step-00000010", dcp(10, rank, num_ranks=3))
    assert cluster.round() == ""
    cluster["c"].save("step-00000010", dcp(10, 2, num_ranks=3))
    assert cluster.round() == "step-00000010"


def test_two_attempts_are_never_mixed_under_one_name(cluster: Cluster) -> None:
    cluster.start()
    cluster.save(10)
    cluster.round()
    # The old attempt gets to step 20 on two hosts alone, then c is lost and comes back after the new one saved.
    cluster["c"].save("step-00000020", dcp(20, 2, num_ranks=3, salt="old"))
    cluster.lose("c")
    cluster.start("ab")
    cluster.save(20, "ab", "new")
    cluster["c"].restart()
    cluster.copies.join("c", cluster["c"])
    assert cluster.round() == "step-00000020"
    assert cluster.start("abc") == "step-00000020"
    new = {path: payload for rank in range(2) for path, payload in dcp(20, rank, num_ranks=2, salt="new").items()}
    assert [host.seen("step-00000020") for host in cluster.hosts] == [new] * 3


def test_files_without_a_mark_are_whole_after_two_more_steps(cluster: Cluster) -> None:
    cluster.start()
    cluster["a"].save("step-10.pt", {"": b"weights"})
    assert cluster.round(10) == ""
    assert cluster.round(11) == ""
    assert cluster.round(12) == "step-10.pt"
    cluster.lose("a")
    assert cluster.start("bc") == "step-10.pt"
    assert cluster["c"].seen("step-10.pt") == {"": b"weights"}


def test_without_a_mark_nothing_is_whole_while_a_host_is_missing(cluster: Cluster) -> None:
    cluster.start()
    for step in (10, 20):
        for name in "abc":
            cluster[name].save(f"step-{step}", {f"rank-{name}.pt": name.encode()})
    cluster.lose("b")
    assert cluster.start("ac") == ""


def test_one_name_that_is_saved_anew_counts_again_and_the_old_content_is_kept_until_then(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "ab")
    cluster.start("ab")
    cluster["a"].save("last.pt", {"": b"first"})
    cluster.round(1)
    assert cluster.round(3) == "last.pt"
    cluster["a"].save("last.pt", {"": b"second!"})
    cluster.round(4)
    cluster.lose("a")
    assert cluster.start("b") == "last.pt"
    assert cluster["b"].seen("last.pt") == {"": b"first"}


def test_what_disagrees_is_taken_from_the_first_host_and_told(cluster: Cluster) -> None:
    cluster.start()
    for rank, name in enumerate("abc"):
        cluster[name].save("step-00000010", dcp(10, rank, num_ranks=3) | {"arguments.json": name.encode()})
    assert cluster.round() == "step-00000010"
    (trouble,) = cluster.copies.look().troubles
    assert "arguments.json" in trouble
    cluster.copies.wait()
    cluster.start("bca")
    assert cluster["c"].seen("step-00000010")["arguments.json"] == b"a"


def test_old_copies_go_once_a_newer_checkpoint_counts_and_the_program_has_pruned(cluster: Cluster) -> None:
    cluster.start()
    cluster.save(10)
    cluster.round()
    cluster.save(20)
    for host in cluster.hosts:
        shutil.rmtree(host.checkpoints / "step-00000010")
    assert {cut.entry for cut in cluster["b"].inventory().cuts} == {"step-00000010"}
    cluster.round()
    assert {cut.entry for cut in cluster["b"].inventory().cuts} == {"step-00000020"}
    held = {sha256 for host in cluster.hosts for sha256 in host.inventory().contents}
    (cut,) = cluster["b"].inventory().cuts
    assert held == set(cut.contents)


def test_a_store_is_the_copy(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "ab", store=True)
    cluster.start("ab")
    cluster.save(10, "ab")
    assert cluster.round() == "step-00000010"
    cluster["a"].wipe()
    cluster["b"].wipe()
    for host in cluster.hosts:
        host.restart()
    assert cluster.start("ab") == "step-00000010"


def test_the_end_brings_the_last_checkpoint_to_a_folder(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start()
    cluster.save(10)
    target = cluster.copies.finish(tmp_path / "voyage")
    assert target is not None
    assert target == tmp_path / "voyage" / "step-00000010"
    assert (target / "__2_0.distcp").read_bytes() == dcp(10, 2, num_ranks=3)["__2_0.distcp"]
    assert [path.name for path in (tmp_path / "voyage").glob("[!.]*")] == ["step-00000010"]


def test_a_last_checkpoint_that_has_no_room_is_not_brought(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.start()
    cluster.save(10)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("packtrain.durable.shutil.disk_usage", lambda folder: usage._replace(free=1))
    with pytest.raises(DriveFull):
        cluster.copies.finish(tmp_path / "voyage")
    assert not list((tmp_path / "voyage").glob("[!.]*"))
    monkeypatch.undo()
    assert cluster.copies.finish(tmp_path / "voyage") == tmp_path / "voyage" / "step-00000010"


def test_what_lay_there_before_the_first_attempt_is_put_aside_and_kept(cluster: Cluster) -> None:
    cluster["a"].save("mine", {"": b"kept"})
    cluster.start()
    assert list(cluster["a"].checkpoints.iterdir()) == []
    assert (cluster["a"].root / "copies" / "before" / "mine").read_bytes() == b"kept"


def test_a_host_that_does_not_answer_is_named_and_nothing_is_let_go(cluster: Cluster) -> None:
    cluster.start()
    cluster["b"].is_on = False
    ready = cluster.copies.before_attempt(("a", "b", "c"))
    assert list(ready.failed) == ["b"]
    assert "does not answer" in ready.failed["b"]


def test_a_program_that_writes_into_a_finished_file_loses_no_copy_of_others(cluster: Cluster) -> None:
    cluster.start()
    cluster.save(10)
    cluster.round()
    with (cluster["a"].checkpoints / "step-00000010" / "__0_0.distcp").open("ab") as stream:
        stream.write(b"more")
    cluster.lose("c")
    assert cluster.start("ab") == "step-00000010"
    assert cluster["a"].seen("step-00000010")["__0_0.distcp"] == dcp(10, 0, num_ranks=3)["__0_0.distcp"]
