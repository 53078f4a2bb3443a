"""The page on other tools: its set is made, and each Python block runs for which the tool is installed."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

pytestmark = pytest.mark.long

VALIDATOR = Path(__file__).parents[2] / "build/card-validator/bin/python"
PAGE = (Path(__file__).parents[2] / "docs/how-to/read-with-other-tools.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def _imported(block: str) -> list[str]:
    """Return the packages that a block imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            names += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append((node.module or "").partition(".")[0])
    return names


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's small data set."""
    folder = tmp_path_factory.mktemp("page")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if source := os.environ.get("PYTHONPATH"):
        # The page changes no folder, but the commands it starts do not care from where this test was started.
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(each).absolute()) for each in source.split(os.pathsep))
    script = "set -eu\n" + "\n".join(SHELL)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=lambda number: f"{number}-{_imported(BLOCKS[number])[-1]}")
def test_each_block_runs_where_its_tool_is_installed(folder: Path, tmp_path: Path, number: int) -> None:
    python, script = sys.executable, BLOCKS[number]
    if "mlcroissant" in _imported(script):
        if not VALIDATOR.exists():
            pytest.skip("mlcroissant has an environment of its own: `make card-validator`")
        # Its environment has no pyarrow: the project's, behind its own packages.
        python = str(VALIDATOR)
        script = f"import sys\nsys.path.append({str(Path(pa.__file__).parents[1])!r})\n{script}"
    else:
        for name in _imported(script):
            if importlib.util.find_spec(name) is None:
                pytest.skip(f"{name} is not installed")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "DO_NOT_TRACK": "1"}
    # The end of the interpreter is left out: once in ten times or so a thread of mlcroissant's aborts it.
    script += "\nimport os\nos._exit(0)\n"
    done = subprocess.run(
        [python, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "assert " in BLOCKS[number]


def test_the_page_has_a_block_for_every_tool_that_it_names() -> None:
    tools = {"pyarrow", "webdataset", "datasets", "duckdb", "pandas", "polars", "mlcroissant", "litdata"}
    assert tools <= {name for block in BLOCKS for name in _imported(block)}
