"""`packtrain lists`: what a person types, and what every refusal looks like."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

import list_files
from command_parts import packtrain, refusal
from days import today
from list_files import ofac_csv, write
from packtrain.record.folder import VOYAGE_FILE


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    assert packtrain("init", root, "--name", "lists", "--role", "operator").exit_code == 0
    return root


def add(site: Path, path: Path, *words: str, day: str = "2026-09-01") -> list[object]:
    return ["lists", "add", path, "--label", "a-list", "--date", day, "--voyage", site, *words]


def test_a_list_is_added_and_shown_with_its_age(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ofac"
    folder.mkdir()
    day = (today() - timedelta(days=9)).isoformat()

    added = packtrain(*add(site, ofac_csv(folder), "--format", "ofac-csv", "--source", "https://x.example", day=day))
    shown = packtrain("lists", "show", "--voyage", site, "--json")

    assert (added.exit_code, "3 entries" in added.stdout) == (0, True), added
    (record,) = json.loads(shown.stdout)
    assert (record["label"], record["num_entries"], record["age_days"]) == ("a-list", 3, 9)
    assert [each["name"] for each in record["files"]] == ["add.csv", "alt.csv", "sdn.csv"]


def test_without_lists_show_says_that_nothing_can_be_screened(site: Path) -> None:
    assert "nothing can be screened" in packtrain("lists", "show", "--voyage", site).stdout
    assert json.loads(packtrain("lists", "show", "--voyage", site, "--json").stdout) == []


def test_a_list_of_ones_own_is_mapped(site: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "own.csv", list_files.OWN_CSV)

    ran = packtrain(*add(site, path, "--format", "csv", "--columns", "name=Company,address=Seat", "--json"))

    assert json.loads(ran.stdout)["num_entries"] == 2, ran
    assert "a-list" in packtrain("lists", "show", "--voyage", site).stdout


def test_a_bad_file_is_one_message_with_its_line(site: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "eu.xml", list_files.EU_XML[:-30])

    document = refusal(packtrain(*add(site, path, "--format", "eu-xml", "--json")), 100)

    assert document["where"].startswith("eu.xml, line ")
    assert json.loads(packtrain("lists", "show", "--voyage", site, "--json").stdout) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "pdf"),
        ("--format", "csv", "--columns", "name"),
        ("--format", "csv", "--label", "../x"),
        ("--format", "csv", "--date", "yesterday"),
    ],
)
def test_a_wrong_command_line_is_code_2(site: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = write(tmp_path, "own.csv", list_files.OWN_CSV)

    assert packtrain(*add(site, path, *words)).exit_code == 2
    assert not (site / "lists").exists()


def test_every_party_may_have_its_own_lists(site: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(site, home)
    text = (home / VOYAGE_FILE).read_text()
    (home / VOYAGE_FILE).write_text(text.replace('role = "operator"', 'role = "consignor"', 1))
    path = write(tmp_path, "un.xml", list_files.UN_XML)

    for folder in (site, home):
        ran = packtrain(*add(folder, path, "--format", "un-xml"))
        assert ran.exit_code == 0, ran
