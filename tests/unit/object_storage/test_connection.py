"""Requests that find no server, or none that may be asked; what a real one says: tests/cluster/test_s3_store.py."""

import contextlib
import http.server
import importlib.util
import pickle
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cut_link import free_port
from packtrain.errors import MissingDependency, StoreUnreachable, VoyageFileError
from packtrain.object_storage.address import ObjectPlace
from packtrain.object_storage.connection import ObjectConnection
from packtrain.stores.s3_upload import Uploader


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


@contextlib.contextmanager
def answering(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[ObjectConnection]:
    """A real HTTP server that gives one answer to whatever it is asked."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET = do_PUT = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ObjectConnection(place(server.server_port), patience_seconds=0.1)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "content_range"),
    [
        (200, ""),
        (206, ""),
        (206, "bytes 0-2/10"),
        (206, "bytes 5-8/10"),
        (206, "bytes 5-4/10"),
        (206, "bytes */10"),
        (206, "5-7"),
    ],
)
def test_other_bytes_than_were_asked_for_are_not_taken(status: int, content_range: str) -> None:
    said = {"Content-Length": "10", "ETag": '"a"'} | ({"Content-Range": content_range} if content_range else {})
    with answering(status, said, b"0123456789") as connection, pytest.raises(StoreUnreachable) as caught:
        connection.read("prefix/a", 5, 3)
    assert (caught.value.what, caught.value.expected) == (
        "object storage answers with another range of bytes",
        "bytes 5-7",
    )
    assert caught.value.found == (content_range or "the whole object")
    assert "proxies" in str(caught.value.hint)


def test_the_range_that_was_asked_for_is_taken() -> None:
    said = {"Content-Length": "3", "Content-Range": "bytes 5-7/10"}
    with answering(206, said, b"567") as connection:
        assert connection.read("prefix/a", 5, 3) == b"567"
    said = {"Content-Length": "2", "Content-Range": "bytes 8-9/10"}
    with answering(206, said, b"89") as connection:
        assert connection.read("prefix/a", 8, 3) == b"89"


def test_a_whole_object_does_for_its_beginning() -> None:
    with answering(200, {"Content-Length": "10"}, b"0123456789") as connection:
        assert connection.read("prefix/a", 0, 3) == b"012"


@pytest.mark.parametrize("missing", ["Content-Length", "ETag"])
def test_an_answer_without_length_or_etag_is_a_clear_error(missing: str) -> None:
    said = {name: value for name, value in (("Content-Length", "10"), ("ETag", '"a"')) if name != missing}
    with answering(200, said, b"") as connection, pytest.raises(StoreUnreachable) as caught:
        connection.head("prefix/a")
    assert caught.value.expected == missing.replace("-", "")
    assert "as S3 does" in str(caught.value.hint)


def test_an_upload_without_an_id_is_a_clear_error(tmp_path: Path) -> None:
    answer = b"<InitiateMultipartUploadResult><Bucket>bucket</Bucket></InitiateMultipartUploadResult>"
    (tmp_path / "file").write_bytes(b"0" * 10)
    with (
        answering(200, {"Content-Length": str(len(answer))}, answer) as connection,
        ThreadPoolExecutor(1) as workers,
        pytest.raises(StoreUnreachable) as caught,
    ):
        Uploader(connection, tmp_path / "notes", smallest_part_bytes=1).send(tmp_path / "file", "prefix/a", {}, workers)
    assert caught.value.expected == "UploadId"
