"""`packtrain status` on a terminal, in a pipe, over and over, and over the folders of several parties."""

import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from command_parts import Site, copy_site, deliver, done, pack, packtrain
from load_parts import flip


@pytest.fixture(scope="module")
def delivered(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = copy_site(at_home, tmp_path_factory.mktemp("delivered") / "voyage")
    pack(site)
    deliver(site)
    return site


def _on_terminal(*arguments: object, columns: int = 80, env: dict[str, str] | None = None, stop: bytes = b"") -> str:
    """Return what a command shows on a terminal; after `stop` was shown it is sent Ctrl-C."""
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "packtrain", *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    running = subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=kept | {"TERM": "xterm-256color"} | (env or {})
    )
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError):  # the other side is gone
        while piece := os.read(screen, 65_536):
            shown += piece
            if stop and stop in shown:
                time.sleep(0.1)
                running.send_signal(signal.SIGINT)
                stop = b""
    os.close(screen)
    assert running.wait(timeout=30) == 0, shown
    return shown.decode()


def test_a_terminal_gets_a_picture_and_a_pipe_gets_lines(delivered: Site) -> None:
    label = json.loads((delivered.drives()[0] / "packtrain/drive.json").read_bytes())["label"]

    drawn = _on_terminal("status", delivered.hall)
    piped = done("status", delivered.hall).stdout

    assert "◉" in drawn and "\x1b[" in drawn and f"{label} s" in drawn
    assert "\x1b" not in piped
    assert [line.split()[:2] for line in piped.splitlines() if line.startswith("  case")] == [
        ["case", "A"],
        ["case", "B"],
    ]


def test_no_color_is_no_colour_and_a_plain_terminal_gets_lines(delivered: Site) -> None:
    assert "\x1b" not in _on_terminal("status", delivered.hall, env={"NO_COLOR": "1"})
    assert "◉" not in _on_terminal("status", delivered.hall, env={"TERM": "dumb"})


def test_watch_draws_it_again_until_ctrl_c_and_leaves_the_screen_as_it_was(delivered: Site) -> None:
    shown = _on_terminal("status", delivered.hall, "--watch", "0.5", stop=b"next: ")

    assert shown.startswith("\x1b[?1049h")
    assert shown.rstrip().endswith("\x1b[?1049l")


def test_watch_off_a_terminal_is_refused(delivered: Site) -> None:
    ran = packtrain("status", delivered.hall, "--watch")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "--watch draws on a terminal" in ran.stderr


def test_json_lines_and_report_say_the_same_of_what_a_check_found(delivered: Site, tmp_path: Path) -> None:
    site = copy_site(delivered, tmp_path / "voyage")
    drive = site.drives()[0]
    label = json.loads((drive / "packtrain/drive.json").read_bytes())["label"]
    flip(sorted((drive / "data").iterdir())[0], 100)
    assert packtrain("check", *site.drives(), "--voyage", site.hall).exit_code == 40

    document = done("status", site.hall, "--json").document()
    lines = done("status", site.hall).stdout
    done("report", site.hall, "--into", tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()

    states = {each["label"]: each["state"] for each in document["drives"]}
    assert states.pop(label) == "damaged" and set(states.values()) == {"checked"}
    (group,) = document["groups"]
    assert group["num_checked"] == len(document["drives"])
    assert group["margin"] == group["m"] - 1
    assert f"{label} damaged, 1 bad block" in lines and group["sentence"].partition(": ")[2] in lines
    assert '<span class="broken">1 bad block</span>' in html

    done("check", *site.drives(), "--voyage", site.hall, "--repair")
    document = done("status", site.hall, "--json").document()
    assert {each["label"]: each["state"] for each in document["drives"]}[label] == "repaired"
    assert document["groups"][0]["margin"] == group["m"]

    # One that says no more which it is was checked once, and is not known to be whole any more.
    shutil.rmtree(site.drives()[1] / "packtrain")
    assert packtrain("check", *site.drives(), "--voyage", site.hall).exit_code == 40
    document = done("status", site.hall, "--json").document()
    assert document["groups"][0]["num_checked"] == len(document["drives"]) - 1


def test_folders_of_one_voyage_are_shown_as_one(delivered: Site) -> None:
    document = done("status", delivered.home, delivered.hall, delivered.guest, "--json").document()

    assert [party["role"] for party in document["parties"]] == ["consignor", "operator", "consignee"]
    assert document["role"] == "consignor"
    assert document["stages"] == document["parties"][0]["states"]
    shown = done("status", delivered.home, delivered.hall).stdout
    assert "next, consignor: " in shown and "next, operator: " in shown


def test_folders_of_two_voyages_are_refused(delivered: Site, tmp_path: Path) -> None:
    done("init", tmp_path / "other", "--name", "another voyage")
    ran = packtrain("status", delivered.home, tmp_path / "other")
    assert ran.exit_code == 10
    assert "different voyages" in ran.stderr
