"""Faults of object storage beyond a link that is cut: refusals, a busy server, certificates, clocks, regions, races."""

import datetime
import io
import ipaddress
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contract.store_suite import staged
from object_proxy import Instead, first, object_proxy
from object_server import BUCKET, KEYS, ObjectServer, object_server, why_no_server
from packtrain.errors import DriveFailed, SourceChanged, StoreUnreachable
from packtrain.object_storage.address import ObjectPlace
from packtrain.object_storage.connection import ObjectConnection
from packtrain.object_storage.reading import open_object
from packtrain.stores.s3 import S3Store
from packtrain.units import MIB

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
PART_BYTES = 5 * MIB
LARGE = bytes(range(256)) * (13 * MIB // 256) + b"end"
TOKEN = "session-token-that-nobody-may-see"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    if (reason := why_no_server()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("server")
    with object_server(folder, private_authority(folder)) as found:
        yield found


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CA_BUNDLE", "AWS_SESSION_TOKEN", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path.name}/store"


def connected(prefix: str, port: int, patience_seconds: float = 60) -> ObjectConnection:
    place = ObjectPlace(BUCKET, prefix, f"http://127.0.0.1:{port}", "us-east-1", allows_http=True)
    return ObjectConnection(place, patience_seconds=patience_seconds)


def opened(tmp_path: Path, prefix: str, port: int, patience_seconds: float = 60) -> S3Store:
    return S3Store(connected(prefix, port, patience_seconds), tmp_path / "staging", smallest_part_bytes=PART_BYTES)


def private_authority(folder: Path) -> tuple[Path, Path]:
    """Write ca.pem, and a certificate for 127.0.0.1 that it signed; return the certificate and its key."""
    now = datetime.datetime.now(datetime.UTC)

    def signed(name: str, key: ec.EllipticCurvePrivateKey, by: str, by_key: ec.EllipticCurvePrivateKey) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=key is by_key, path_length=None), critical=True)
        )
        if key is not by_key:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(by_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    own, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (folder / "ca.pem").write_bytes(signed("the hall's own", own, "the hall's own", own))
    (folder / "server.pem").write_bytes(signed("objects", server, "the hall's own", own))
    (folder / "server.key").write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "server.pem", folder / "server.key"


# --- certificates ---


def over_tls(server: ObjectServer, tmp_path: Path, prefix: str) -> S3Store:
    place = ObjectPlace(BUCKET, prefix, f"https://127.0.0.1:{server.tls_port}", "us-east-1")
    return S3Store(ObjectConnection(place), tmp_path / "staging", smallest_part_bytes=PART_BYTES)


@pytest.mark.parametrize("how", ["variable", "profile"])
def test_a_private_authority_is_named_in_the_settings_of_aws(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    authority = server.folder / "ca.pem"
    if how == "variable":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    else:
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {authority}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    store = over_tls(server, tmp_path, prefix)
    store.publish(staged(store, LARGE), b"large")
    store.publish(staged(store, b"small"), b"small")
    assert store.read_bytes(b"small", 100) == b"small"
    assert server.objects(prefix) == {"large": LARGE, "small": b"small"}


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    with pytest.raises(StoreUnreachable, match="certificate of object storage is not trusted") as caught:
        over_tls(server, tmp_path, prefix).staging_folder()
    assert "AWS_CA_BUNDLE" in (caught.value.hint or "")
    assert server.objects(prefix) == {}


def test_a_file_of_authorities_that_is_not_there_is_named_and_no_object_is_taken_for_gone(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(StoreUnreachable, match="file of certificate authorities is not there"):
        over_tls(server, tmp_path, prefix).size_bytes(b"a")


# --- a busy server ---

BUSY = [Instead(503, "SlowDown"), Instead(500, "InternalError"), Instead(429, "TooManyRequests"), Instead(0)]


@pytest.mark.parametrize("instead", BUSY, ids=["SlowDown", "InternalError", "TooManyRequests", "no answer"])
@pytest.mark.parametrize("operation", ["list", "head", "put", "begin", "part", "complete"])
def test_a_server_that_is_busy_for_some_requests_is_asked_again(
    server: ObjectServer, tmp_path: Path, prefix: str, operation: str, instead: Instead
) -> None:
    with object_proxy(server.port, first(operation, 2, instead)) as proxy:
        store = opened(tmp_path, prefix, proxy.port)
        store.publish(staged(store, b"small"), b"below/small")
        store.publish(staged(store, LARGE), b"below/large")
        assert proxy.seen.count(operation) >= 3
    assert server.objects(prefix) == {"below/large": LARGE, "below/small": b"small"}
    assert [key for key in server.uploads() if key.startswith(prefix)] == []


@pytest.mark.parametrize("operation", ["put", "part", "complete"])
def test_an_answer_that_is_lost_after_the_work_was_done_costs_nothing(
    server: ObjectServer, tmp_path: Path, prefix: str, operation: str
) -> None:
    with object_proxy(server.port, first(operation, 1, Instead(0, forwards=True))) as proxy:
        store = opened(tmp_path, prefix, proxy.port)
        store.publish(staged(store, b"small"), b"small")
        store.publish(staged(store, LARGE), b"large")
    assert server.objects(prefix) == {"large": LARGE, "small": b"small"}
    assert [key for key in server.uploads() if key.startswith(prefix)] == []


def test_an_upload_that_a_server_forgets_once_it_is_complete_is_known_by_its_object(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    answers = iter((Instead(0, forwards=True), Instead(404, "NoSuchUpload")))
    with object_proxy(server.port) as proxy:
        proxy.rule = lambda asked: next(answers, None) if asked.operation == "complete" else None
        store = opened(tmp_path, prefix, proxy.port)
        store.publish(staged(store, LARGE), b"large")
        # One that another program has aborted is told: nothing is under its name.
        proxy.rule = first("complete", 1, Instead(404, "NoSuchUpload"))
        with pytest.raises(DriveFailed, match="does not confirm"):
            store.publish(staged(store, LARGE), b"other")
        proxy.rule = None
        store.publish(staged(store, LARGE), b"third")
    assert server.objects(prefix) == {"large": LARGE, "third": LARGE}
    assert [key for key in server.uploads() if key.startswith(prefix)] == []


def test_a_server_that_stays_busy_is_told_and_leaves_no_parts(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    with object_proxy(server.port, first("part", 10_000, Instead(503, "SlowDown"))) as proxy:
        store = opened(tmp_path, prefix, proxy.port, patience_seconds=0.5)
        path = staged(store, LARGE)
        with pytest.raises(StoreUnreachable, match="does not keep up") as caught:
            store.publish(path, b"large")
        assert "SlowDown" in (caught.value.found or "")
        assert server.objects(prefix) == {}
        assert [key for key in server.uploads() if key.startswith(prefix)] == []
        proxy.rule = None
        store.publish(path, b"large")
    assert server.objects(prefix) == {"large": LARGE}


def test_bytes_that_change_on_the_way_are_sent_again(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    with object_proxy(server.port, first("part", 2, Instead(400, "BadDigest"))) as proxy:
        store = opened(tmp_path, prefix, proxy.port)
        store.publish(staged(store, LARGE), b"large")
    assert server.objects(prefix) == {"large": LARGE}


# --- keys, clocks, regions ---


@pytest.mark.parametrize(
    ("instead", "what"),
    [
        (Instead(400, "ExpiredToken"), "refuses the access key"),
        (Instead(403, "InvalidAccessKeyId"), "refuses the access key"),
        (Instead(403, "SignatureDoesNotMatch"), "refuses the access key"),
        (Instead(404, "NoSuchBucket"), "bucket is not there"),
    ],
    ids=lambda value: value.code if isinstance(value, Instead) else None,
)
def test_a_key_that_expires_in_the_middle_is_one_clear_message_and_no_secret_is_told(
    server: ObjectServer,
    tmp_path: Path,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    instead: Instead,
    what: str,
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with object_proxy(server.port) as proxy:
            monkeypatch.delenv("AWS_SESSION_TOKEN")
            store = opened(tmp_path, prefix, proxy.port)
            path, other = staged(store, LARGE), staged(store, b"x", "two")
            monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
            again = opened(tmp_path, prefix, proxy.port)
            proxy.rule = first("", 10_000, instead)
            told: list[bool] = []
            for work in (
                lambda: again.publish(path, b"large"),
                lambda: again.publish(other, b"a/b"),
                lambda: store.holds(b"a"),
            ):
                with pytest.raises(StoreUnreachable) as caught:
                    work()
                told.append(what in caught.value.message)
                told_all = "".join(traceback.format_exception(caught.value)) + str(caught.value.to_dict())
                for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], TOKEN):
                    assert secret not in told_all
            # HEAD cannot tell a bucket that is gone from an object that is.
            assert told[0]
            assert path.read_bytes() == LARGE
            proxy.rule = None
            monkeypatch.delenv("AWS_SESSION_TOKEN")
            store.publish(path, b"large")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], TOKEN):
        assert secret not in log.getvalue()
    assert server.objects(prefix) == {"large": LARGE}


@pytest.mark.parametrize("operation", ["head", "list"])
def test_a_clock_that_is_wrong_is_told_as_that(
    server: ObjectServer, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    import botocore.auth
    import botocore.compat

    def wrong(remove_tzinfo: bool = True) -> datetime.datetime:
        return botocore.compat.get_current_datetime(remove_tzinfo) - datetime.timedelta(hours=2)

    here = datetime.datetime.now(datetime.UTC).timestamp()
    monkeypatch.setattr(botocore.auth, "get_current_datetime", wrong)
    monkeypatch.setattr("packtrain.object_storage.connection.time.time", lambda: here - 7200)
    store = opened(tmp_path, prefix, server.port)
    with pytest.raises(StoreUnreachable, match="clock is not that of object storage") as caught:
        store.holds(b"a") if operation == "head" else store.is_empty()
    assert "timedatectl" in (caught.value.hint or "")


def test_a_bucket_of_another_region_is_told_with_its_region(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    moved = Instead(301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-1"})
    with object_proxy(server.port, first("", 10_000, moved)) as proxy:
        for work in (lambda store: store.is_empty(), lambda store: store.holds(b"a")):
            with pytest.raises(StoreUnreachable, match="another region") as caught:
                work(opened(tmp_path, prefix, proxy.port))
            assert "s3_region" in (caught.value.hint or "")
    malformed = Instead(400, "AuthorizationHeaderMalformed")
    with (
        object_proxy(server.port, first("", 10_000, malformed)) as proxy,
        pytest.raises(StoreUnreachable, match="another region"),
    ):
        opened(tmp_path, prefix, proxy.port).is_empty()


def test_a_redirect_leads_to_no_other_server(server: ObjectServer, tmp_path: Path, prefix: str) -> None:
    with object_proxy(server.port) as elsewhere:
        moved = Instead(307, "TemporaryRedirect", {"Location": f"http://127.0.0.1:{elsewhere.port}/{BUCKET}/x"})
        with object_proxy(server.port, first("put", 10_000, moved)) as proxy:
            store = opened(tmp_path, prefix, proxy.port)
            with pytest.raises(StoreUnreachable, match="another region, or behind another endpoint"):
                store.publish(staged(store, b"x"), b"x")
        assert elsewhere.seen == []


# --- an object that changes ---


def test_an_object_that_changes_while_it_is_read_is_told(server: ObjectServer, prefix: str) -> None:
    client, key = server.client(), f"{prefix}/a"
    client.put_object(Bucket=BUCKET, Key=key, Body=bytes(3 * MIB))
    with open_object(connected(prefix, server.port), key, 1024) as stream:
        assert stream.read(10) == bytes(10)
        client.put_object(Bucket=BUCKET, Key=key, Body=b"x" * (3 * MIB))
        stream.seek(2 * MIB)
        with pytest.raises(SourceChanged, match="changed while it was read"):
            stream.read(10)


def test_an_object_that_another_program_replaced_before_it_was_confirmed_is_told(
    server: ObjectServer, tmp_path: Path, prefix: str
) -> None:
    def rule(asked: object) -> None:
        if proxy.seen and proxy.seen[-1] == "head" and "complete" in proxy.seen:
            server.client().put_object(Bucket=BUCKET, Key=f"{prefix}/large", Body=b"mine")

    with object_proxy(server.port) as proxy:
        store = opened(tmp_path, prefix, proxy.port)
        path = staged(store, LARGE)
        proxy.rule = rule
        with pytest.raises(Exception, match="does not confirm"):
            store.publish(path, b"large")
        assert path.read_bytes() == LARGE, "what was not confirmed stays here"
        proxy.rule = None
        store.publish(path, b"large")
    assert server.objects(prefix) == {"large": LARGE}
    assert list((tmp_path / "staging" / ".packtrain-staging").iterdir()) == []
