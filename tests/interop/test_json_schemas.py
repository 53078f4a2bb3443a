"""docs/spec/schema/ as an independent validator reads it: documents pass, and what a schema can see is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from document_strategies import documents
from packtrain.documents.codec import Document, decode, encode
from packtrain.errors import DocumentError
from sample_documents import VECTORS, document_types, samples

pytestmark = pytest.mark.long

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: no independent validator")
SCHEMAS = Path(__file__).parents[2] / "docs" / "spec" / "schema"
CARGO = Path(__file__).parents[1] / "vectors" / "cargo" / "document"
# What makes a cargo vector no document by its fields; the others are about signatures, bytes and other documents.
SEEN_BY_A_SCHEMA = ("all of them required", "Each has the members `type`", "Documents are JSON objects")
# Not UTF-8 is not JSON; 1.0 is an integer to JSON Schema; and where ECMA-262 ends a text at "$", Python's `re`, which
# this validator uses, lets one newline follow.
UNSEEN = ("not-utf-8", "number-with-a-fraction", "label-with-a-newline")
KINDS = document_types()
IDS = [kind.kind for kind in KINDS]


def _validator(kind: type[Document]) -> Any:
    schema = json.loads((SCHEMAS / f"{kind.kind}.schema.json").read_bytes())
    return jsonschema.Draft202012Validator(schema)


VALIDATORS = {kind: _validator(kind) for kind in KINDS}


def _is_document(kind: type[Document], body: Any) -> bool:
    try:
        decode(kind, rfc8785.dumps(body), "altered")
    except DocumentError:
        return False
    return True


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(inner)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_each_schema_is_one_of_draft_2020_12_and_names_no_host(kind: type[Document]) -> None:
    schema = VALIDATORS[kind].schema

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:packtrain:document:{kind.kind}:v{kind.version}"
    assert all(each["additionalProperties"] is False for each in (schema, *schema["$defs"].values()))


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_frozen_vector_is_valid(kind: type[Document]) -> None:
    VALIDATORS[kind].validate(json.loads((VECTORS / f"{kind.kind}.json").read_bytes()))


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_whatever_the_code_writes_is_valid(kind: type[Document], data: st.DataObject) -> None:
    # A schema that is stricter than the code would call a good dossier bad.
    VALIDATORS[kind].validate(json.loads(encode(data.draw(documents(kind)))))


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_missing_field_and_an_unknown_one_are_refused_at_every_depth(kind: type[Document]) -> None:
    payload = encode(samples()[kind])
    num_objects = len(list(_objects(json.loads(payload))))
    num_refused = 0
    for number in range(num_objects):
        body = json.loads(payload)
        record = list(_objects(body))[number]
        record["colour"] = "red"
        if _is_document(kind, body):
            continue  # a dictionary with free keys, as in a receipt: nothing to see
        assert not VALIDATORS[kind].is_valid(body)
        num_refused += 1
        for name in [name for name in record if name != "colour"]:
            body = json.loads(payload)
            del list(_objects(body))[number][name]
            assert VALIDATORS[kind].is_valid(body) == _is_document(kind, body), name
    assert num_refused


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@pytest.mark.parametrize("value", [7.5, True, [], {}, "x" * 5000, -1, 2.0**53, None, "", "\u0000"], ids=repr)
def test_a_field_of_another_type_or_out_of_bounds_is_refused_as_the_code_refuses_it(
    kind: type[Document], value: Any
) -> None:
    body = json.loads(encode(samples()[kind]))
    for name in body:
        altered = body | {name: value}
        assert VALIDATORS[kind].is_valid(altered) == _is_document(kind, altered), name


@pytest.mark.parametrize("version", [0, 2, "1", None])
@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_another_version_and_another_type_are_refused(kind: type[Document], version: object) -> None:
    body = json.loads(encode(samples()[kind]))

    assert not VALIDATORS[kind].is_valid(body | {"version": version})
    assert not VALIDATORS[kind].is_valid(body | {"type": "packtrain.other"})


def test_each_sample_is_of_one_schema_alone() -> None:
    for kind, document in samples().items():
        body = json.loads(encode(document))
        assert [other.kind for other, validator in VALIDATORS.items() if validator.is_valid(body)] == [kind.kind]


@pytest.mark.parametrize("case", json.loads((CARGO / "index.json").read_bytes()), ids=lambda case: case["case"])
def test_the_cargo_vectors_are_seen_as_far_as_a_schema_sees(case: dict[str, Any]) -> None:
    name = case["case"].removeprefix("document/")
    kind = next(kind for kind in KINDS if kind.kind == name.split("/")[1])
    payload = (CARGO / f"{name}.json").read_bytes()
    if case["outcome"] == "accept":
        VALIDATORS[kind].validate(json.loads(payload))
    elif case["rule"].startswith(SEEN_BY_A_SCHEMA) and not name.endswith(UNSEEN):
        assert not VALIDATORS[kind].is_valid(json.loads(payload))
