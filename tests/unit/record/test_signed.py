"""`check --signed` knows every kind of document that a party signs."""

from pathlib import Path

import pytest

from packtrain.documents.codec import Document
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.provenance import Provenance
from packtrain.record.signed import _SIGNED_KINDS, _TYPES, in_folder
from sample_documents import samples
from three_parties import three_parties


def test_no_kind_that_parties_sign_is_unknown() -> None:
    # The log and printed papers are judged by other rules, statements by their own, and a key lies in an envelope.
    assert _SIGNED_KINDS - _TYPES.keys() == {"custody", "paper", "statement", "shipment-key"}


@pytest.mark.parametrize(("kind", "role"), [(Provenance, "consignee"), (KitUpdate, "consignor")])
def test_a_document_that_is_signed_on_the_way_home_or_as_an_update_is_known(
    tmp_path: Path, kind: type[Document], role: str
) -> None:
    folders = three_parties(tmp_path)
    folder = folders["consignee"]
    folder.write_signed(samples()[kind], folders[role].signer())  # pyright: ignore[reportArgumentType]
    [found] = [one for one in in_folder(folder.root, folder.trust()) if one.name == f"documents/{kind.kind}.json"]

    assert (found.verdict, found.exit_code) == ("good", 0)
    assert found.signer.startswith(role)
