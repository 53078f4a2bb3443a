"""Copies of checkpoints while something happens at any moment: before each call to any host, one after the other."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copies_hosts import Cluster, Host, dcp

pytestmark = pytest.mark.cluster

TEN, TWENTY = "step-00000010", "step-00000020"


def whole(step: int, num_ranks: int = 3, salt: str = "") -> dict[str, bytes]:
    parts = [dcp(step, rank, num_ranks=num_ranks, salt=salt) for rank in range(num_ranks)]
    return {path: payload for part in parts for path, payload in part.items()}


def test_a_checkpoint_that_the_program_prunes_while_it_is_copied_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in itertools.count(1):
        cluster = Cluster(tmp_path / str(place))
        cluster.start()
        cluster.save(10)
        cluster.round()
        cluster.save(20)
        is_pruned = _prune_at_call(cluster, place, monkeypatch)
        cluster.round()
        monkeypatch.undo()
        cluster.lose("a")
        entry = cluster.start("bc")
        assert entry in (TEN, TWENTY)
        assert [cluster[name].seen(entry) for name in "bc"] == [whole(int(entry[-2:]))] * 2
        if not is_pruned:
            assert place > 10
            break
        is_pruned.clear()


def _prune_at_call(cluster: Cluster, place: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the program prune its newest checkpoint on all hosts right before the n-th call to any keeper."""
    calls, pruned = itertools.count(1), list[int]()

    def watched(host: Host, name: str) -> Callable[..., Any]:
        method = getattr(host.keeper, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls) == place:
                pruned.append(place)
                for each in cluster.hosts:
                    shutil.rmtree(each.checkpoints / TWENTY, ignore_errors=True)
            return method(*arguments, **named)

        return call

    for host in cluster.hosts:
        for name in ("inventory", "digests", "adopt", "fetch", "read_chunk", "retain"):
            monkeypatch.setattr(host.keeper, name, watched(host, name))
    return pruned


def test_a_host_that_is_lost_at_any_moment_of_forming_leaves_the_others_able_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_failed = 0
    for place in itertools.count(1):
        cluster = Cluster(tmp_path / str(place), copies=2)
        cluster.start()
        cluster.save(10)
        assert cluster.round() == TEN
        cluster["a"].wipe()
        cluster["a"].restart()
        calls = itertools.count(1)
        reached = cluster["b"]._reached  # pyright: ignore[reportPrivateUsage]

        def dying(calls: Any = calls, place: int = place, cluster: Cluster = cluster, reached: Any = reached) -> Any:
            if next(calls) == place:
                cluster["b"].is_on = False
            return reached()

        monkeypatch.setattr(cluster["b"], "_reached", dying)
        ready = cluster.copies.before_attempt(tuple("abc"))
        is_over = cluster["b"].is_on
        monkeypatch.undo()
        if is_over:
            assert ready.entry == TEN
            break
        num_failed += bool(ready.failed)
        cluster.copies.lose("b")
        assert cluster.start("ac") == TEN
        assert [cluster[name].seen(TEN) for name in "ac"] == [whole(10)] * 2
    assert num_failed > 3
