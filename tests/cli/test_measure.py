"""packtrain measure: with a voyage and without one, what it writes and what it leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_parts import done, packtrain, refusal
from packtrain.documents.codec import decode
from packtrain.documents.measurement import Measurement

QUICK = ("--bytes", "16MB", "--seconds", "2")


def _drives(root: Path, *names: str) -> list[Path]:
    for name in names:
        (root / name).mkdir(parents=True)
    return [root / name for name in names]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    done("init", home, "--name", "measured")
    _drives(tmp_path / "drives", "one", "two")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "data.bin").write_bytes(bytes(1 << 20))
    toml = home / "voyage.toml"
    head = toml.read_text().partition("[sources]")[0]
    toml.write_text(
        f'{head}\n[sources]\npaths = ["../raw"]\nform = "folder"\n[drives]\nsurvive = {{ cases = 0, drives = 1 }}\n'
        '[[drives.case]]\nlabel = "A"\ndrives = ["../drives/one", "../drives/two", "../drives/not mounted"]\n'
    )
    return home


def test_a_voyage_keeps_its_measurement_and_no_stage_runs_again_for_it(home: Path) -> None:
    (home.parent / "drives" / "not mounted").mkdir()
    done("plan", home)
    (home.parent / "drives" / "not mounted").rmdir()
    before = done("status", home, "--json").document()["stages"]

    document = done("measure", home, "--json", *QUICK).document()

    kept = decode(Measurement, (home / "documents" / "measurement.json").read_bytes(), "measurement.json")
    assert [one["name"] for one in document["drives"]] == ["A1", "A2"]
    assert (document["machine"]["pack"]["k"], document["machine"]["pack"]["m"]) == (2, 1)
    assert document["source"]["read"]["bytes"] == 1 << 20
    assert kept.made == document["made"]
    assert kept.together is not None
    assert done("status", home, "--json").document()["stages"] == before
    assert [list((home.parent / "drives" / name).iterdir()) for name in ("one", "two")] == [[], []]


def test_without_a_voyage_it_prints_and_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _drives(tmp_path, "one", "two")

    ran = done("measure", "--drives", "one", "two", "--into", "kept.json", *QUICK)

    kept = decode(Measurement, Path("kept.json").read_bytes(), "kept.json")
    assert [one.name for one in kept.drives] == ["one", "two"]
    assert "CPU seconds a GB" in ran.stdout
    assert "they share" in ran.stdout
    assert "what this does not show" in ran.stdout or "tmpfs" in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.json", "one", "two"]


def test_a_dry_run_says_what_it_would_do_and_touches_nothing(home: Path) -> None:
    (home.parent / "drives" / "one" / "packtrain-measure-0").write_text("left by a killed run")

    told = done("measure", home, "--dry-run", "--json").document()
    text = done("measure", home, "--dry-run").stdout

    assert [(one["name"], one["use"]) for one in told["drives"]] == [("A1", "write"), ("A2", "write")]
    assert told["side_by_side"]
    assert "would measure" in text
    assert not (home / "documents" / "measurement.json").exists()
    assert (home.parent / "drives" / "one" / "packtrain-measure-0").exists()


def test_what_cannot_be_is_refused_in_plain_words(home: Path, tmp_path: Path) -> None:
    (one,) = _drives(tmp_path, "a drive")

    refusal(packtrain("measure", tmp_path / "gone", "--json"), 30)
    full = refusal(packtrain("measure", one, "--bytes", "999TB", "--json"), 31)
    usage = packtrain("measure", home, home)

    assert "what lies on the drive is not touched" in full["hint"]
    assert (usage.exit_code, "second voyage folder" in usage.stderr) == (2, True)
    assert packtrain("measure", one, "--bytes", "much").exit_code == 2
    assert packtrain("measure", one, "--seconds", "nan").exit_code == 2


def test_into_a_pipe_or_a_folder_that_is_not_there_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for into in (tmp_path / "pipe", tmp_path / "gone" / "kept.json"):
        ran = packtrain("measure", "--into", into, *QUICK)
        assert (ran.exit_code, "names the file to write" in ran.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ended_in_the_middle_it_leaves_nothing_after_the_next_run_at_the_latest(
    tmp_path: Path, how: signal.Signals
) -> None:
    (one,) = _drives(tmp_path, "one")
    command = [sys.executable, "-m", "packtrain", "measure", str(one), "--bytes", "100MB", "--seconds", "60"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    try:
        until = time.monotonic() + 120
        while not list(one.iterdir()) and running.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        running.send_signal(how)
        running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    if how is signal.SIGKILL:
        assert list(one.iterdir()) != []
        document = json.loads(done("measure", one, "--json", *QUICK).stdout)
        assert document["drives"][0]["problem"] == ""
    assert list(one.iterdir()) == []
