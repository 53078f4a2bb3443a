"""Requests that find no server, or none that may be asked; what a real one says: tests/cluster/test_s3_store.py."""

import importlib.util
import pickle

import pytest

from cut_link import free_port
from packtrain.errors import MissingDependency, StoreUnreachable, VoyageFileError
from packtrain.object_storage.address import ObjectPlace
from packtrain.object_storage.connection import ObjectConnection


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "packkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "packsecret")


def place(port: int) -> ObjectPlace:
    return ObjectPlace("bucket", "prefix", f"http://127.0.0.1:{port}", "us-east-1", allows_http=True)


def test_no_server_is_a_clear_error() -> None:
    connection = pickle.loads(pickle.dumps(ObjectConnection(place(free_port()), patience_seconds=0.1)))
    with pytest.raises(StoreUnreachable, match="does not answer") as caught:
        connection.head("prefix/a")
    assert caught.value.exit_code == 120
    assert caught.value.where == "s3://bucket/prefix"


def test_plain_http_from_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(VoyageFileError, match="plain HTTP"):
        ObjectConnection(ObjectPlace("bucket", "prefix", region="us-east-1")).head("prefix/a")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as caught:
        ObjectConnection(place(free_port())).head("prefix/a")
    assert 'pip install "packtrain[s3]"' in str(caught.value.hint)
