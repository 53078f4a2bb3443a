"""What is said of a cluster of Ray that cannot be joined; real ones: tests/cluster."""

import socket
from types import SimpleNamespace

import pytest

from packtrain.engines import ray_cluster
from packtrain.errors import ClusterUnreachable
from packtrain.events import discard


def test_a_head_that_lets_nobody_join_most_often_wants_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def init(**_: object) -> None:
        # What Ray 2.60 says without the token.
        raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")

    worker = SimpleNamespace(worker=SimpleNamespace())
    stand_in = SimpleNamespace(init=init, exceptions=ray.exceptions, _private=worker)
    monkeypatch.setattr(ray_cluster, "library", lambda: stand_in)
    with (
        socket.create_server(("127.0.0.1", 0)) as head,
        pytest.raises(ClusterUnreachable) as caught,
        ray_cluster.joined(f"127.0.0.1:{head.getsockname()[1]}", None, discard, "train"),
    ):
        pass
    assert "RAY_AUTH_MODE=token" in str(caught.value.hint)
    assert "~/.ray/auth_token" in str(caught.value.hint)


def test_where_nobody_answers_the_token_is_not_the_cause() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterUnreachable) as caught:
            ray_cluster.require_answer(f"127.0.0.1:{held.getsockname()[1]}", 5)
    assert "RAY_AUTH_MODE" not in str(caught.value.hint)
