"""`packtrain papers` as somebody at a terminal gets it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from packtrain.diligence.paper_folder import PAPER_NAMES
from paper_parts import closed, customs_toml, sealed


class Ran(Protocol):
    """What a command left behind; see conftest.py."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


def test_from_no_form_to_the_printed_pages(packtrain: Run, tmp_path: Path) -> None:
    home = sealed(tmp_path).consignor.root

    first = packtrain("papers", home)
    assert first.exit_code == 0
    assert "--write-form" in first.stderr and "packing-list.html is not made" in first.stderr

    assert packtrain("papers", home, "--write-form").exit_code == 0
    asked = packtrain("papers", home)
    assert asked.exit_code == 111
    assert "value.currency" in asked.stderr and "consignee.eori" in asked.stderr

    (home / "customs.toml").write_text(customs_toml())
    made = packtrain("papers", home, "--json")
    assert made.exit_code == 0, made.stderr
    assert "pro-forma-invoice.html" in json.loads(made.stdout)["written"]
    assert set(json.loads(made.stdout)["not_yet"]) == {"sanitisation-certificate.html"}


def test_papers_are_checked_where_they_lie(packtrain: Run, tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    assert packtrain("papers", voyage.consignor.root, "--into", tmp_path / "out").exit_code == 0

    good = packtrain("papers", voyage.operator.root, "--check", tmp_path / "out", "--json")
    assert set(json.loads(good.stdout)) == set(PAPER_NAMES)
    (tmp_path / "out" / "seal-record.html").write_text("<p>all is well</p>")
    assert packtrain("papers", voyage.operator.root, "--check", tmp_path / "out").exit_code == 51


def test_a_mistake_in_customs_toml_names_the_line_and_the_number_to_leave_with(packtrain: Run, tmp_path: Path) -> None:
    home = sealed(tmp_path).consignor.root
    (home / "customs.toml").write_text(customs_toml({'origin = "TH"': 'orgin = "TH"'}))

    ran = packtrain("papers", home)

    assert ran.exit_code == 110
    assert 'did you mean "origin"?' in ran.stderr


def test_two_deeds_at_once_are_refused(packtrain: Run, tmp_path: Path) -> None:
    assert packtrain("papers", tmp_path, "--write-form", "--check", tmp_path).exit_code == 2
