"""Ctrl-C, SIGTERM and SIGHUP, as real signals to real processes in a terminal: what is said and left, the run after."""

from __future__ import annotations

import os
import pty
import signal
import sys
import time
from pathlib import Path

import pytest

from command_parts import Site, copy_site, deliver, done, pack, packtrain
from packtrain.cli.stopping import what_is_kept
from packtrain.record.live import read_live
from stop_parts import Stopped, stopped_at

HUP, INT, TERM = signal.SIGHUP, signal.SIGINT, signal.SIGTERM


@pytest.fixture(scope="module")
def delivered(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A voyage that can be loaded, to be copied whole: its drives are named on the command line."""
    site = copy_site(at_home, tmp_path_factory.mktemp("delivered"))
    pack(site)
    deliver(site)
    return site


def assert_said(stopped: Stopped, folder: Path | None, exit_code: int, kept: str, again: str) -> None:
    assert stopped.exit_code == exit_code, stopped.screen
    assert "Traceback" not in stopped.screen
    how = {129: "SIGHUP", 130: "Ctrl-C", 143: "SIGTERM"}[exit_code]
    last = stopped.last_line()
    assert last.startswith(f"packtrain: stopped by {how}")
    assert kept in last
    assert last.endswith(f"; to go on: packtrain {again}")
    if folder is not None:
        live = read_live(folder)
        assert live is not None
        assert (live.state, live.is_running) == ("stopped", False)


@pytest.mark.parametrize(("number", "signum", "exit_code"), [(5, TERM, 143), (80, INT, 130)])
def test_pack_goes_on_and_the_drives_are_whole(
    at_home: Site, tmp_path: Path, number: int, signum: signal.Signals, exit_code: int
) -> None:
    site = copy_site(at_home, tmp_path)
    done("plan", site.home)
    stopped = stopped_at("step", number, signum, "pack", site.home)
    assert_said(stopped, None, exit_code, "finished stripes and closed drives are kept", f"pack {site.home}")

    done("pack", site.home)
    done("check", "--voyage", site.home)
    left = [path for drive in site.drives() for path in drive.rglob("*.part")]
    assert not left


@pytest.mark.parametrize(("number", "signum", "exit_code"), [(1, INT, 130), (2, HUP, 129), (4, TERM, 143)])
def test_check_ends_before_it_has_read_the_drives(
    delivered: Site, number: int, signum: signal.Signals, exit_code: int
) -> None:
    stopped = stopped_at("read", number, signum, "check", "--voyage", delivered.home)
    assert_said(stopped, None, exit_code, "nothing was changed", f"check --voyage {delivered.home}")
    done("check", "--voyage", delivered.home)


@pytest.mark.parametrize(("kind", "number", "signum", "exit_code"), [("read", 2, INT, 130), ("step", 3, TERM, 143)])
def test_load_goes_on_and_the_store_is_that_of_an_undisturbed_load(
    delivered: Site, tmp_path: Path, kind: str, number: int, signum: signal.Signals, exit_code: int
) -> None:
    site = copy_site(delivered, tmp_path)
    stopped = stopped_at(kind, number, signum, "load", *site.drives(), "--voyage", site.guest)
    again = f"load {' '.join(map(str, site.drives()))} --voyage {site.guest}"
    assert_said(stopped, site.guest, exit_code, "files of proven volumes are kept", again)

    assert site.load().exit_code == 0
    site.assert_loaded()


@pytest.mark.parametrize(("number", "signum", "exit_code"), [(1, INT, 130), (12, TERM, 143)])
def test_prepare_goes_on_to_the_same_data_set(
    at_home: Site, tmp_path: Path, number: int, signum: signal.Signals, exit_code: int
) -> None:
    site = copy_site(at_home, tmp_path)
    before = (site.home / "documents" / "dataset.json").read_bytes()
    for name in ("receipts/prepare.json", "documents/dataset.json"):
        (site.home / name).unlink()
    for unit in (site.home / "work" / "units").rglob("*.json"):
        unit.unlink()
    stopped = stopped_at("step", number, signum, "prepare", site.home, "--workers", 1)
    assert_said(stopped, None, exit_code, "finished units of work are kept", f"prepare {site.home} --workers 1")

    done("prepare", site.home, "--workers", 1)
    assert (site.home / "documents" / "dataset.json").read_bytes() == before


def test_emptying_a_folder_that_plays_a_drive_goes_on(delivered: Site, tmp_path: Path) -> None:
    site = copy_site(delivered, tmp_path)
    words = ("drives", "sanitise", site.drive("a1"), "--voyage", site.home, "--yes-erase", "A1", "--without-results")
    words = (*words, "--person", "Ada")
    stopped = stopped_at("step", 6, INT, *words)
    assert_said(stopped, None, 130, "what was removed or overwritten is gone", " ".join(map(str, words)))

    assert "NOT SANITISED" in done(*words).stdout
    assert not list(site.drive("a1").iterdir())


def test_the_demo_leaves_an_empty_place_so_that_its_command_goes_on(tmp_path: Path) -> None:
    for name in ("data/tables/a.csv", "data/images/a.jpg", "data/clips/a.mp4", "wheels/a.whl", "kept/mine.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    words = ("--data", tmp_path / "data", "--kit-wheels", tmp_path / "wheels")
    stopped = stopped_at("step", 4, INT, "demo", "--into", tmp_path / "new", *words)
    again = " ".join(map(str, ("demo", "--into", tmp_path / "new", *words)))
    assert_said(stopped, None, 130, "what it made is removed", again)
    assert not (tmp_path / "new").exists()
    # What was there before is nobody's to remove.
    assert packtrain("demo", "--into", tmp_path / "kept", *words).exit_code != 0
    assert (tmp_path / "kept/mine.txt").exists()


def test_the_second_ends_at_once(delivered: Site) -> None:
    stopped = stopped_at("hang", 3, INT, "check", "--voyage", delivered.home)
    assert stopped.exit_code == 130
    assert "stopped by" not in stopped.screen


_SAVES = """
import pathlib, sys, time
from packtrain.cli.stopping import StopSignals
signals = StopSignals()
signals.take()
try:
    print("at work", flush=True)
    deadline = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < deadline:
        time.sleep(0.05)
except KeyboardInterrupt:
    time.sleep(0.5)
    print("saving", flush=True)
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(signals.exit_code)
pathlib.Path(sys.argv[1]).write_text("to its end")
"""


@pytest.mark.parametrize(("is_ignored", "exit_code", "written"), [(False, 129, "saved"), (True, 0, "to its end")])
def test_a_terminal_that_goes_away_leaves_time_to_save(
    tmp_path: Path, is_ignored: bool, exit_code: int, written: str
) -> None:
    command = [sys.executable, "-c", _SAVES, str(tmp_path / "file"), "1" if is_ignored else "60"]
    child, screen = pty.fork()
    if child == 0:
        # As nohup does.
        signal.signal(HUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
        os.execv(command[0], command)
    shown = b""
    while b"at work\r\n" not in shown:
        shown += os.read(screen, 1024)
    os.close(screen)
    # The kernel's own was one; the shell of a closed login sends another.
    time.sleep(0.2)
    os.kill(child, HUP)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == exit_code
    assert (tmp_path / "file").read_text() == written


def test_with_json_it_is_the_one_document(delivered: Site) -> None:
    stopped = stopped_at("read", 2, TERM, "--no-progress", "check", "--voyage", delivered.home, "--json")
    assert '"error": "Stopped"' in stopped.screen
    assert '"exit_code": 143' in stopped.screen


def test_what_is_kept_is_said_of_the_verb_and_not_of_an_option() -> None:
    assert "nothing was changed" in what_is_kept(["--debug", "check", "/mnt/a1"])
    assert "what was mended stays" in what_is_kept(["check", "/mnt/a1", "--repair"])
    assert "this one begins anew" in what_is_kept(["measure", "/mnt/a1"])
    assert what_is_kept(["status"]) == what_is_kept([])
