"""`packtrain prepare` says what looks personal, in counts; the document is signed, and no value is printed."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.diligence.scan_findings import findings_of
from packtrain.errors import MissingDependency
from packtrain.record.folder import VoyageFolder


def test_prepare_warns_of_what_looks_personal_and_prints_no_value(
    packtrain: Callable[..., Any], tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = "".join(f"{i},secret{i}@example.org\n" for i in range(40))
    (raw / "people.csv").write_text("id,contact\n" + rows)
    voyage = tmp_path / "voyage"
    assert packtrain("init", voyage, "--role", "consignor").exit_code == 0
    path = voyage / "voyage.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("paths =")]
    text = "\n".join(lines).replace("[sources]", f'[sources]\npaths = ["{raw}"]')
    path.write_text(text)

    ran = packtrain("prepare", voyage, "--json")

    assert ran.exit_code == 0, ran.stderr
    assert json.loads(ran.stdout)["counts"]["scan_findings"] == 1
    assert "e-mail addresses (1)" in ran.stderr
    assert "secret" not in ran.stdout + ran.stderr
    assert findings_of(VoyageFolder(voyage)) == ("raw/people.csv, column 2: e-mail addresses in 40 of 40 sampled rows",)


def test_a_second_engine_that_is_not_there_is_named_with_what_brings_it(
    packtrain: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "presidio_analyzer" else find(name))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("a,b\n1,2\n")
    voyage = tmp_path / "voyage"
    assert packtrain("init", voyage, "--role", "consignor").exit_code == 0
    text = f'[voyage]\nname = "x"\n[sources]\npaths = ["{tmp_path / "raw"}"]\n[prepare]\nscan_also_with = "presidio"\n'
    (voyage / "voyage.toml").write_text(text)

    ran = packtrain("prepare", voyage)

    assert ran.exit_code == MissingDependency.exit_code
    assert "packtrain[pii]" in ran.stderr
