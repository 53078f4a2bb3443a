"""`packtrain serve` over a loaded voyage: what it answers, what it never does, how it ends."""

import fcntl
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_parts import Site, deliver, edit, pack, packtrain, prepared, refusal
from ordinary_user import folder_of_nobody, run_as_nobody, why_not
from packtrain.digest import sha256_file
from packtrain.web.page import PARTS
from serve_parts import Serving, answer_of, packtrain_process, serving

HOSTILE = '<script>document.title="hacked"</script>'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = prepared(tmp_path_factory.mktemp("serve"))
    pack(site)
    deliver(site)
    assert site.load().exit_code == 0
    return site


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[Serving]:
    with serving(site.home, site.hall, site.guest) as one:
        yield one


def _everything(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return all that a write could change below root: contents, names, times, rights."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(root.rglob("*")):
        stat = path.lstat()
        digest = sha256_file(path) if path.is_file() else ""
        found[str(path)] = (digest, stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_nlink)
    return found


def test_the_table_is_all_there_is(served: Serving) -> None:
    kinds = {"/": "text/html", "/status.json": "application/json", "/watch.json": "application/json"}
    kinds |= {"/metrics": "text/plain"}
    kinds |= {"/page.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml"}
    kinds |= {f"/part/{name}": "text/html" for name in PARTS}
    for path, kind in kinds.items():
        status, headers, body = served.get(path)
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind), path
        assert body
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_the_metrics_are_what_the_command_prints(served: Serving, site: Site) -> None:
    status, headers, body = served.get("/metrics")
    assert status == 200 and "version=0.0.4" in headers["content-type"]
    process = packtrain_process("status", site.home, site.hall, site.guest, "--prometheus")
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert [line.split(" ")[0] for line in printed.split("\n")] == [
        line.split(" ")[0] for line in body.decode().split("\n")
    ]
    assert body.endswith(b"\n")


def test_the_status_is_what_the_command_prints(served: Serving, site: Site) -> None:
    printed = packtrain("status", site.home, site.hall, site.guest, "--json").document()
    shown = served.read("/status.json")
    assert {**shown, "read_at": ""} == {**printed, "read_at": ""}


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/etc/passwd",
     "/keys/signer", "/part/../keys/signer", "/part/%2e%2e%2fkeys%2fsigner", "/part/", "/part/nothing",
     "/page.js%00.css", "/page.js/", "/page.js;x", "/page.css.bak", "/voyage.toml", "/documents/shipment.json",
     "/static/../../page.py", "/part/now%20", "/%2f", "/\\..\\..\\etc\\passwd", "/.git/config",
     "/server.py", "/Status.json", "/" + "a" * 2000],
)  # fmt: skip
def test_no_address_is_a_path_of_the_file_system(served: Serving, path: str) -> None:
    status, headers, body = served.get(path)
    assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert body == b"Not Found\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET http://127.0.0.1/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n\r\n", 403),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 405),
        (b"PUT /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 405),
        (b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    ],
)
def test_hostile_requests_are_refused(served: Serving, request_bytes: bytes, status: int) -> None:
    found, _, body = answer_of(served.ask(request_bytes))
    assert found == status
    assert b"root:" not in body and b"<" not in body


def test_no_key_and_no_secret_is_ever_sent(served: Serving, site: Site) -> None:
    secrets = [
        line
        for folder in (site.home, site.hall, site.guest)
        for path in (folder / "keys").rglob("*")
        if path.is_file() and path.suffix not in (".pub", ".toml")
        for line in path.read_bytes().splitlines()
        if len(line) > 20 and not line.startswith((b"#", b"-----"))
    ]
    assert len(secrets) > 10
    for path in ("/", "/status.json", "/watch.json"):
        body = served.get(path)[2]
        assert not [line for line in secrets if line in body]


def test_a_page_is_read_and_nothing_is_written_beside_a_stage_that_works(site: Site) -> None:
    before = _everything(site.root)
    with (site.home / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with serving(site.home, site.guest, options=["--pictures"]) as one:
            pages = {path: one.get(path) for path in ("/", "/status.json", *(f"/part/{name}" for name in PARTS))}
            # The lock was this test's all the time, and stays: a stage that begins meanwhile is not kept out.
            second = subprocess.run(["flock", "-n", site.guest / ".lock", "true"], check=False)
    assert second.returncode == 0
    assert {status for status, _, _ in pages.values()} == {200}
    assert b"data:image/png;base64," in pages["/"][2]
    assert _everything(site.root) == before


def test_pictures_are_shown_only_when_asked_for(served: Serving) -> None:
    assert b"data:image" not in served.get("/")[2]


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_who_may_only_read_the_folder_and_no_key_still_sees_the_page(site: Site) -> None:
    script = """
import json, os, signal, subprocess, sys, urllib.request
command = [sys.executable, "-m", "packtrain", "serve", sys.argv[1], "--port", "0", "--json"]
process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
lines = [""]
while lines[-1] != "}\\n":
    lines.append(process.stdout.readline())
    assert lines[-1], process.wait()
url = json.loads("".join(lines))["urls"][0]
page = urllib.request.urlopen(url).read().decode()
process.send_signal(signal.SIGTERM)
print(os.access(sys.argv[1], os.W_OK), process.wait(), "tiny" in page, "case A" in page or "Case A" in page)
"""
    with folder_of_nobody() as place:
        home = place / "home"
        shutil.copytree(site.home, home)
        for path in (home, *home.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(home / "work")
        for path in (home / "keys").iterdir():
            path.chmod(0o600)
        before = _everything(home)
        done = run_as_nobody(script, place, [str(home)])
        assert done.stdout.split() == ["False", "0", "True", "True"], done.stderr
        assert _everything(home) == before


def test_sigterm_ends_it_as_well_as_ctrl_c(site: Site) -> None:
    process = packtrain_process("serve", site.home, "--port", 0)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("the page is at http://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    out, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, ""), out


def test_a_port_that_is_taken_and_a_folder_that_is_none_are_refused(site: Site, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        document = refusal(packtrain("serve", site.home, "--port", port, "--json"), 89)
    assert document["where"] == f"127.0.0.1:{port}"
    assert "--port" in document["hint"]
    refusal(packtrain("serve", site.home, "--listen", "192.0.2.1", "--json"), 89)
    refusal(packtrain("serve", tmp_path, "--json"), 11)
    for wrong in (["--listen", "example.org"], ["--token", "short"], ["--port", "70000"], ["--token", "a" * 40]):
        assert packtrain("serve", site.home, *wrong).exit_code == 2


def test_at_an_address_of_the_network_a_token_is_needed_and_never_logged(site: Site) -> None:
    process = packtrain_process("--debug", "serve", site.home, "--port", 0, "--listen", "0.0.0.0", "--json")
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1]
    document = json.loads("".join(lines))
    one = Serving(document, process)
    token = one.url.partition("?token=")[2]
    assert len(token) >= 32
    try:
        assert [one.get(path)[0] for path in ("/", "/status.json", "/page.js", "/nothing")] == [403] * 4
        assert one.get("/?token=" + "x" * 32)[0] == 403
        assert one.get(f"/status.json?token={token}")[0] == 403
        status, headers, body = one.get(f"/?token={token}")
        assert status == 200 and token.encode() not in body
        cookie = headers["set-cookie"].partition(";")[0]
        assert headers["set-cookie"].removeprefix(cookie) == "; Path=/; HttpOnly; SameSite=Strict"
        assert one.get("/", f"Cookie: {cookie}")[0] == 200
        assert one.get("/", f"Cookie: {cookie}", host="evil.example")[0] == 421
        assert one.get("/", f"Cookie: {cookie[:-1]}")[0] == 403
        status, headers, body = one.get("/metrics", f"Authorization: Bearer {token}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
        assert b"# TYPE packtrain_" in body and token.encode() not in body
        wrong = [f"Bearer {token[:-1]}", f"Bearer {token}x", "Bearer ", f"Basic {token}", token]
        assert [one.get("/metrics", f"Authorization: {each}")[0] for each in wrong] == [403] * len(wrong)
        assert one.get("/metrics", f"Authorization: Bearer {token}", host="evil.example")[0] == 421
        assert one.get("/metrics")[0] == 403
    finally:
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "GET /" in told  # something is logged
    assert token not in rest + told


def test_where_others_share_the_machine_loopback_asks_too(site: Site) -> None:
    with serving(site.home, options=["--shared-machine"]) as one:
        assert "?token=" in one.url and one.get("/")[0] == 403


def test_a_slow_client_keeps_nobody_out(served: Serving) -> None:
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(30)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTT")
        assert served.get("/watch.json")[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_folder_that_was_never_set_up_by_a_verb_gets_nothing_written(tmp_path: Path) -> None:
    assert packtrain("init", tmp_path / "new", "--role", "consignor", "--name", "new").exit_code == 0
    shutil.rmtree(tmp_path / "new" / "documents", ignore_errors=True)
    before = _everything(tmp_path)
    with serving(tmp_path / "new") as one:
        status, _, body = one.get("/")
    assert status == 200 and b"new" in body
    assert _everything(tmp_path) == before


def test_hostile_words_stay_words(site: Site, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(site.home, home)
    edit(home / "voyage.toml", 'carrier = "Ada Example"', f"carrier = '{HOSTILE}'")
    (home / "logs").mkdir(exist_ok=True)
    told = {"stage": HOSTILE, "state": "failed", "started": HOSTILE, "updated": HOSTILE, "host": HOSTILE}
    told |= {"machine": "", "pid": 1, "pid_started": 1, "activity": HOSTILE, "note": "\x1b[2J\u202e"}
    (home / "logs" / "live.json").write_text(json.dumps(told))
    with serving(home) as one:
        page = one.get("/")[2].decode()
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert "\x1b" not in page
