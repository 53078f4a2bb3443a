"""The witness: which line reached for the network, swallowed or not."""

import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.training import network_witness
from packtrain.training.network_witness import Attempt, read_witness


def _watched(tmp_path: Path, program: str, name: str = "train.py") -> tuple[Attempt, ...]:
    """Run a program under the witness, in a process of its own: an audit hook cannot be taken away again."""
    script = tmp_path / "program" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(program)
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    log = tmp_path / "witness.jsonl"
    network_witness.install(site, log)
    start = f"import site, runpy; site.addsitedir({str(site)!r}); runpy.run_path({str(script)!r}, run_name='__main__')"
    subprocess.run([sys.executable, "-c", start], check=False, capture_output=True, timeout=60)
    return read_witness(log)


SWALLOWED = """
import socket
def phone_home():
    try:
        socket.create_connection(("192.0.2.7", 443), timeout=0.01)
    except OSError:
        pass
phone_home()
"""


def test_swallowed_connection_is_named_by_file_line_and_address(tmp_path: Path):
    (attempt,) = _watched(tmp_path, SWALLOWED)
    assert attempt.spelled(tmp_path / "program") == "train.py:5 reached for 192.0.2.7:443"


def test_swallowed_look_up_is_named(tmp_path: Path):
    program = (
        "import urllib.request\n"
        "try:\n"
        "    urllib.request.urlopen('http://data.invalid/weights', timeout=0.1)\n"
        "except OSError:\n"
        "    pass\n"
    )
    assert _watched(tmp_path, program)[0].spelled(tmp_path / "program") == "train.py:3 reached for data.invalid:80"


def test_library_that_did_it_for_the_program_is_named_beside_it(tmp_path: Path):
    library = tmp_path / "site-packages" / "tracker.py"
    library.parent.mkdir()
    library.write_text("import socket\ndef log():\n    socket.socket(2, 2).connect(('192.0.2.8', 8080))\n")
    program = f"import sys\nsys.path.append({str(library.parent)!r})\nimport tracker\ntracker.log()\n"
    (attempt,) = _watched(tmp_path, program)
    assert (attempt.line, attempt.via) == (4, f"{library}:3")


def test_loopback_own_name_and_sockets_that_are_files_are_no_attempts(tmp_path: Path):
    program = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(('localhost', server.getsockname()[1]))\n"
        "try:\n"
        "    socket.gethostbyname(socket.gethostname())\n"
        "except OSError:\n"
        "    pass\n"
        "try:\n"
        "    socket.socket(socket.AF_UNIX).connect('/no/such/socket')\n"
        "except OSError:\n"
        "    pass\n"
        "a, b = socket.socketpair()\n"
        "a.sendmsg([b'x'])\n"
    )
    assert _watched(tmp_path, program) == ()


def test_processes_started_by_the_program_are_watched_too(tmp_path: Path):
    # Through multiprocessing's spawn, a fresh interpreter: without a .pth it would not be watched.
    program = (
        "import socket, multiprocessing\n"
        "def reach():\n"
        "    socket.socket(2, 2).connect(('192.0.2.9', 1))\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('fork').Process(target=reach)\n"
        "    process.start()\n"
        "    process.join()\n"
    )
    assert [attempt.address for attempt in _watched(tmp_path, program)] == ["192.0.2.9:1"]


def test_the_program_behaves_the_same_when_the_log_cannot_be_written(tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text("import socket\nsocket.socket(2, 2).connect(('127.0.0.1', 9))\nprint('went on')\n")
    start = (
        "import runpy; from packtrain.training import network_witness as w; w.watch('/no/such/folder/log');"
        f"runpy.run_path({str(script)!r})"
    )
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout == "went on\n"


def test_repeated_attempts_of_one_line_are_one_and_torn_lines_are_left_out(tmp_path: Path):
    log = tmp_path / "log"
    line = b'{"event":"socket.connect","address":"a:1","file":"f.py","line":3,"via":""}\n'
    log.write_bytes(line + line + b"not json\n" + b'{"event":1}\n' + line[:30])
    assert read_witness(log) == (Attempt("socket.connect", "a:1", "f.py", 3, ""),)


def test_no_log_means_no_attempt(tmp_path: Path):
    assert read_witness(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.8.0.1", True), ("::1", True), ("0.0.0.0", True), ("fe80::1%eth0", False), ("10.0.0.1", False), ("", True)],
)
def test_local_addresses_are_told_from_others(host: str, is_local: bool):
    assert network_witness._is_local(host) is is_local
