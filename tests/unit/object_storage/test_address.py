"""Places in object storage, and names of files as keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.errors import HostileArchive, VoyageFileError
from packtrain.object_storage.address import MOST_KEY_BYTES, ObjectPlace, is_object_url, parse_url

PLACE = ObjectPlace("bucket", "a/prefix")
PARTS = (
    st.binary(min_size=1, max_size=40)
    .map(lambda part: part.translate(None, b"/\0"))
    .filter(lambda part: part not in (b"", b".", b".."))
)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)


@given(NAMES)
def test_a_name_comes_back_from_its_key(name: bytes) -> None:
    key = PLACE.key(name)
    assert key.startswith("a/prefix/")
    assert key.isascii() or key.encode("utf-8")
    assert not {"\\", "\n", "\x7f"} & set(key)
    assert PLACE.name(key) == name


@given(NAMES, NAMES)
def test_two_names_never_get_one_key(first: bytes, second: bytes) -> None:
    assert (first == second) == (PLACE.key(first) == PLACE.key(second))


@pytest.mark.parametrize("name", [b"", b"/x", b"x/", b"a//b", b"..", b"a/../b", b"./a", b"a\0b", b"x" * 5000])
def test_a_name_that_leaves_the_prefix_is_refused(name: bytes) -> None:
    with pytest.raises(HostileArchive, match="would leave the store"):
        PLACE.key(name)


def test_a_name_that_is_too_long_for_a_key_is_refused_as_it_is_written_there() -> None:
    most = MOST_KEY_BYTES - len("a/prefix/")
    assert len(PLACE.key(b"x" * most)) == MOST_KEY_BYTES
    for name in (b"x" * (most + 1), b"\xff" * (most // 3 + 1), "ü".encode() * (most // 2 + 1)):
        with pytest.raises(HostileArchive, match="too long for object storage"):
            PLACE.key(name)


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [("s3://cargo", "cargo", ""), ("s3://cargo/", "cargo", ""), ("s3://cargo/a/b/", "cargo", "a/b"),
     ("s3:/cargo/a", "cargo", "a")],
)  # fmt: skip
def test_places(text: str, bucket: str, prefix: str) -> None:
    found = parse_url(text, "a test")
    assert is_object_url(text)
    assert (found.bucket, found.prefix) == (bucket, prefix)
    assert parse_url(found.url, "a test") == found


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3://B/x", "s3://ab", "s3://bucket/a/../b", "s3://bucket/a//b", "s3://bucket/a?X-Amz-Signature=secret",
     "s3://bucket/a\\b", "s3://key:secret@bucket/a", "s3://bucket/a\n", "s3://bucket/100%"],
)  # fmt: skip
def test_what_is_no_place_is_refused_and_no_secret_repeated(text: str) -> None:
    with pytest.raises(VoyageFileError, match="no place in object storage") as caught:
        parse_url(text, "a test")
    assert "secret" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    "endpoint", ["host", "ftp://host", "https://", "https://user:secret@host", "https://host?x=1", "https://[::1"]
)
def test_what_is_no_endpoint_is_refused_and_no_secret_repeated(endpoint: str) -> None:
    with pytest.raises(VoyageFileError, match="no endpoint of object storage") as caught:
        parse_url("s3://bucket/a", "a test", endpoint=endpoint)
    assert "secret" not in str(caught.value.to_dict())


def test_plain_http_is_only_for_those_who_say_so() -> None:
    with pytest.raises(VoyageFileError, match="plain HTTP"):
        parse_url("s3://bucket/a", "a test", endpoint="http://host:9000")
    assert parse_url("s3://bucket/a", "a test", endpoint="http://host:9000", allows_http=True).allows_http
    assert parse_url("s3://bucket/a", "a test", endpoint="https://host").endpoint == "https://host"
