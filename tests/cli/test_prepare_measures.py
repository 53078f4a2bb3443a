"""`packtrain prepare --measures`: what a filter can ask for, in words and as JSON, without a voyage."""

import json
from pathlib import Path

import pytest

from command_parts import packtrain
from packtrain.dataset.kinds.registry import KINDS


def test_every_measure_is_told_with_its_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = packtrain("prepare", "--measures")
    assert ran.exit_code == 0
    words = " ".join(ran.stdout.split())
    for kind, spec in KINDS.items():
        assert kind in ran.stdout
        for name, meaning in spec.measures.items():
            assert f"{name} {meaning}" in words
    assert list(tmp_path.iterdir()) == []


def test_as_json_it_is_one_document_by_kind() -> None:
    told = json.loads(packtrain("prepare", "--measures", "--json").stdout)
    assert told == {kind: dict(spec.measures) for kind, spec in KINDS.items()}
