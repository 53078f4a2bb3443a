"""The form that `declare --write-form` writes, step by step, as somebody at a terminal gets it."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from voyage_papers import declaration_toml


class Ran(Protocol):
    """What a command left behind; see conftest.py."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


def test_a_voyage_over_a_border_is_led_from_no_file_to_a_signed_full_form(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path)
    path = tmp_path / "declaration.toml"
    lawful = (Path(__file__).parents[1] / "scenarios" / "lawful-voyage.declaration.toml").read_text()
    six = lawful[: lawful.index("[customer]")]

    first = packtrain("declare", tmp_path)
    assert first.exit_code == 70 and "--write-form" in first.stderr
    assert packtrain("declare", tmp_path, "--write-form").exit_code == 0
    assert "end_use" in tomllib.loads(path.read_text())

    path.write_text(six)
    asked = packtrain("declare", tmp_path)
    assert asked.exit_code == 72
    assert "carriage.customs_reference" in asked.stderr and "--write-form" in asked.stderr
    written = packtrain("declare", tmp_path, "--write-form", "--json")
    assert "carriage" in json.loads(written.stdout)["written"]
    assert path.read_text().startswith(six)

    path.write_text(lawful)
    signed = packtrain("declare", tmp_path)
    assert signed.exit_code == 0, signed.stderr
    assert json.loads((tmp_path / "documents" / "declaration.json").read_text())["form"] == "full"
    assert "asks nothing more" in packtrain("declare", tmp_path, "--write-form").stdout


def test_nothing_is_asked_of_six_answers_that_are_not_signed(packtrain: Run, tmp_path: Path) -> None:
    # Which questions follow would tell, before anything is signed, whether the short form applies.
    packtrain("init", tmp_path)
    (tmp_path / "declaration.toml").write_text(declaration_toml({"site_country": '"BE"'}))

    ran = packtrain("declare", tmp_path, "--write-form")

    assert ran.exit_code == 12
    assert "sign them first" in ran.stderr
