"""The names of `import packtrain`: the same for people, for type checkers and for `import *`, and imported late."""

from __future__ import annotations

import ast
import doctest
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import packtrain
from packtrain import from_python
from packtrain.errors import NotAVoyage, PlacementImpossible, VoyageExists

ROOT = Path(packtrain.__file__).parent
HEAVY = ("click", "msgspec", "cryptography", "numpy", "pyarrow", "fsspec", "duckdb", "torch", "ray")


def test_every_name_is_there_documented_and_listed() -> None:
    for name in packtrain.__all__:
        found = getattr(packtrain, name)
        assert name in dir(packtrain)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert (inspect.getdoc(found) or "").strip(), name
    text = pydoc.plain(pydoc.render_doc(packtrain))
    assert all(name in text for name in packtrain.__all__ if name != "__version__")
    namespace: dict[str, object] = {}
    exec("from packtrain import *", namespace)
    assert set(packtrain.__all__) <= set(namespace)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = packtrain.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_type_checkers_read_the_same_names_from_the_same_places() -> None:
    stub = ast.parse((ROOT / "__init__.pyi").read_text())
    told = {alias.asname: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == packtrain._PLACES  # pyright: ignore[reportAttributeAccessIssue]
    (listed,) = (
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert sorted(listed) == sorted(packtrain.__all__)


def test_importing_it_imports_nothing_else() -> None:
    script = f"import sys, packtrain\nassert not sys.modules.keys() & {set(HEAVY)}\nprint(packtrain.__version__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, packtrain.__version__), done.stderr


def test_without_an_extra_its_names_say_what_to_install_and_the_others_work() -> None:
    script = """
import sys
for package in ("fsspec", "numpy"):
    sys.modules[package] = None
import pydoc, packtrain
from packtrain import *
assert Voyage is packtrain.Voyage and "SampleStore" not in dir(packtrain)
assert "send_or_carry" in pydoc.plain(pydoc.render_doc(packtrain))
for name, extra in (("ShipmentFileSystem", "fsspec"), ("SampleStore", "train")):
    try:
        getattr(packtrain, name)
    except packtrain.PacktrainError as error:
        assert f"packtrain[{extra}]" in error.hint, error.hint
    else:
        raise AssertionError(name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_examples_of_docstrings_run() -> None:
    assert doctest.testmod(from_python).attempted >= 2
    assert doctest.testmod(from_python).failed == 0


def test_send_or_carry_is_the_forecast_of_the_command() -> None:
    found = packtrain.send_or_carry("80TB", drives=60, cases=4, link_rate=200e6, legs={"customs": "1..7"})
    assert found.send is not None
    assert found.send.days == pytest.approx(80e12 * 8 / 200e6 / 86400)
    assert found == packtrain.send_or_carry("80TB", drives=60, cases=4, link_rate="200Mbit/s", legs={"customs": "1..7"})
    assert packtrain.send_or_carry(10**12, drives=4).send is None
    with pytest.raises(PlacementImpossible):
        packtrain.send_or_carry("1TB", drives=2, cases=2, survive_cases=2)
    with pytest.raises(ValueError, match="not a size"):
        packtrain.send_or_carry("much", drives=4)


def test_a_voyage_is_made_and_opened(tmp_path: Path) -> None:
    made = packtrain.Voyage.init(str(tmp_path / "home"), role="operator")
    assert packtrain.Voyage.open(tmp_path / "home").role == made.role == "operator"
    assert made.folder.voyage_file().voyage.name == "home"
    with pytest.raises(VoyageExists):
        packtrain.Voyage.init(tmp_path / "home")
    with pytest.raises(NotAVoyage):
        packtrain.Voyage.open(tmp_path)


def test_drives_are_checked_with_no_folder(tmp_path: Path) -> None:
    with pytest.raises(packtrain.PacktrainError) as error:
        packtrain.check_drives([str(tmp_path / "nothing")])
    assert error.value.to_dict()["error"] == "DriveMissing"
    with pytest.raises(packtrain.PacktrainError, match=f"^{tmp_path}/nothing: no such drive"):
        packtrain.check_drives(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="name the drives"):
        packtrain.check_drives([])
