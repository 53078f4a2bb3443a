"""The commands of "carry over a border" are run as they stand, with the answers of the lawful voyage."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from days import today
from rule_facts import GROUPS
from scenario_parts import declaration_of
from tree_parts import assert_equal

pytestmark = pytest.mark.long

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "carry-over-a-border.md"


def test_every_command_of_carry_over_a_border_runs_and_the_folder_arrives(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "plates.csv").write_text("plate,day\n" + "".join(f"{n},{n % 7}\n" for n in range(5000)))
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "full.toml").write_text(declaration_of("lawful"))
    (tmp_path / "answers" / "six.toml").write_text(declaration_of("lawful").partition("[customer]\n")[0])
    (tmp_path / "groups.toml").write_text(
        "".join(
            f'[[group]]\nname = "{group.name}"\nas_of = {today()}\nsource = "tests"\nmembers = {list(group.members)}\n'
            for group in GROUPS.values()
        )
    )
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # Where no console script of this tree is on the path the module is the same program.
    command = f'packtrain() {{ "{sys.executable}" -m packtrain "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + command + "\n".join(blocks)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the full form is asked: exit code 72" in done.stdout
    assert "no unresolved flags under rule pack" in done.stdout
    assert (tmp_path / "home" / "customs.toml").is_file()
    assert_equal(tmp_path / "guest" / "store", tmp_path / "data")
