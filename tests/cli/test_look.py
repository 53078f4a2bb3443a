"""`packtrain look`: a page where it may lie, and two lists."""

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from looked_parts import mixed_voyage
from packtrain.errors import StageNotReady, WrongRole


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixed_voyage(tmp_path_factory.mktemp("look")).root


def test_look_writes_a_private_page_into_work(packtrain: Callable[..., Any], prepared: Path) -> None:
    ran = packtrain("look", prepared)
    assert ran.exit_code == 0, ran.stderr
    page = prepared / "work" / "look.html"
    assert ran.stdout.startswith(f"private page written to {page}: ")
    assert "18 samples drawn with seed 0" in ran.stdout
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    before = page.read_bytes()
    as_json = packtrain("look", prepared, "--json", "--seed", "0")
    assert json.loads(as_json.stdout)["bytes"] == len(before)
    assert page.read_bytes() == before


def test_look_shows_fewer_samples_and_no_values_where_that_is_asked(
    packtrain: Callable[..., Any], prepared: Path, tmp_path: Path
) -> None:
    page = tmp_path / "elsewhere.html"
    ran = packtrain("look", prepared, "--out", page, "--samples", "3", "--no-values", "--json")
    assert ran.exit_code == 0, ran.stderr
    assert json.loads(ran.stdout)["samples_shown"] == 5
    html = page.read_text()
    assert "No values are shown: they were not asked for." in html
    assert "north" not in html
    assert "kelvin" not in html


@pytest.mark.parametrize("place", ["work/dataset/look.html", "documents/look.html", "../raw/images/look.html"])
def test_the_page_may_not_lie_where_it_would_travel(packtrain: Callable[..., Any], prepared: Path, place: str) -> None:
    ran = packtrain("look", prepared, "--out", prepared / place)
    assert ran.exit_code == 2
    assert "the page is private and may not lie in" in ran.stderr
    assert not (prepared / place).exists()


def test_below_work_it_has_the_one_name_that_a_withdrawal_removes(
    packtrain: Callable[..., Any], prepared: Path
) -> None:
    ran = packtrain("look", prepared, "--out", prepared / "work" / "second.html")
    assert ran.exit_code == 2
    assert "a page there is called look.html" in ran.stderr
    assert packtrain("look", prepared, "--out", prepared / "work" / "look.html").exit_code == 0


def test_neither_may_it_lie_behind_a_link_there(packtrain: Callable[..., Any], prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(prepared / "work" / "dataset")
    assert packtrain("look", prepared, "--out", tmp_path / "link" / "look.html").exit_code == 2


def test_rejects_and_drops_are_listed_page_by_page(packtrain: Callable[..., Any], prepared: Path) -> None:
    ran = packtrain("look", prepared, "--rejects", "--limit", "2")
    assert ran.exit_code == 0, ran.stderr
    first, second, rest = ran.stdout.splitlines()
    assert rest == "and 3 more: --skip 2 goes on"
    found = json.loads(packtrain("look", prepared, "--rejects", "--skip", "2", "--json").stdout)
    assert (found["num_rows"], found["skipped"], len(found["rejects"])) == (5, 2, 3)
    assert packtrain("look", prepared, "--rejects", "--skip", "5").stdout == "none after these: the list has 5 rows\n"
    told = {row["path"]: row["error"] for row in found["rejects"]}
    assert not any(line.startswith(path) for line in (first, second) for path in told)
    assert "work" in found["table"]
    drops = packtrain("look", prepared, "--drops").stdout.splitlines()
    assert len(drops) == 2
    assert all("duplicate, same bytes; kept: raw/images/copy-1.png" in line for line in drops)
    assert packtrain("look", prepared, "--drops", "--rejects").exit_code == 2


def test_look_needs_something_prepared_and_a_consignor(packtrain: Callable[..., Any], tmp_path: Path) -> None:
    assert packtrain("init", tmp_path / "a", "--role", "consignor").exit_code == 0
    assert packtrain("look", tmp_path / "a").exit_code == StageNotReady.exit_code
    assert packtrain("look", tmp_path / "a", "--drops").exit_code == StageNotReady.exit_code
    assert packtrain("init", tmp_path / "b", "--role", "operator").exit_code == 0
    assert packtrain("look", tmp_path / "b").exit_code == WrongRole.exit_code


def test_of_a_folder_that_is_carried_as_it_is_nothing_is_shown(
    packtrain: Callable[..., Any], prepared: Path, tmp_path: Path
) -> None:
    shutil.copytree(prepared, tmp_path / "voyage")
    path = tmp_path / "voyage" / "voyage.toml"
    path.write_text(path.read_text().replace("[sources]", '[sources]\nform = "folder"'))
    ran = packtrain("look", tmp_path / "voyage")
    assert ran.exit_code == StageNotReady.exit_code
    assert "carried as it is" in ran.stderr


def test_preparing_again_leaves_the_page_out_of_the_data_set(packtrain: Callable[..., Any], tmp_path: Path) -> None:
    folder = mixed_voyage(tmp_path)
    assert packtrain("look", folder.root).exit_code == 0
    before = {path.relative_to(folder.root) for path in (folder.work / "dataset").rglob("*") if path.is_file()}
    assert packtrain("prepare", folder.root, "--workers", "1").exit_code == 0
    after = {path.relative_to(folder.root) for path in (folder.work / "dataset").rglob("*") if path.is_file()}
    assert before == after
    assert (folder.work / "look.html").is_file()
