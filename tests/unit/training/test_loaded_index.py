"""The index of a data set in object storage: read once, and held against what `load` saw."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from packtrain.digest import sha256_file
from packtrain.errors import IntegrityError
from packtrain.record.folder import VoyageFolder
from packtrain.stages import train as stage
from packtrain.training import object_shards
from packtrain.training.loaded_index import told_to_workers
from packtrain.training.loader import SampleStore
from site_parts import site_after_load, write_program, write_training
from tiny_dataset import make_tiny_dataset

PLACE = "s3://bucket/data"


class Bucket(http.server.ThreadingHTTPServer):
    """A real HTTP server that reads files of a folder by ranges, as S3 does; it counts what it is asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gets: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(http.server.BaseHTTPRequestHandler):
    server: Bucket  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_HEAD(self) -> None:
        self.answer(200, self.payload(), "")

    def do_GET(self) -> None:
        self.server.gets.append(self.path)
        payload = self.payload()
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        piece = payload[first : last + 1]
        self.answer(206, piece, f"bytes {first}-{first + len(piece) - 1}/{len(payload)}")

    def payload(self) -> bytes:
        return (self.server.root / self.path.removeprefix("/bucket/")).read_bytes()

    def answer(self, status: int, payload: bytes, content_range: str) -> None:
        self.send_response(status)
        said = {"Content-Length": str(len(payload)), "ETag": '"a"', "Content-Range": content_range}
        for name, value in said.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    make_tiny_dataset(tmp_path / "data", num_tables=2, num_images=2, num_clips=1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "packkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "packsecret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with Bucket(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tell(monkeypatch: pytest.MonkeyPatch, sha256: str, place: str = PLACE) -> None:
    for name, value in told_to_workers(sha256, place).items():
        monkeypatch.setenv(name, value)


def test_the_index_is_asked_for_once(bucket: Bucket) -> None:
    store = SampleStore(PLACE)
    assert bucket.gets == ["/bucket/data/index.parquet"]
    assert store.index_digest == sha256_file(bucket.root / "data" / "index.parquet")
    assert store[3] == SampleStore(bucket.root / "data")[3]


def test_another_index_than_was_loaded_is_refused(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    index = bucket.root / "data" / "index.parquet"
    tell(monkeypatch, sha256_file(index))
    # As a program has it that takes its data folder as a path.
    assert len(SampleStore(Path(PLACE))) == 5
    pq.write_table(pq.read_table(index).slice(1), index)
    with pytest.raises(IntegrityError, match="index is not the one that was loaded") as caught:
        SampleStore(PLACE)
    assert caught.value.where == PLACE
    assert "packtrain load" in str(caught.value.hint)


def test_other_data_sets_are_not_held_against_it(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, "0" * 64, "s3://bucket/other")
    assert len(SampleStore(PLACE)) == 5


def test_an_index_beyond_the_bound_is_not_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_shards, "_MOST_INDEX_BYTES", 10)
    with pytest.raises(IntegrityError, match="index is too long"):
        SampleStore(PLACE)
    assert bucket.gets == []


@pytest.mark.parametrize(("loaded_into", "is_told"), [(PLACE, True), ("s3://bucket/before", False)])
def test_workers_are_told_what_load_saw_in_this_bucket(tmp_path: Path, loaded_into: str, is_told: bool) -> None:
    folder = site_after_load(tmp_path)["consignee"]
    write_program(folder, "")
    write_training(folder)
    voyage = folder.root / "voyage.toml"
    voyage.write_text(voyage.read_text().replace('store = "store"', f'store = "{PLACE}"'))
    receipt = folder.receipt("load")
    assert receipt is not None
    folder.write_receipt(msgspec.structs.replace(receipt, facts={"store": loaded_into, "index.parquet": "a" * 64}))
    told = stage._object_storage(VoyageFolder(folder.root))
    assert told.get("PACKTRAIN_LOADED_INDEX") == (f"{'a' * 64} {PLACE}" if is_told else None)
