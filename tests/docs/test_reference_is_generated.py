"""The reference pages say what the code says: a stale page fails here and is written anew by the script it names."""

import subprocess
import sys
from pathlib import Path

from packtrain import errors
from packtrain.errors import PacktrainError

SCRIPT = Path(__file__).parents[2] / "scripts" / "generate_reference.py"


def test_the_reference_pages_are_as_the_script_writes_them() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_error_stands_once_among_the_exit_codes() -> None:
    page = (SCRIPT.parents[1] / "docs" / "reference" / "exit-codes.md").read_text()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PacktrainError)]
    kinds.remove(PacktrainError)

    assert len(kinds) > 50
    assert {kind.__name__: page.count(f"`{kind.__name__}`") for kind in kinds} == {kind.__name__: 1 for kind in kinds}
