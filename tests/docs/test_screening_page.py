"""The commands of the page about screening are run as they stand, on small lists of parties that do not exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import list_files
from command_parts import packtrain
from days import today
from list_files import csl_entry, csl_json, ofac_csv, write
from packtrain.diligence.screening.state import screening_state
from packtrain.record.folder import VOYAGE_FILE
from voyage_papers import declared

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


@pytest.mark.needs_ssh_keygen
def test_every_command_about_candidates_runs_and_the_second_person_closes_one(tmp_path: Path) -> None:
    home = declared(tmp_path).consignor
    (home.root / "own.csv").write_text("Company\nOperator of the Test\nTrained for of the Test\n")
    (home.root / "extract.pdf").write_bytes(b"an extract")
    page = PAGE.read_text()
    blocks = [f"{block}\n" for block in re.findall(r"^```sh\n(.*?)\n```$", page, flags=re.MULTILINE | re.DOTALL)]
    screening, answering, second_key, second_answer = blocks[2:]
    command = f'packtrain() {{ "{sys.executable}" -m packtrain "$@"; }}\n'

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"set -eu\n{command}{script}"], cwd=home.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(f'packtrain lists add own.csv --format csv --label own --date "{today()}" --columns name=Company')
    told = run(screening)
    ids = [
        subject.candidates[0].id
        for subject in screening_state(home).screening.subjects
        if subject.text in ("operator of the test", "trained_for of the test")
    ]
    for in_the_page, here in zip(("3f9a1c20", "77b04e1d"), ids, strict=True):
        assert here[:8] in told
        answering, second_answer = (text.replace(in_the_page, here[:8]) for text in (answering, second_answer))
    run(answering)
    key = run(second_key).splitlines()[-1]
    section = (home.keys / "party.toml").read_text()
    path = home.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(section, f"{section}{key}\n"))
    run(second_answer)

    states = {each.candidate.id: each for each in screening_state(home).states}
    assert (states[ids[0]].disposition, states[ids[0]].has_two_signers) == ("false match", True)
    assert states[ids[0]].open_point is None
    assert states[ids[1]].open_point is not None
