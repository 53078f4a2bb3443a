"""Fetching over HTTP from a server of our own: broken lines, wrong bytes, secrets, caches."""

import hashlib
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from packtrain.errors import WheelUnavailable
from packtrain.training.kit_lock import fetch
from packtrain.training.kit_lock.fetch import Fetcher
from packtrain.training.kit_lock.read import LockedFile

PAYLOAD = hashlib.shake_256(b"wheel").digest(3_000_000)
NAME = "tiny-1.0-py3-none-any.whl"
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file and notes what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.payload = PAYLOAD
        self.cut_after: list[int] = []
        self.knows_ranges = True
        self.redirect: str | None = None
        self.asked: list[tuple[str, str | None, str | None]] = []

    def file(self, *, sha256: str | None = SHA256, size: int | None = len(PAYLOAD), user: str = "") -> LockedFile:
        return LockedFile(NAME, f"http://{user}127.0.0.1:{self.server_port}/files/{NAME}", sha256, size)


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        if server.redirect is not None:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        start = 0
        if server.knows_ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.payload):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.payload) - 1}/{len(server.payload)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(server.payload) - start))
        self.end_headers()
        end = start + server.cut_after.pop(0) if server.cut_after else len(server.payload)
        self.wfile.write(server.payload[start:end])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch.time, "sleep", lambda _seconds: None)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_second_run_fetches_nothing(server: Server, tmp_path: Path):
    first = Fetcher(tmp_path / "cache", tmp_path).get(server.file())
    again = Fetcher(tmp_path / "cache", tmp_path)
    assert again.get(server.file()) == first
    assert (len(server.asked), again.num_fetched) == (1, 0)
    assert first.read_bytes() == PAYLOAD
    assert first.name == NAME


def test_a_broken_line_is_taken_up_where_it_broke(server: Server, tmp_path: Path):
    server.cut_after = [1_000_000, 500_000]
    came: list[int] = []
    path = Fetcher(tmp_path / "cache", tmp_path, on_bytes=came.append).get(server.file())
    assert path.read_bytes() == PAYLOAD
    assert [asked for _, asked, _ in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert sum(came) == len(PAYLOAD)


def test_a_line_that_stays_broken_is_told_and_the_next_command_goes_on(server: Server, tmp_path: Path):
    server.cut_after = [10] * fetch.TRIES
    with pytest.raises(WheelUnavailable, match=r"tiny-1.0.*cannot be fetched .*the line broke after 30 of 3000000"):
        Fetcher(tmp_path / "cache", tmp_path).get(server.file())
    assert Fetcher(tmp_path / "cache", tmp_path).get(server.file()).read_bytes() == PAYLOAD
    assert server.asked[-1][1] == "bytes=30-"


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path):
    server.knows_ranges, server.cut_after = False, [1_000_000]
    assert Fetcher(tmp_path / "cache", tmp_path).get(server.file()).read_bytes() == PAYLOAD


@pytest.mark.parametrize("payload", [PAYLOAD[:-1] + b"!", PAYLOAD + b"more", b"short"])
def test_other_bytes_than_the_locks_are_refused_and_not_kept(server: Server, tmp_path: Path, payload: bytes):
    server.payload = payload
    with pytest.raises(WheelUnavailable, match=r"not the one of the lock|longer than the lock|the line broke|HTTP"):
        Fetcher(tmp_path / "cache", tmp_path).get(server.file())
    assert not [path for path in (tmp_path / "cache").rglob("*.whl")]
    server.payload = PAYLOAD
    if payload != b"short":
        assert Fetcher(tmp_path / "cache", tmp_path).get(server.file()).read_bytes() == PAYLOAD


def test_a_damaged_file_of_the_cache_is_fetched_again(server: Server, tmp_path: Path):
    path = Fetcher(tmp_path / "cache", tmp_path).get(server.file())
    path.write_bytes(PAYLOAD[:-1] + b"!")
    assert Fetcher(tmp_path / "cache", tmp_path).get(server.file()).read_bytes() == PAYLOAD


def test_a_wheelhouse_is_asked_first_and_its_forgeries_are_passed_over(server: Server, tmp_path: Path):
    for name, payload in (("bad", b"forged"), ("good", PAYLOAD)):
        (tmp_path / name).mkdir()
        (tmp_path / name / NAME).write_bytes(payload)
    houses = (tmp_path / "bad", tmp_path / "good")
    offline = Fetcher(tmp_path / "cache", tmp_path, wheelhouses=houses, is_offline=True)
    assert offline.get(server.file()).read_bytes() == PAYLOAD
    assert server.asked == []


def test_offline_nothing_is_asked(server: Server, tmp_path: Path):
    with pytest.raises(WheelUnavailable, match="nothing may be fetched"):
        Fetcher(tmp_path / "cache", tmp_path, is_offline=True).get(server.file())
    assert server.asked == []


def test_the_addresss_password_goes_to_its_host_alone_and_into_no_message(server: Server, tmp_path: Path):
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        # "localhost" is another host than "127.0.0.1".
        server.redirect = f"http://localhost:{other.server_port}/elsewhere/{NAME}"
        Fetcher(tmp_path / "cache", tmp_path).get(server.file(user="me:s%20cret@"))
        other.shutdown()
        thread.join()
    assert server.asked[0][2] == "Basic " + b64encode(b"me:s cret").decode()
    assert [authorization for _, _, authorization in other.asked] == [None]
    server.redirect, server.payload = None, b"other"
    with pytest.raises(WheelUnavailable) as caught:
        Fetcher(tmp_path / "new", tmp_path).get(server.file(user="me:s%20cret@", size=5))
    assert "cret" not in caught.value.message


@pytest.mark.parametrize("scheme", ["ftp", "gopher", "data"])
def test_other_kinds_of_addresses_are_not_fetched(tmp_path: Path, scheme: str):
    with pytest.raises(WheelUnavailable, match="kind that is not fetched"):
        Fetcher(tmp_path / "cache", tmp_path).get(LockedFile(NAME, f"{scheme}://x/{NAME}", None, None))


def test_killed_between_the_last_byte_and_the_name_the_next_run_finishes(server: Server, tmp_path: Path):
    # Without a length in the lock nothing here says that all of it has come.
    cache = tmp_path / "cache"
    part = cache / SHA256[:16] / f"{NAME}{fetch.PART_SUFFIX}"
    part.parent.mkdir(parents=True)
    part.write_bytes(PAYLOAD)
    assert Fetcher(cache, tmp_path).get(server.file(size=None)).read_bytes() == PAYLOAD


def test_a_broken_line_is_no_other_file_where_the_lock_tells_no_length(server: Server, tmp_path: Path):
    server.cut_after = [1_000_000]
    assert Fetcher(tmp_path / "cache", tmp_path).get(server.file(size=None)).read_bytes() == PAYLOAD
    assert [asked for _, asked, _ in server.asked] == [None, "bytes=1000000-"]


@pytest.mark.timeout(20)
def test_a_device_without_an_end_is_not_copied(tmp_path: Path):
    with pytest.raises(WheelUnavailable, match="no regular file"):
        Fetcher(tmp_path / "cache", tmp_path).get(LockedFile(NAME, "file:///dev/zero", None, None))


def test_a_redirect_leads_to_no_other_kind_of_address(server: Server, tmp_path: Path):
    server.redirect = f"ftp://127.0.0.1:9/{NAME}"
    with pytest.raises(WheelUnavailable) as caught:
        Fetcher(tmp_path / "cache", tmp_path).get(server.file(sha256=None, size=None))
    assert (caught.value.found, len(server.asked)) == ("HTTP 403", 1)


def test_a_redirect_to_a_file_of_this_machine_is_not_followed(server: Server, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    server.redirect = (tmp_path / "secret").as_uri()
    with pytest.raises(WheelUnavailable):
        Fetcher(tmp_path / "cache", tmp_path).get(server.file(sha256=None, size=None))


def test_a_file_without_a_length_that_was_whole_when_packtrain_was_killed_is_no_dead_end(
    server: Server, tmp_path: Path
):
    part = tmp_path / "cache" / SHA256[:16] / (NAME + fetch.PART_SUFFIX)
    part.parent.mkdir(parents=True)
    part.write_bytes(PAYLOAD)
    assert Fetcher(tmp_path / "cache", tmp_path).get(server.file(size=None)).read_bytes() == PAYLOAD
