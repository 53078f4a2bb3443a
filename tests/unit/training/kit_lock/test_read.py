"""uv.lock as hostile bytes: what is refused, and that nothing but a clear refusal ever comes of it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lock_parts import GOOD
from packtrain.errors import LockUnreadable
from packtrain.training.kit_lock.read import MAX_FILES, LockedFile, read_lock
from packtrain.training.kit_lock.resolve import Wanted, resolve
from packtrain.training.target import Target


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "uv.lock"


def test_files_are_read_with_name_address_digest_and_length(lock: Path):
    lock.write_text(GOOD)
    tiny = read_lock(lock).by_name["tiny"][0]
    address = "https://user:word@index.example/a%20b/tiny-1.0-py3-none-any.whl"
    assert tiny.wheels == (LockedFile("tiny-1.0-py3-none-any.whl", address, "a" * 64, 9),)
    assert tiny.sdist == LockedFile("tiny-1.0.tar.gz", "index/tiny/tiny-1.0.tar.gz", None, None)


def test_markers_leave_out_what_the_target_does_not_need(lock: Path):
    lock.write_text(GOOD)
    assert list(resolve(read_lock(lock), Wanted("prog"), Target("3.12", "manylinux_2_28_x86_64")).packages) == ["tiny"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1", "version = 2", r"version that is not known here \(expected version = 1"),
        ("version = 1\n", "", "found None"),
        ("[[package]]", "[[package", "not TOML"),
        ('name = "tiny"', 'name = "../tiny"', "name is not well formed"),
        ('name = "tiny"', "name = 3", "name is no text"),
        ("size = 9", "size = -1", "length of tiny-1.0-py3-none-any.whl is out of range"),
        ("size = 9", "size = 99999999999999", "length of .* is out of range"),
        ("sha256:" + "a" * 64, "md5:" + "a" * 32, "is no SHA-256"),
        ("https://user:word@index.example", "https://[bad", "lock says what it cannot mean"),
        ("tiny-1.0-py3-none-any.whl", "..", "no name or no address"),
        ("tiny-1.0-py3-none-any.whl", "%2e%2e%2f%2e%2e%2fetc", "no name or no address"),
        ('source = { registry = "index" }', 'source = { moon = "index" }', "kind that is not known here"),
        ("dependencies = [", "dependencies = [3,", "dependencies is no list of tables"),
        ("wheels = [", "wheels = [" + "{ path = 'x' }," * (MAX_FILES + 1), "wheels has more than"),
    ],
)
def test_what_a_lock_cannot_mean_is_refused(lock: Path, old: str, new: str, told: str):
    assert old in GOOD
    lock.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(LockUnreadable, match=told):
        read_lock(lock)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('{ name = "tiny",', '{ name = "absent",', "names a package that it does not have.*absent"),
        ('{ name = "tiny",', '{ name = "tiny", version = "2.0",', r"does not have \(found tiny 2\.0"),
        ("python_full_version >= '3.11'", "python_full_version >>> '3.11'", "marker cannot be read"),
        ('requires-python = ">=3.11"', 'requires-python = "soon"', "requires-python cannot be read"),
        ('source = { virtual = "." }', 'source = { registry = "." }', "does not tell which package the program is"),
    ],
)
def test_a_lock_without_an_answer_is_refused(lock: Path, old: str, new: str, told: str):
    assert old in GOOD
    lock.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(LockUnreadable, match=told):
        resolve(read_lock(lock), Wanted("prog"), Target("3.12", "manylinux_2_28_x86_64"))


def test_a_lock_that_is_not_there_is_refused(lock: Path):
    with pytest.raises(LockUnreadable, match="cannot be read"):
        read_lock(lock)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_lock_is_read_or_refused_and_nothing_else(lock: Path, data: st.DataObject):
    payload = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    lock.write_bytes(bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    try:
        resolve(read_lock(lock), Wanted("prog"), Target("3.12", "manylinux_2_28_x86_64"))
    except LockUnreadable as error:
        assert error.exit_code == 85
