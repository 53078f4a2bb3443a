"""The commands of the page about audits are run as they stand, and its tables are those of the code."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

import audit_parts
from command_parts import packtrain
from packtrain.diligence.audit.faults import FaultKind
from packtrain.documents.parties import ROLES
from packtrain.errors import RecordFaulty, RecordUnvouched

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "audit-a-voyage.md").read_text(encoding="utf-8")


def commands() -> list[tuple[list[str], int]]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("packtrain ")]
    ends = [re.search(r"# ends with (\d+)", line) for line in lines]
    return [
        (shlex.split(line, comments=True)[1:], int(end[1]) if end else 0) for line, end in zip(lines, ends, strict=True)
    ]


def test_every_command_runs_and_ends_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papers = audit_parts.voyage(tmp_path)
    audit_parts.dossier(papers)
    shutil.copy(papers.operator.documents / "allowed_signers", tmp_path / "keys")
    monkeypatch.chdir(tmp_path)

    found = commands()

    assert len(found) == 7
    for words, exit_code in found:
        assert packtrain(*words).exit_code == exit_code, words
    assert (tmp_path / "audit.html").is_file()


@pytest.mark.needs_ssh_keygen
def test_the_command_that_shows_fingerprints_names_the_key_of_each_party(tmp_path: Path) -> None:
    papers = audit_parts.voyage(tmp_path)
    shutil.copy(papers.operator.documents / "allowed_signers", tmp_path / "keys")
    (command,) = re.findall(r"^awk .*$", PAGE, flags=re.MULTILINE)

    shown = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    for role in ROLES:
        assert f"{papers.folders[role].signer().fingerprint} {role} (ED25519)" in shown


def test_the_table_of_faults_is_that_of_the_code() -> None:
    told = re.findall(r"^\| `([a-z ]+)` \|", PAGE, flags=re.MULTILINE)

    assert tuple(told) == get_args(FaultKind)


def test_the_exit_codes_are_those_of_the_code() -> None:
    told = re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)

    assert told == ["0", str(RecordFaulty.exit_code), str(RecordUnvouched.exit_code)]
