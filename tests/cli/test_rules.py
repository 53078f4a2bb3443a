"""`packtrain rules`: the pack as a person reads it, and country groups in and out."""

import json
from pathlib import Path

import pytest

from command_parts import packtrain, refusal

GROUP = """\
[[group]]
name = "D5"
as_of = 2026-09-01
source = "a fixture"
members = ["KP"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    assert packtrain("init", root, "--name", "rules", "--role", "operator").exit_code == 0
    return root


def test_a_rule_is_shown_with_its_cases_its_source_and_whether_that_was_read() -> None:
    shown = packtrain("rules", "show", "DC-2")

    assert shown.exit_code == 0
    for word in ("recalled", "case large", "FLAG", "could not be read"):
        assert word in shown.stdout


def test_the_pack_is_shown_with_its_digest() -> None:
    told = json.loads(packtrain("rules", "show", "--json").stdout)

    assert (told["pack"], len(told["sha256"])) == ("packtrain-v0", 64)
    assert "not legal advice" in packtrain("rules", "show").stdout
    assert {"HQ-1", "PT-1", "DAT-6"} <= {rule["rule"] for rule in told["rules"]}


def test_a_rule_that_the_pack_does_not_have_is_a_wrong_command_line() -> None:
    assert packtrain("rules", "show", "XX-9").exit_code == 2


def test_a_country_group_is_added_and_shown(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(GROUP)

    added = packtrain("rules", "groups", "add", path, "--voyage", site)
    (shown,) = json.loads(packtrain("rules", "groups", "show", "--voyage", site, "--json").stdout)

    assert (added.exit_code, "D5" in added.stdout) == (0, True), added
    assert (shown["name"], shown["members"], shown["as_of"]) == ("D5", ["KP"], "2026-09-01")


def test_without_a_group_it_is_said_what_that_means(site: Path) -> None:
    assert "not judged" in packtrain("rules", "groups", "show", "--voyage", site).stdout


def test_a_group_of_no_country_is_refused(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(GROUP.replace("KP", "XX"))

    refusal(packtrain("rules", "groups", "add", path, "--voyage", site, "--json"), 108)

    assert not (site / "country-groups").exists()


def test_a_file_that_is_not_there_is_refused(site: Path, tmp_path: Path) -> None:
    refusal(packtrain("rules", "groups", "add", tmp_path / "none.toml", "--voyage", site, "--json"), 108)
