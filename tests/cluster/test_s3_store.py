"""The store in object storage, against a real server: what all stores do, its faults, and a whole load."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contract.store_suite import StoreContract, staged
from cut_link import cut_link, free_port
from dataset_parts import write_dataset
from loading_parts import FILES, Arrived, arrive
from object_server import BUCKET, KEYS, ObjectServer, object_server, why_no_server
from packtrain import durable
from packtrain.errors import IntegrityError, SourceUnreadable, StoreInUse, StoreUnreachable, VoyageFileError
from packtrain.object_storage.address import ObjectPlace, parse_url
from packtrain.object_storage.connection import ObjectConnection
from packtrain.ports import STAGING_NAME
from packtrain.record.folder import VoyageFolder
from packtrain.stores.s3 import S3Store
from packtrain.training.batches import Position
from packtrain.training.loader import SampleStore, open_loader
from packtrain.units import MIB
from packtrain.voyage import Voyage
from tiny_dataset import make_tiny_dataset

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
PART_BYTES = 5 * MIB
LARGE = bytes(range(256)) * (13 * MIB // 256) + b"end"
PREFIXES = (f"p{number}/store" for number in count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    if (reason := why_no_server()) is not None:
        pytest.skip(reason)
    with object_server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def prefix() -> str:
    return next(PREFIXES)


def place(prefix: str, port: int, bucket: str = BUCKET) -> ObjectPlace:
    return ObjectPlace(bucket, prefix, f"http://127.0.0.1:{port}", "us-east-1", allows_http=True)


def opened(tmp_path: Path, prefix: str, port: int, bucket: str = BUCKET, patience_seconds: float = 60) -> S3Store:
    connection = ObjectConnection(place(prefix, port, bucket), patience_seconds=patience_seconds)
    return S3Store(connection, tmp_path / "staging", smallest_part_bytes=PART_BYTES)


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, server: ObjectServer, tmp_path: Path, prefix: str) -> S3Store:
        return opened(tmp_path, prefix, server.port)


# --- what goes and how ---


def test_a_large_file_goes_in_parts_and_is_whole(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    store = opened(tmp_path, prefix, server.port)
    store.publish(staged(store, LARGE), b"large")
    assert store.sha256(b"large") == sha256(LARGE).hexdigest()
    found = server.client().head_object(Bucket=BUCKET, Key=f"{prefix}/large", ChecksumMode="ENABLED")
    assert found["ETag"].endswith('-3"')
    assert found["ChecksumSHA256"].endswith("-3")
    assert server.uploads() == []
    assert list((tmp_path / "staging" / STAGING_NAME).iterdir()) == []


def test_mode_and_time_are_metadata(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    store = opened(tmp_path, prefix, server.port)
    path = staged(store)
    path.chmod(0o640)
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    store.publish(path, b"a")
    store.link(b"a", b"b")
    for name in "ab":
        said = server.client().head_object(Bucket=BUCKET, Key=f"{prefix}/{name}")["Metadata"]
        assert (said["mode"], said["mtime"]) == ("100640", "1700000000.123456789")


def test_no_name_leaves_the_prefix(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    store = opened(tmp_path, prefix, server.port)
    before = set(server.objects("p0"))
    store.publish(staged(store, b"x"), b"..\\..\\evil\\..")
    store.publish(staged(store, b"x"), b"%2e%2e")
    assert set(server.objects(prefix)) == {"..%5C..%5Cevil%5C..", "%252e%252e"}
    assert set(server.objects("p0")) - before in (set(), {"store/..%5C..%5Cevil%5C..", "store/%252e%252e"})


def test_two_hosts_publish_at_once(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    stores = [opened(tmp_path / str(number), prefix, server.port) for number in range(3)]

    def publish(number: int) -> None:
        store = stores[number]
        for name in range(10):
            store.publish(staged(store, b"same %d" % name), b"same/%d" % name)
        store.publish(staged(store, LARGE), b"same/large")

    with ThreadPoolExecutor(3) as workers:
        list(workers.map(publish, range(3)))
    found = server.objects(prefix)
    assert found.pop("same/large") == LARGE
    assert found == {f"same/{name}": b"same %d" % name for name in range(10)}
    assert server.uploads() == []


# --- faults ---


def test_no_server_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="does not answer") as caught:
        opened(tmp_path, "p", free_port(), patience_seconds=1).staging_folder()
    assert caught.value.exit_code == 120
    assert caught.value.hint is not None


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")])
def test_a_wrong_key_is_a_clear_error_that_tells_no_secret(
    server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StoreUnreachable, match="refuses the access key") as caught:
        opened(tmp_path, "p", server.port).staging_folder()
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value.to_dict())


def test_no_key_is_a_clear_error(server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreUnreachable, match="no access key"):
        opened(tmp_path, "p", server.port).staging_folder()


def test_a_key_that_may_only_read_cannot_publish(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "readkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "r")
    store = opened(tmp_path, prefix, server.port)
    with pytest.raises(StoreUnreachable, match="refuses the access key"):
        store.publish(staged(store), b"a")
    assert server.objects(prefix) == {}


def test_a_bucket_that_is_not_there_is_named(server: ObjectServer, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="bucket is not there"):
        opened(tmp_path, "p", server.port, "elsewhere").staging_folder()


def test_a_link_cut_for_a_moment_in_the_middle_of_an_upload_costs_nothing(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    with cut_link(server.port) as link:
        store = opened(tmp_path, prefix, link.port)
        path = staged(store, LARGE)
        link.mend(7 * MIB)
        mending = threading.Timer(1.0, link.mend)
        mending.start()
        store.publish(path, b"large")
        mending.join()
    assert server.objects(prefix) == {"large": LARGE}
    assert server.uploads() == []


def test_a_link_that_stays_cut_leaves_nothing_half_and_the_next_run_finishes(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    with cut_link(server.port) as link:
        store = opened(tmp_path, prefix, link.port, patience_seconds=1)
        path = staged(store, LARGE)
        link.mend(7 * MIB)
        with pytest.raises(StoreUnreachable):
            store.publish(path, b"large")
        assert path.read_bytes() == LARGE
        assert server.objects(prefix) == {}
        assert server.uploads() == [f"{prefix}/large"]
        link.mend()
        del store  # as after a kill, what the first process held is free
        again = opened(tmp_path, prefix, link.port)
        again.staging_folder()
        assert server.uploads() == []
        again.publish(path, b"large")
    assert server.objects(prefix) == {"large": LARGE}
    assert server.uploads() == []


def test_a_slow_server_is_waited_for(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    with cut_link(server.port) as link:
        link.bytes_a_second = 4 * MIB
        store = opened(tmp_path, prefix, link.port)
        store.publish(staged(store, LARGE), b"large")
    assert server.objects(prefix) == {"large": LARGE}


def test_a_server_that_is_started_again_in_the_middle_is_waited_for(tmp_path: Path, prefix: str) -> None:
    if (reason := why_no_server()) is not None:
        pytest.skip(reason)
    (tmp_path / "server").mkdir()
    with object_server(tmp_path / "server") as own:
        store = opened(tmp_path, prefix, own.port)
        first, second = staged(store, b"first"), staged(store, b"second", "two")
        store.publish(first, b"first")
        own.stop()
        starting = threading.Timer(1.0, own.start)
        starting.start()
        try:
            store.publish(second, b"second")
        finally:
            starting.join()
        assert own.objects(prefix) == {"first": b"first", "second": b"second"}


KILLED = """
import os, signal, sys
from pathlib import Path
from packtrain import durable
from packtrain.object_storage.address import ObjectPlace
from packtrain.object_storage.connection import ObjectConnection
from packtrain.record.folder import VoyageFolder
from packtrain.stores.s3 import S3Store
prefix, port, folder, step = sys.argv[1:]
place = ObjectPlace("cargo", prefix, f"http://127.0.0.1:{port}", "us-east-1", allows_http=True)
store = S3Store(ObjectConnection(place), Path(folder), smallest_part_bytes=5 << 20)
path = store.staging_folder() / "one"
path.write_bytes(bytes(13 << 20))
durable.observe_steps(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == step else None)
store.publish(path, b"large")
"""


@pytest.mark.parametrize("step", ["publish", "upload begun", "parts sent"])
def test_a_killed_upload_is_not_seen_and_is_taken_back(
    server: ObjectServer, tmp_path: Path, prefix: str, step: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, prefix, str(server.port), str(tmp_path / "staging"), step], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert server.objects(prefix) == {}
    assert len(server.uploads()) == (step != "publish")
    store = opened(tmp_path, prefix, server.port)
    staging = store.staging_folder()
    assert server.uploads() == []
    store.publish(staging / "one", b"large")
    assert server.objects(prefix) == {"large": bytes(13 * MIB)}


def test_uploads_of_a_run_that_lives_are_left_alone(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    store = opened(tmp_path, prefix, server.port)
    seen: list[list[str]] = []

    def look(name: str) -> None:
        if name == "parts sent":
            opened(tmp_path, prefix, server.port).staging_folder()
            seen.append(server.uploads())

    path = staged(store, LARGE)
    durable.observe_steps(look)
    try:
        store.publish(path, b"large")
    finally:
        durable.observe_steps(None)
    assert seen == [[f"{prefix}/large"]]
    assert server.objects(prefix) == {"large": LARGE}


def test_a_full_staging_disk_is_a_message(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    arrived = into_object_storage(arrive(tmp_path), server, prefix)
    (tmp_path / "full").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(tmp_path / "full")], check=True)
    try:
        text = arrived.consignee.root / "voyage.toml"
        text.write_text(text.read_text().replace("[site]\n", f'[site]\nstore_staging = "{tmp_path}/full"\n'))
        with pytest.raises(Exception, match="no space left") as caught:
            load(arrived)
        assert type(caught.value).__name__ == "DriveFull"
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "full")], check=True)
    text.write_text(text.read_text().replace(f'store_staging = "{tmp_path}/full"\n', ""))
    load(arrived)
    assert_loaded(arrived, server, prefix)


# --- a whole load ---


def into_object_storage(arrived: Arrived, server: ObjectServer, prefix: str, port: int | None = None) -> Arrived:
    path = arrived.consignee.root / "voyage.toml"
    site = (
        f'[site]\nstore = "s3://{BUCKET}/{prefix}"\ns3_endpoint = "http://127.0.0.1:{port or server.port}"\n'
        's3_plain_http = true\ns3_region = "us-east-1"\n'
    )
    text = path.read_text()
    assert "[site]" not in text
    path.write_text(f"{text}\n{site}")
    return arrived


def load(arrived: Arrived, *labels: str, **asked: Any) -> Any:
    voyage = Voyage(arrived.consignee.root, sink=arrived.events.append)
    return voyage.load([drive.location for drive in arrived.drives(*labels)], **asked)


def assert_loaded(arrived: Arrived, server: ObjectServer, prefix: str) -> None:
    source = arrived.folders["consignor"].work / "dataset"
    found = server.objects(prefix)
    for name in (*FILES, "dataset.json"):
        assert found[name] == (source / name).read_bytes(), name
    assert server.uploads() == []


def test_a_shipment_is_loaded_and_nothing_is_sent_twice(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    arrived = into_object_storage(arrive(tmp_path), server, prefix)
    receipt = load(arrived)
    assert receipt.facts["store"] == f"s3://{BUCKET}/{prefix}"
    assert receipt.counts["samples_loaded"] > 0
    assert_loaded(arrived, server, prefix)
    times = {one["Key"]: one["LastModified"] for one in server.client().list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert load(arrived) == receipt
    assert times == {
        one["Key"]: one["LastModified"] for one in server.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    }
    gone = sorted(server.objects(prefix))[-1]
    server.client().delete_object(Bucket=BUCKET, Key=f"{prefix}/{gone}")
    load(arrived)
    assert_loaded(arrived, server, prefix)


def test_a_load_that_is_cut_off_goes_on(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.stores.ObjectConnection", partial(ObjectConnection, patience_seconds=1))
    with cut_link(server.port) as link:
        arrived = into_object_storage(arrive(tmp_path), server, prefix, link.port)
        link.mend(100_000)
        with pytest.raises(StoreUnreachable):
            load(arrived)
        found = server.objects(prefix)
        source = arrived.folders["consignor"].work / "dataset"
        assert all(payload == (source / name).read_bytes() for name, payload in found.items() if name in FILES)
        link.mend()
        load(arrived)
    assert_loaded(arrived, server, prefix)


def test_strangers_under_names_of_the_cargo_are_kept(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    arrived = into_object_storage(arrive(tmp_path), server, prefix)
    server.client().put_object(Bucket=BUCKET, Key=f"{prefix}/index.parquet", Body=b"mine")
    with pytest.raises(StoreInUse, match=r"index\.parquet"):
        load(arrived)
    assert server.objects(prefix)["index.parquet"] == b"mine"


def test_what_reads_a_folder_says_so(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    arrived = into_object_storage(arrive(tmp_path), server, prefix)
    with pytest.raises(VoyageFileError, match="reads it as a folder"):
        Voyage(arrived.consignee.root, sink=arrived.events.append).data_folder()
    assert parse_url(f"s3://{BUCKET}/{prefix}", "a test").prefix == prefix


# --- the loader ---


@pytest.fixture
def local(server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small data set that also lies below the prefix; the environment names the server."""
    root = tmp_path / "data"
    make_tiny_dataset(root, num_tables=6, num_images=40, num_clips=5)
    store = opened(tmp_path, prefix, server.port)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            store.publish(staged(store, path.read_bytes()), os.fsencode(path.relative_to(root)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    return root


def test_every_sample_is_read_from_object_storage(local: Path, prefix: str) -> None:
    here, there = SampleStore(local), SampleStore(f"s3://{BUCKET}/{prefix}")
    rows = list(range(len(here)))
    assert there.index_digest == here.index_digest
    assert there.__getitems__(rows) == here.__getitems__(rows)
    assert SampleStore(Path(f"s3://{BUCKET}/{prefix}"))[7] == here[7]
    assert pickle.loads(pickle.dumps(there))[7] == here[7]


@pytest.mark.parametrize("num_processes", [0, 2])
def test_the_loader_gives_the_same_batches(local: Path, prefix: str, num_processes: int) -> None:
    def batches(root: str) -> list[Any]:
        store = SampleStore(root)
        store[0]
        position = Position.start(1, store.index_digest)
        loader = open_loader(
            store, position, global_batch=8, rank=0, world_size=1, num_batches=9, num_processes=num_processes
        )
        return list(loader)

    assert batches(f"s3://{BUCKET}/{prefix}") == batches(str(local))


def test_a_cut_while_samples_are_read_costs_nothing(
    server: ObjectServer, local: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = SampleStore(local)
    with cut_link(server.port) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{link.port}")
        there = SampleStore(f"s3://{BUCKET}/{prefix}")
        for row in range(len(here)):
            if row % 9 == 0:
                link.close_all()
            assert there[row] == here[row]


def test_what_is_damaged_or_gone_is_named(server: ObjectServer, local: Path, prefix: str) -> None:
    there = SampleStore(f"s3://{BUCKET}/{prefix}")
    key = f"{prefix}/shards/image-000000.tar"
    payload = (local / "shards/image-000000.tar").read_bytes()
    server.client().put_object(Bucket=BUCKET, Key=key, Body=bytes(byte ^ 1 for byte in payload))
    with pytest.raises(IntegrityError, match="differs from the index"):
        there[6]
    server.client().delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(IntegrityError, match=r"image-000000\.tar"):
        SampleStore(f"s3://{BUCKET}/{prefix}")[6]
    with pytest.raises(SourceUnreadable, match="index cannot be read"):
        SampleStore(f"s3://{BUCKET}/{prefix}/elsewhere")


def test_a_whole_voyage_ends_at_a_loader_that_reads_every_sample(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: VoyageFolder) -> None:
        make_tiny_dataset(tmp_path / "made", num_tables=6, num_images=40, num_clips=5)
        found = {
            path.relative_to(tmp_path / "made").as_posix(): path.read_bytes()
            for path in sorted((tmp_path / "made").rglob("*"))
            if path.is_file() and path.name != "dataset.json"
        }
        index = found.pop("index.parquet")
        write_dataset(folder, {**found, "index.parquet": index})

    arrived = into_object_storage(arrive(tmp_path, make_dataset=make), server, prefix)
    load(arrived, "A1", "B2")  # any two of four drives suffice
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    source = arrived.folders["consignor"].work / "dataset"
    found = server.objects(prefix)
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert {name: found.get(name) for name in files} == files
    here, there = SampleStore(source), SampleStore(arrived.consignee.store_location())
    assert list(map(there.__getitem__, range(len(there)))) == list(map(here.__getitem__, range(len(here))))
