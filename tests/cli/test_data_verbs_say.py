"""What prepare, replay and withdraw say on the command line, where a number or a word would mislead."""

from pathlib import Path

import pytest

from command_parts import done, packtrain
from packtrain.stages.init import init
from source_parts import csv_text, png, voyage_folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(30):
        (raw / f"{number:02d}.png").write_bytes(png(32, 32, number))
    (raw / "good.csv").write_bytes(csv_text(4, 1))
    (raw / "empty.csv").write_bytes(b"")
    init(tmp_path / "home", "test voyage", "consignor")
    return voyage_folder(tmp_path / "home", raw, "").root


def test_a_dry_run_holds_the_rejects_of_all_kinds_against_the_limit_as_prepare_does(home: Path) -> None:
    ran = packtrain("prepare", home, "--dry-run")
    assert "50.0%" in ran.stdout  # of two tables
    assert "max_reject_rate" not in ran.stdout
    done("prepare", home, "--workers", 1)
    for number in range(4):
        (home.parent / "raw" / f"empty-{number}.csv").write_bytes(b"")
    assert "may pass max_reject_rate (10%)" in packtrain("prepare", home, "--dry-run").stdout


def test_a_rank_that_is_none_is_a_wrong_command_line(home: Path) -> None:
    ran = packtrain("replay", "--step", 1, "--global-batch", 4, "--rank", 2, "--world-size", 2, "--voyage", home)
    assert ran.exit_code == 2
    assert "--rank 2 is none of --world-size 2: the last one is 1" in ran.stderr


def test_an_undone_withdrawal_counts_no_samples_that_it_cannot_know(home: Path) -> None:
    done("prepare", home, "--workers", 1)
    assert "samples" in packtrain("withdraw", "raw/good.csv", "--workers", 1, "--voyage", home).stdout
    told = packtrain("withdraw", "raw/good.csv", "--undo", "--workers", 1, "--voyage", home).stdout
    assert told.startswith("restore\n  sources        1, ")
    assert "dropped before" not in told
