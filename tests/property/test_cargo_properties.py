"""Assignment covers every byte once, and a tar of the packing list is what stock tar restores."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.units import KIB
from packtrain.volume import layout, tar
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.cargo import CargoEntry

TARGET = 256 * KIB
component = st.binary(min_size=1, max_size=60).filter(
    lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..")
)
names = st.lists(component, min_size=1, max_size=5).map(b"/".join)
sizes = st.one_of(st.integers(0, 2000), st.integers(200_000, 300_000), st.integers(0, 2_000_000))


def as_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


@given(st.lists(st.tuples(names, sizes), min_size=1, max_size=40), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_every_byte_has_one_place_and_volumes_are_filled_in_order(
    cargo: list[tuple[bytes, int]], ks: list[int]
) -> None:
    entries = [CargoEntry(name, b"/none", "file", size, 0o644, 0) for name, size in cargo]
    shares = [GroupShare(k, k) for k in ks]
    placed = list(assign(entries, shares, sum(size for _, size in cargo), TARGET))
    assert [item.entry for item in placed] == entries
    last = (0, -1)
    ends: dict[tuple[int, int], int] = {}
    for item in placed:
        offset = 0
        for number, piece in enumerate(item.pieces, 1):
            assert (piece.number, piece.num_pieces, piece.file_offset) == (number, len(item.pieces), offset)
            offset += piece.bytes
            volume = (item.group, piece.stripe * ks[item.group] + piece.column)
            assert last <= volume
            # No volume between two is left out.
            assert volume in (last, (last[0], last[1] + 1)) or volume[0] > last[0]
            last = volume
            count = piece.num_pieces
            name = item.entry.name if count == 1 else layout.piece_name(item.entry.name, piece.number, count)
            header = len(tar.header(name, "file", piece.bytes, 0o644, 0))
            assert piece.tar_offset == ends.get(volume, 0) + header
            ends[volume] = piece.tar_offset + tar.padded_bytes(piece.bytes)
        assert offset == item.entry.size_bytes
    assert max(ends.values()) + len(tar.END_OF_ARCHIVE) <= TARGET


@given(
    st.dictionaries(names, st.binary(max_size=700), min_size=1, max_size=8),
    st.integers(-(10**9), 10**10),
    st.integers(0, 0o777),
)
def test_tarfile_reads_back_names_bytes_modes_and_times(files: dict[bytes, bytes], mtime: int, mode: int) -> None:
    archive = b"".join(
        tar.header(name, "file", len(payload), mode, mtime) + payload + tar.padding(len(payload))
        for name, payload in files.items()
    )
    with tarfile.open(fileobj=io.BytesIO(archive + tar.END_OF_ARCHIVE)) as opened:
        found: dict[bytes, bytes] = {}
        for member in opened:
            assert (member.mode, int(member.mtime)) == (mode, mtime)
            stream = opened.extractfile(member)
            assert stream is not None
            # tarfile drops a slash or several at the end of any name; ours never end so.
            found[member.name.encode("utf-8", "surrogateescape")] = stream.read()
    assert found == files


@given(st.lists(component, min_size=1, max_size=6, unique=True), component)
def test_stock_tar_restores_raw_names_and_link_targets(
    tmp_path_factory: pytest.TempPathFactory, files: list[bytes], target: bytes
) -> None:
    root = tmp_path_factory.mktemp("tar")
    # A folder of its own: the names themselves may begin with a dash or a tilde.
    archive = tar.header(b"in/" + b"link" * 20, "symlink", 0, 0o777, 1, target)
    archive += b"".join(tar.header(b"in/" + b"f" + name, "file", 1, 0o644, 1) + b"x" + tar.padding(1) for name in files)
    done = subprocess.run(
        ["tar", "-x", "-C", str(root), "-f", "-"],
        input=archive + tar.END_OF_ARCHIVE,
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    found = {path.name for path in (root / "in").iterdir()}
    assert found == {"f" + as_text(name) for name in files} | {"link" * 20}
    assert (root / "in" / ("link" * 20)).readlink() == Path(as_text(target))


@given(component, st.integers(1, 999_999))
def test_piece_names_sort_in_the_order_that_cat_takes_them(name: bytes, count: int) -> None:
    numbers = sorted({1, min(2, count), min(10, count), count})
    pieces = [layout.piece_name(name, number, count) for number in numbers]
    assert pieces == sorted(pieces)
