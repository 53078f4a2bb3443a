import contextlib
import json

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from document_strategies import documents
from packtrain.documents.codec import Document, decode, encode
from packtrain.errors import DocumentError
from sample_documents import document_types, samples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_every_document_comes_back_from_its_bytes(document_type: type[Document]) -> None:
    @settings(max_examples=max(10, settings().max_examples // 4))
    @given(documents(document_type))
    def check(document: Document) -> None:
        payload = encode(document)
        assert decode(document_type, payload, "drawn") == document
        assert encode(decode(document_type, payload, "drawn")) == payload
        # Another program's idea of RFC 8785: documents without floats are not written by it.
        body = {**msgspec.to_builtins(document), "type": f"packtrain.{document.kind}", "version": document.version}
        assert payload == rfc8785.dumps(body)

    check()


@given(st.sampled_from(document_types()), st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_document_error(document_type: type[Document], payload: bytes) -> None:
    with contextlib.suppress(DocumentError):
        decode(document_type, payload, "drawn")


@given(st.data())
def test_any_json_in_place_of_a_field_is_a_document_or_a_document_error(data: st.DataObject) -> None:
    document = samples()[data.draw(st.sampled_from(document_types()))]
    body = json.loads(encode(document))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    try:
        payload = rfc8785.dumps(body)
    except rfc8785.CanonicalizationError:
        payload = json.dumps(body).encode("utf-8", "surrogatepass")
    try:
        found = decode(type(document), payload, "drawn")
    except DocumentError:
        return
    assert encode(found) == payload
