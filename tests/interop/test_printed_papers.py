"""The papers to print against a stock tool: the command on a paper's foot verifies it, as it stands there."""

import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from packtrain.events import discard
from packtrain.report.papers import render
from packtrain.stages import papers
from paper_parts import closed


@pytest.mark.needs_ssh_keygen
def test_ssh_keygen_verifies_each_paper_by_the_command_printed_on_it(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    made = papers.write_papers(voyage.consignor, render, discard, into=tmp_path / "out")
    (made.place / "allowed_signers").write_bytes((voyage.operator.documents / "allowed_signers").read_bytes())
    assert len(made.written) == 7
    for name in made.written:
        page = (made.place / name).read_text()
        command = unescape(re.findall(r'<span class="mono">(ssh-keygen [^<]*)</span>', page)[0])
        done = subprocess.run(["sh", "-c", command], cwd=made.place, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        (made.place / name).write_text(page.replace("legal advice", "illegal advice"))
        assert subprocess.run(["sh", "-c", command], cwd=made.place, capture_output=True, check=False).returncode != 0
