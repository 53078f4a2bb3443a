"""The commands of the page about screening are run as they stand, on small lists of parties that do not exist."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import list_files
from command_parts import packtrain
from list_files import csl_entry, csl_json, ofac_csv, write

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "screen-the-parties.md"


def commands() -> list[list[str]]:
    blocks = PAGE.read_text().split("```sh\n")[1:]
    lines = [line for block in blocks for line in block.partition("```")[0].splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("packtrain lists")]


def test_every_command_about_lists_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert packtrain("init", tmp_path / "site", "--name", "lists", "--role", "operator").exit_code == 0
    monkeypatch.chdir(tmp_path / "site")
    here = Path()
    ofac_csv(here)
    csl_json(here, csl_entry())
    for name, text in (
        ("eu.xml", list_files.EU_XML),
        ("uk.csv", list_files.UK_CSV),
        ("un.xml", list_files.UN_XML),
        ("own.csv", list_files.OWN_CSV),
    ):
        write(here, name, text)

    found = commands()

    assert len(found) == 7
    for words in found:
        ran = packtrain(*words[1:])
        assert ran.exit_code == 0, ran


@pytest.mark.needs_ssh_keygen
def test_the_line_of_a_second_person_is_one_that_voyage_toml_takes(tmp_path: Path) -> None:
    assert packtrain("init", tmp_path / "site", "--name", "lists", "--role", "operator").exit_code == 0
    commands = re.findall(r"^(?:ssh-keygen -t|awk) .*$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(commands) == 2

    run = subprocess.run(["bash", "-ec", "\n".join(commands)], cwd=tmp_path, capture_output=True, text=True, check=True)
    with (tmp_path / "site" / "voyage.toml").open("a") as stream:
        stream.write((tmp_path / "site" / "keys" / "party.toml").read_text() + run.stdout.splitlines()[-1] + "\n")

    assert packtrain("status", tmp_path / "site").exit_code == 0
    assert "operator-reviewer " in (tmp_path / "site" / "documents" / "allowed_signers").read_text()
