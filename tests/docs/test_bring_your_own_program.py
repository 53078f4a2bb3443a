"""docs/how-to/bring-your-own-program.md is true: its program keeps the contract, its table has the sheet's clauses."""

import re
import sys
from pathlib import Path

from packtrain.documents.voyage_file import decode_voyage_file
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.training import checks
from packtrain.training.rehearsal import RehearsalRuns, run_rehearsal

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-own-program.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_the_program_of_the_page_keeps_the_contract(tmp_path: Path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "train.py").write_text(_block("python"))
    shown = run_rehearsal(
        RehearsalRuns(
            python=Path(sys.executable),
            program_folder=tmp_path / "program",
            command="train.py {data} {checkpoints} {steps}",
            data=tmp_path,
            folder=tmp_path / "runs",
            logs=tmp_path / "logs",
            num_workers=2,
            num_steps=12,
            stall_seconds=60,
            with_hang=False,
        ),
        LocalEngine(),
        discard,
    )
    must = [part for part in shown.clauses if not part.optional]
    assert [part.verdict for part in must] == ["kept"] * 6, shown.clauses
    assert checks.is_ready(shown.clauses)


def test_the_table_of_the_page_names_the_clauses_of_the_sheet_in_their_order():
    rows = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    assert [row for row in rows if row not in ("clause", "---")] == list(checks.CLAUSES)


def test_the_training_section_of_the_page_is_one_that_packtrain_reads():
    text = f'[voyage]\nname = "page"\n{_block("toml")}'
    training = decode_voyage_file(text.encode(), "the page").training
    assert training is not None
    assert training.rehearsal_steps == 12
