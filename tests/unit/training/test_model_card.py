"""The model card says what is signed, and no text of another's is markup in it."""

from typing import cast

from msgspec.structs import replace

from packtrain.documents.export_list import ExportList
from packtrain.documents.provenance import Provenance
from packtrain.training.model_card import model_card
from sample_documents import samples

MADE = cast("Provenance", samples()[Provenance])
LISTED = cast("ExportList", samples()[ExportList])


def test_a_card_names_files_kits_steps_and_what_is_not_proven() -> None:
    card = model_card(MADE, LISTED)
    for text in (MADE.files[0].sha256, MADE.kits[1].kit, "401-800", "worker 1 ended with 1", "node-7", "not signed"):
        assert text in card
    assert "It is not shown that these weights follow from these data" in card
    assert model_card(MADE, LISTED) == card


def test_texts_of_the_site_are_no_markup() -> None:
    hostile = "<script>x</script> | ![a](http://b)\n# head\x1b[31m"
    attempt = replace(MADE.attempts[0], reason=hostile)
    kits = (replace(MADE.kits[0], steps=hostile), *MADE.kits[1:])
    card = model_card(replace(MADE, attempts=(attempt,), hosts=(hostile,), position=hostile, kits=kits), LISTED)
    assert "<script>" not in card
    assert "![a]" not in card
    assert "\x1b" not in card
    assert "\n# head" not in card


def test_without_a_kit_the_program_is_named() -> None:
    assert MADE.program in model_card(replace(MADE, kits=()), LISTED)
