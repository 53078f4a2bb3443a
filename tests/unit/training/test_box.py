"""The box: no way out, loopback inside, an empty home, and nothing that outlives it."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packtrain.training import box as box_module
from packtrain.training.box import Box, BoxOutcome

pytestmark = pytest.mark.namespaces


def _run(box: Box, code: str, tmp_path: Path, **options: float) -> tuple[BoxOutcome, str]:
    log = tmp_path / "box.log"
    outcome = box.run([sys.executable, "-c", code], cwd=tmp_path, log=log, timeout_seconds=options.get("timeout", 30))
    return outcome, log.read_text()


def test_there_is_no_route_out(tmp_path: Path):
    code = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))"
    outcome, log = _run(Box(tmp_path / "box"), code, tmp_path)
    assert outcome.status == 1
    assert "Network is unreachable" in log


def test_loopback_works_inside(tmp_path: Path):
    code = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "server.accept()[0].sendall(b'hello')\n"
        "print(client.recv(5))\n"
    )
    assert _run(Box(tmp_path / "box"), code, tmp_path)[1] == "b'hello'\n"


def test_home_is_empty_and_the_environment_holds_only_what_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "HF_TOKEN", "PYTHONPATH", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    code = "import os; print(os.listdir(os.path.expanduser('~')), [k for k, v in os.environ.items() if v == 'secret'])"
    assert _run(Box(tmp_path / "box"), code, tmp_path)[1] == "[] []\n"


def test_sends_without_a_route_and_names_are_counted_whatever_code_tries_them(tmp_path: Path):
    code = (
        "import ctypes, socket\n"
        "libc = ctypes.CDLL(None)\n"
        "address = b'\\x02\\x00\\x00\\x09\\xc0\\x00\\x02\\x01' + bytes(8)  # 192.0.2.1:9, past every hook of Python\n"
        "libc.connect(libc.socket(2, 1, 0), address, 16)\n"
        "libc.gethostbyname(b'nowhere.example')\n"
        "libc.gethostbyname(socket.gethostname().encode())\n"
    )
    outcome, _ = _run(Box(tmp_path / "box"), code, tmp_path)
    assert outcome.unrouted_sends == 1
    assert outcome.names_asked == ("nowhere.example",)
    quiet, _ = _run(Box(tmp_path / "box"), "import socket; socket.create_server(('127.0.0.1', 0))", tmp_path)
    assert (quiet.unrouted_sends, quiet.names_asked) == (0, ())


def test_the_name_of_the_machine_stays_what_it_was(tmp_path: Path):
    before = socket.gethostname(), Path("/etc/resolv.conf").read_bytes()
    _run(Box(tmp_path / "box"), "pass", tmp_path)
    assert (socket.gethostname(), Path("/etc/resolv.conf").read_bytes()) == before


def test_status_of_the_command_comes_back(tmp_path: Path):
    assert _run(Box(tmp_path / "box"), "import sys; sys.exit(75)", tmp_path)[0].status == 75


def test_command_that_is_not_there_is_named_in_the_log(tmp_path: Path):
    outcome = Box(tmp_path / "box").run(["/no/such/program"], cwd=tmp_path, log=tmp_path / "log")
    assert (outcome.status, (tmp_path / "log").read_text()) == (127, "/no/such/program: No such file or directory\n")


DETACHED = """
import os, pathlib, subprocess, sys, time
beat = "import pathlib, time\\nwhile True:\\n pathlib.Path(%r).write_text(str(time.time())); time.sleep(0.02)"
subprocess.Popen([sys.executable, "-c", beat % "{beat}"], start_new_session=True)
while not pathlib.Path("{beat}").exists():
    time.sleep(0.02)
{then}
"""


@pytest.mark.parametrize("kind", ["box", "box without a namespace of process numbers", "open box"])
@pytest.mark.parametrize("then", ["time.sleep(60)", "os._exit(0)"], ids=["out of time", "left behind"])
def test_nothing_outlives_the_box(tmp_path: Path, kind: str, then: str, monkeypatch: pytest.MonkeyPatch):
    beat = tmp_path / "beat"
    if kind == "box without a namespace of process numbers":
        weaker = ("--user", "--map-root-user", "--net")
        monkeypatch.setattr(box_module, "_find_namespaces", lambda: weaker)
    box = Box(tmp_path / "box", is_open=kind == "open box")
    outcome, _ = _run(box, DETACHED.format(beat=beat, then=then), tmp_path, timeout=1.0)
    assert outcome.timed_out == (then != "os._exit(0)")
    last = beat.read_text()
    time.sleep(0.2)
    assert beat.read_text() == last


def test_the_box_ends_with_the_process_that_made_it(tmp_path: Path):
    beat = tmp_path / "beat"
    inner = DETACHED.format(beat=beat, then="time.sleep(60)")
    outer = (
        "import sys; from pathlib import Path; from packtrain.training.box import Box\n"
        f"Box(Path({str(tmp_path / 'box')!r})).run([sys.executable, '-c', {inner!r}], cwd=Path('/'), "
        f"log=Path({str(tmp_path / 'log')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", outer])
    deadline = time.monotonic() + 20
    while not beat.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    time.sleep(0.3)
    last = beat.read_text()
    time.sleep(0.2)
    assert beat.read_text() == last


def test_ticks_come_while_the_command_runs(tmp_path: Path):
    ticks: list[float] = []
    Box(tmp_path / "box").run(
        [sys.executable, "-c", "import time; time.sleep(0.5)"],
        cwd=tmp_path,
        log=tmp_path / "log",
        on_tick=lambda: ticks.append(time.monotonic()),
    )
    assert len(ticks) >= 3


def test_an_error_of_the_watcher_ends_the_command(tmp_path: Path):
    def fail() -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Box(tmp_path / "box").run(["/bin/sleep", "60"], cwd=tmp_path, log=tmp_path / "log", on_tick=fail)
    assert time.monotonic() - started < 10


def test_box_folder_is_emptied_first(tmp_path: Path):
    (tmp_path / "box" / "home" / ".cache").mkdir(parents=True)
    Box(tmp_path / "box")
    assert list((tmp_path / "box" / "home").iterdir()) == []


class TestProbe:
    """Why a box cannot be made is said in words."""

    @pytest.fixture(autouse=True)
    def _anew(self):
        box_module._find_namespaces.cache_clear()
        yield
        box_module._find_namespaces.cache_clear()

    def test_a_machine_that_can_gives_no_reason(self):
        assert Box.probe() is None

    def test_the_box_is_told_in_words_for_people(self):
        assert re.fullmatch(
            r"a network namespace with loopback only, fresh home, no caches \(unshare (--user )?--net( --pid)?\)",
            Box.description(),
        )

    def test_missing_unshare_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert Box.probe() == "the command unshare is not installed (Debian package: util-linux)"

    def test_the_kernels_refusal_is_passed_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        refusing = tmp_path / "unshare"
        refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
        refusing.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        reason = Box.probe()
        assert reason is not None
        assert reason.endswith("unshare: unshare failed: Operation not permitted")

    def test_an_unshare_that_leaves_the_network_there_is_not_believed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        # Stands for a kernel or a wrapper that ignores --net: the check inside must notice.
        monkeypatch.setattr("packtrain.training.box._NAMESPACES", (("--user", "--map-root-user"),))
        if Box.probe() is None:
            pytest.skip("this machine has no way out of its own network")
        assert Box.probe() is not None
