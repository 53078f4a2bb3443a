"""The page on Python is a notebook: its blocks run in order, in one namespace, and print what the page says."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import make_notebook
from packtrain.files import file_system

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_folder(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
    file_system.ShipmentFileSystem.clear_instance_cache()


def test_the_page_runs_and_prints_what_it_says(empty_folder: Path) -> None:
    cells = [cell for cell in make_notebook.cells(make_notebook.PAGE.read_text()) if cell[0] == "code"]
    assert len(cells) >= 10
    namespace: dict[str, Any] = {"__name__": "page"}
    for _, source, expected in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "use-from-python.md", "exec"), namespace)
        assert printed.getvalue() == expected, source
    assert (empty_folder / "consignee/store/index.parquet").is_file()


def test_the_notebook_is_what_the_page_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/make_notebook.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(make_notebook.NOTEBOOK.read_text())
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
    for cell in found["cells"]:
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | (
            {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        )
