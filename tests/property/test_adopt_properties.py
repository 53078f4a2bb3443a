"""Any tar of Python is read to what was written; of a mutated one no more is taken than Python itself sees."""

import io
import itertools
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.dataset.adopt.names import name_on_drives
from packtrain.dataset.adopt.samples import grouped, key_and_suffix
from packtrain.dataset.adopt.tar_members import TarMember, TarWalk
from packtrain.dataset.kinds.piece import Damaged
from packtrain.dataset.sources import text_of_name
from packtrain.documents.codec import decode, encode
from packtrain.documents.dataset import DataFile, Dataset, Shard
from shard_parts import tar_of

FORMS = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=150
)
MEMBERS = st.lists(st.tuples(NAMES.map(lambda name: "x" + name.rstrip("/")), st.binary(max_size=1500)), max_size=6)
SEEDS = tuple(
    tar_of([("a/0001.jpg", b"x" * 700), ("a/0001.txt", b""), ("long" * 60 + ".cls", b"7"), ("0002.jpg", b"y")], form)
    for form in FORMS
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a tar with some of its bytes changed, and the sums of its headers set right again where they still stand."""
    payload = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(payload) - 1))
        new = draw(st.binary(min_size=1, max_size=12))
        payload[at : at + len(new)] = new
    if draw(st.booleans()):
        for at in range(0, len(payload) - 511, 512):
            if bytes(payload[at + 257 : at + 262]) == b"ustar":
                payload[at + 148 : at + 156] = b" " * 8
                payload[at + 148 : at + 156] = b"%06o\0 " % sum(payload[at : at + 512])
    return bytes(payload)


def walk(payload: bytes) -> list[TarMember]:
    found = TarWalk(io.BytesIO(payload), len(payload))
    members: list[TarMember] = []
    while (member := found.next_member()) is not None:
        members.append(member)
    return members


@given(MEMBERS, st.sampled_from(FORMS))
def test_what_was_written_is_read(members: list[tuple[str, bytes]], form: int) -> None:
    payload = tar_of(members, form)
    read = [(m.name.decode(), payload[m.offset : m.offset + m.size_bytes]) for m in walk(payload) if m.is_file]
    assert read == members


@settings(max_examples=3 * settings().max_examples)
@given(mutated())
def test_what_is_taken_of_a_mutated_tar_lies_where_another_reader_finds_it(payload: bytes) -> None:
    try:
        members = walk(payload)
    except Damaged:
        return
    assert all(m.offset >= 0 and m.offset + m.size_bytes <= len(payload) for m in members)
    try:
        with tarfile.open(fileobj=io.BytesIO(payload), encoding="utf-8", errors="surrogateescape") as archive:
            seen = [(m.offset_data, m.size) for m in archive if m.isreg()]
    except (tarfile.TarError, ValueError):
        return  # Python's reader is stricter about some numbers that have no meaning here
    # It stops without a word at a header it does not like (a mode that is no number), so it may have seen fewer.
    assert [(m.offset, m.size_bytes) for m in members if m.is_file][: len(seen)] == seen


@given(st.lists(st.sampled_from(["a.jpg", "a.txt", "b.jpg", "b.seg.png", "c/a.jpg", "README", "__m__"]), max_size=12))
def test_every_member_of_a_sample_is_in_one_group_in_order(names: list[str]) -> None:
    named = [(*found, name, 1) for name in names if (found := key_and_suffix(name)) is not None]
    groups = list(grouped(named))
    assert sum(group.num_bytes for group in groups) == len(named)
    assert all(one.key != other.key for one, other in itertools.pairwise(groups))
    for group in groups:
        assert all(key_and_suffix(name) == (group.key, suffix) for suffix, name in group.members.items())


@given(
    st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=8, unique=True), st.sampled_from(["tar", "TAR"])
)
def test_any_names_become_safe_ones_that_differ(raw: list[bytes], suffix: str) -> None:
    sources = [f"set/{text_of_name(name)}.{suffix}" for name in raw]
    names = [name_on_drives(source) for source in sources]
    assert len(set(names)) == len(names)
    for name in names:
        # Through the document that holds them: it refuses a name that could leave the folder.
        file = DataFile(name="miniature/" + name, bytes=0, sha256="0" * 64)
        shard = Shard(name=name, kind="image", split="train", bytes=0, sha256="0" * 64, num_samples=0)
        dataset = Dataset(
            name="x",
            recipe="0" * 64,
            sources="0" * 64,
            num_sources=0,
            source_bytes=0,
            counts=(),
            shards=(shard,),
            files=(file,),
            miniature_shards=(),
            miniature_files=(),
        )
        assert decode(Dataset, encode(dataset), "x") == dataset
