import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import rfc8785

from packtrain.documents import codec
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode, digest, encode, namespace
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import DocumentError
from sample_documents import VECTORS, document_types, samples

pytestmark = pytest.mark.slow

SAMPLES = samples()
RECEIPT = SAMPLES[Receipt]
PAYLOAD = encode(RECEIPT)


def _refused(payload: bytes, match: str, document_type: type[Document] = Receipt) -> DocumentError:
    with pytest.raises(DocumentError, match=match) as caught:
        decode(document_type, payload, "receipt.json")
    assert caught.value.where == "receipt.json"
    return caught.value


def _changed(**fields: object) -> bytes:
    """Return the receipt's bytes with other values, in canonical form as far as Python's json writes it."""
    body = {name: value for name, value in {**json.loads(PAYLOAD), **fields}.items() if value is not ...}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_changed_receipt_of_these_tests_is_canonical_when_nothing_is_changed() -> None:
    assert _changed() == PAYLOAD


def test_there_is_a_sample_and_a_vector_of_every_type() -> None:
    assert {kind.kind for kind in SAMPLES} == {kind.kind for kind in document_types()}
    assert {path.stem for path in VECTORS.glob("*.json")} == {kind.kind for kind in document_types()}


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_a_sample_is_written_as_its_frozen_vector(document_type: type[Document]) -> None:
    vector = (VECTORS / f"{document_type.kind}.json").read_bytes()

    assert encode(SAMPLES[document_type]) == vector


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_a_frozen_vector_reads_as_its_sample(document_type: type[Document]) -> None:
    vector = (VECTORS / f"{document_type.kind}.json").read_bytes()

    assert decode(document_type, vector, "vector") == SAMPLES[document_type]


def test_every_character_is_written_as_rfc_8785_writes_it() -> None:
    # Documents without floats are written by msgspec; that its strings are RFC 8785's is what allows it.
    for start in range(0, sys.maxunicode + 1, 4000):
        text = "".join(map(chr, range(start, min(start + 4000, sys.maxunicode + 1))))
        text = "".join(character for character in text if not "\ud800" <= character <= "\udfff")
        assert msgspec.json.encode(text) == rfc8785.dumps(text)


def test_only_documents_with_floats_or_free_keys_take_the_slow_way() -> None:
    slow = {kind.kind for kind in document_types() if not codec._form(kind).is_plain}

    assert slow == {"receipt", "ready", "provenance", "forecast", "measurement", "inspection"}


def test_two_types_never_share_a_kind_or_a_namespace() -> None:
    namespaces = [namespace(kind) for kind in document_types()]

    assert len(namespaces) == len(set(namespaces))
    assert namespace(ShipmentKey) == "packtrain-shipment-key@v1"


def test_the_digest_is_that_of_the_bytes() -> None:
    # Computed with sha256sum over the frozen vector: the digest by which other documents name this one.
    assert digest(RECEIPT) == "f1de54e18f5492e8a8ed50ca5893197ee8bca2cc2c44b0b661d270c46e79518e"


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_a_document_is_refused_as_any_other_type(document_type: type[Document]) -> None:
    for other in document_types():
        if other is not document_type:
            _refused(encode(SAMPLES[document_type]), "another type or version", other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("version", 0),
        ("version", "1"),
        ("version", True),
        ("version", 1.5),
        ("version", None),
        ("version", ...),
        ("type", "packtrain.plan"),
        ("type", "receipt"),
        ("type", 1),
        ("type", ...),
    ],
)
def test_another_type_or_version_is_refused(field: str, value: object) -> None:
    error = _refused(_changed(**{field: value}), "another type or version")

    assert error.expected == "packtrain.receipt version 1"


def test_a_hostile_type_is_not_repeated_at_length() -> None:
    error = _refused(_changed(type="x" * 100_000), "another type")

    assert len(error.message) < 300


def test_an_unknown_field_is_refused() -> None:
    _refused(_changed(colour="red"), "unknown field")


def test_an_unknown_field_inside_is_refused() -> None:
    body = json.loads((VECTORS / "parties.json").read_bytes())
    body["parties"][0]["trusted"] = True
    payload = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(DocumentError, match=r'unknown field "trusted" in \[parties\[0\]\]'):
        decode(next(kind for kind in SAMPLES if kind.kind == "parties"), payload, "parties.json")


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_every_field_is_required(document_type: type[Document]) -> None:
    """A default would let a shorter document mean the same as a longer one."""
    payload = encode(SAMPLES[document_type])
    for field in msgspec.structs.fields(document_type):
        body = json.loads(payload)
        del body[field.encode_name]
        shorter = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        _refused(shorter, "is missing|not in canonical form", document_type)


@pytest.mark.parametrize(
    "fields",
    [
        {"stage": 7},
        {"stage": ""},
        {"stage": "Prepare"},
        {"stage": "a" * 33},
        {"stage": "prepare\n"},
        {"inputs": []},
        {"inputs": {"recipe": "short"}},
        {"inputs": {"recipe": "A" * 64}},
        {"counts": {"samples": -1}},
        {"counts": {"samples": 2**53}},
        {"counts": {"samples": 2**64}},
        {"counts": {"samples": 1.5}},
        {"counts": {"samples": "1"}},
        {"counts": {"samples": True}},
        {"seconds": -1},
        {"seconds": None},
        {"facts": {"seed": "x" * 4097}},
        {"finished": "2026-11-21T08:09:10+00:00"},
        {"finished": "2026-11-21"},
    ],
)
def test_a_wrong_type_or_a_value_out_of_bounds_is_refused(fields: dict[str, object]) -> None:
    _refused(_changed(**fields), "does not fit its schema|not in canonical form")


@pytest.mark.parametrize(
    "payload",
    [
        PAYLOAD + b"\n",
        b" " + PAYLOAD,
        b"\xef\xbb\xbf" + PAYLOAD,
        PAYLOAD.replace(b'"seconds":1.5', b'"seconds":1.50'),
        PAYLOAD.replace(b'"seconds":1.5', b'"seconds":15e-1'),
        PAYLOAD.replace(b'"samples_prepared":7', b'"samples_prepared":7.0'),
        PAYLOAD.replace(b'"seconds":1.5', b'"seconds":1e400'),
        PAYLOAD.replace(b'"stage":"prepare"', b'"stage":"\xff"'),
        PAYLOAD.replace(b'"stage":"prepare"', b'"stage":"pr\\u0065pare"'),
        PAYLOAD.replace(b'"stage":"prepare"', b'"stage":"prepare","stage":"prepare"'),
        PAYLOAD.replace(b'"stage":"prepare"', b'"stage":"pack","stage":"prepare"'),
        PAYLOAD.replace(b'"version":1', b'"version":1.0'),
        b'{"version":1,' + PAYLOAD[1:].replace(b',"version":1}', b"}"),
    ],
    ids=[
        "newline",
        "space",
        "byte-order-mark",
        "trailing-zero",
        "exponent",
        "float-for-integer",
        "number-out-of-range",
        "no-utf-8",
        "escaped-letter",
        "key-twice",
        "key-twice-with-two-values",
        "float-for-version",
        "other-order",
    ],
)
def test_the_same_values_in_other_bytes_are_refused(payload: bytes) -> None:
    assert payload != PAYLOAD
    _refused(payload, "canonical form|not a JSON object|another type or version|does not fit its schema")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"receipt"',
        b"{",
        b"\x00",
        b"\xff\xfe",
        b'{"stage":"\\ud800 alone"}',
        b'{"seconds":NaN}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a":' + b"[" * 200_000,
    ],
)
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    _refused(payload, "not a JSON object")


def test_a_document_longer_than_any_is_refused_before_it_is_parsed() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_DOCUMENT_BYTES + 1

    _refused(Huge(PAYLOAD), "too long")


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_every_truncation_is_refused(document_type: type[Document]) -> None:
    payload = encode(SAMPLES[document_type])
    for length in range(len(payload)):
        _refused(payload[:length], "not a JSON object|does not fit|another type|canonical", document_type)


@pytest.mark.parametrize("document_type", document_types(), ids=lambda kind: kind.kind)
def test_a_flipped_bit_is_refused_or_makes_another_canonical_document(document_type: type[Document]) -> None:
    payload = encode(SAMPLES[document_type])
    # Of a long document some bits of each byte: its neighbours are bytes of the same kind, with the others flipped.
    every = 1 if len(payload) < 2000 else 3
    for position in range(len(payload)):
        for bit in range(position % every, 8, every):
            flipped = bytearray(payload)
            flipped[position] ^= 1 << bit
            try:
                found = decode(document_type, bytes(flipped), "flipped")
            except DocumentError:
                continue
            assert found != SAMPLES[document_type]
            assert encode(found) == flipped


@pytest.mark.parametrize(
    "fields",
    [
        {"counts": {"samples": 2**53}},
        {"counts": {"samples": -1}},
        {"facts": {"note": "x" * 4097}},
        {"facts": {"note": "\udcff from a command line"}},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"inputs": {"recipe": "not a digest"}},
        {"finished": "today"},
    ],
)
def test_what_no_reader_would_accept_is_not_written(fields: dict[str, object]) -> None:
    with pytest.raises(DocumentError, match=r"receipt\.json: cannot be written"):
        encode(msgspec.structs.replace(RECEIPT, **fields))


def test_vectors_are_one_line_without_a_newline() -> None:
    for path in VECTORS.glob("*.json"):
        assert b"\n" not in path.read_bytes(), path


def test_the_vectors_say_what_they_are() -> None:
    assert (Path(VECTORS) / "README.md").is_file()


FIRST_USE = """
import sys, threading
from typing import Annotated

import msgspec

from packtrain.documents import codec

sys.setswitchinterval(1e-6)


def new_type(number):
    bounded = [Annotated[str, msgspec.Meta(max_length=100 + number + i)] for i in range(12)]
    fields = [(f"text{i}", kind) for i, kind in enumerate(bounded)]
    part = msgspec.defstruct(f"Part{number}", fields, bases=(codec.Part,), frozen=True, kw_only=True)
    whole = [*fields, ("parts", tuple[part, ...])]
    return part, msgspec.defstruct(
        f"Document{number}", whole, bases=(codec.Document,), namespace={"kind": "test"}, frozen=True, kw_only=True
    )


def use(document, together):
    together.wait()
    assert codec.decode(type(document), codec.encode(document), "test") == document


for number in range(80):
    part, document_type = new_type(number)
    texts = {f"text{i}": "x" for i in range(12)}
    document = document_type(**texts, parts=(part(**texts),))
    together = threading.Barrier(8)
    threads = [threading.Thread(target=use, args=(document, together)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_meet_at_the_first_use_of_a_document() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
