"""packtrain's side: a voyage folder with its key, `packtrain prepare` as a command, and what it wrote."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

import packtrain
from bench.measure import Step
from packtrain.documents.voyage_file import RecipeSection
from packtrain.stages.init import init

CORES: Final = len(os.sched_getaffinity(0))
ENVIRONMENT: Final = {
    # The packtrain that runs this, whatever folder the command is started in, as it is installed without pandas.
    "PYTHONPATH": os.pathsep.join(
        [str(Path(__file__).parent / "without_pandas"), str(Path(packtrain.__file__).parents[1])]
    )
}
WITH_SCRIPTS: Final = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), ENVIRONMENT["PYTHONPATH"]])}
"""The same for a program that imports `bench`."""


def make_voyage(folder: Path, sources: Sequence[Path], recipe: Mapping[str, object]) -> Path:
    """Make a fresh voyage folder that prepares from `sources` by this recipe; return it.

    Args:
        recipe: fields of [prepare]; a value that is a mapping becomes a table of its own.
    """
    init(folder, "bench", "consignor")
    lines = ["[voyage]", 'name = "bench"', "", "[sources]", f"paths = {json.dumps([str(path) for path in sources])}"]
    lines += ["", "[prepare]", *_fields(recipe)]
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            lines += ["", f"[prepare.{name}]", *_fields(value)]
    (folder / "voyage.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def known(recipe: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a recipe that this version of packtrain has."""
    return {name: value for name, value in recipe.items() if name in RecipeSection.__struct_fields__}


def prepare_step(folder: Path, num_workers: int = CORES) -> Step:
    """Return the whole command, as somebody types it."""
    arguments = [sys.executable, "-m", "packtrain", "prepare", str(folder), "--workers", str(num_workers), "--json"]
    return Step("packtrain prepare", arguments, folder, ENVIRONMENT)


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of the prepared data set."""
    return pq.read_table(folder / "work" / "dataset" / name).to_pylist()


def samples_prepared(folder: Path) -> int:
    """Return the number of samples in the prepared data set."""
    return pq.read_metadata(folder / "work" / "dataset" / "index.parquet").num_rows


def set_aside(folder: Path) -> set[str]:
    """Return the sources that were set aside, by their names below the one folder of sources."""
    return {str(row["path"]).partition("/")[2] for row in table(folder, "rejects.parquet")}


def _fields(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, Mapping)]
