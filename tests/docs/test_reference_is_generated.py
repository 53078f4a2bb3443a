"""The reference pages say what the code says: a stale page fails here and is written anew by the script it names."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "generate_reference.py"


def test_the_reference_pages_are_as_the_script_writes_them() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
