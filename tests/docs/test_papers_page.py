"""The customs.toml of the how-to is one that packtrain reads, with every field that there is."""

import re
from pathlib import Path

import msgspec

from packtrain.diligence.customs.answers import CustomsFile, decode_customs_file
from packtrain.diligence.paper_folder import PAPER_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "papers-for-customs.md").read_text(encoding="utf-8")


def _unanswered(place: str, row: object) -> list[str]:
    if isinstance(row, msgspec.Struct):
        return [gap for field in row.__struct_fields__ for gap in _unanswered(f"{place}.{field}", getattr(row, field))]
    return [place] if row in ("", None) else []


def test_the_example_answers_every_question() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)

    answers = decode_customs_file(example.encode(), "the how-to")

    assert isinstance(answers, CustomsFile)
    rows = [answers, *answers.case, *answers.drive, *answers.other]
    assert [gap for row in rows for gap in _unanswered(type(row).__name__, row)] == []
    assert answers.serials


def test_the_page_names_every_paper() -> None:
    assert [name for name in PAPER_NAMES if f"| `{name}` |" not in PAGE] == []
