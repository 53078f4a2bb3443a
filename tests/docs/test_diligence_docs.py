from pathlib import Path

import pytest

from packtrain.diligence.declaration_file import declare_from
from packtrain.diligence.form_text import EXAMPLE
from packtrain.documents.parties import SIGNING_RIGHTS
from packtrain.errors import DeclarationIncomplete

DOCS = Path(__file__).parents[2] / "docs"


def test_the_form_in_the_reference_is_the_one_the_code_reads() -> None:
    assert f"```toml\n{EXAMPLE}```" in (DOCS / "reference" / "declaration-toml.md").read_text()


def test_the_empty_form_has_no_typo_and_misses_every_answer() -> None:
    with pytest.raises(DeclarationIncomplete) as caught:
        declare_from(EXAMPLE.encode(), "test", "declaration.toml", Path())
    for field in ("end_use", "most_drives", "shipper.name", "operator.parent_country", "data.personal_data"):
        assert field in caught.value.message


def test_every_signature_that_a_role_may_give_is_in_the_table() -> None:
    rows = [line for line in (DOCS / "spec" / "documents.md").read_text().splitlines() if line.startswith("|")]
    for role, kinds in SIGNING_RIGHTS.items():
        for kind in kinds:
            named = [row for row in rows if f"`packtrain-{kind}@v1`" in row]
            assert named, kind
            assert any(role in row or kind in ("custody", "closing", "sanitisation") for row in named), (role, kind)
