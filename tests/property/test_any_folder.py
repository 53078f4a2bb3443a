"""A random folder, packed and loaded, is the same folder."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from load_parts import borrow_site
from shipment_parts import make_packing
from tree_parts import assert_equal, sparse_file

# What a name on Linux can be: any bytes but NUL and the slash.
NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"c", b" ", b"-x", b"new\nline", b"\xff", b"n" * 255]),
    st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"\0", b"0").replace(b"/", b"_")),
).filter(lambda name: name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4)
TIMES = st.integers(-(2**31), 2**33).flatmap(lambda s: st.integers(0, 999_999_999).map(lambda ns: s * 10**9 + ns))
XATTRS = st.dictionaries(
    st.binary(min_size=1, max_size=40).map(lambda raw: b"user." + raw.replace(b"\0", b"0")),
    st.binary(max_size=200),
    max_size=3,
)
CONTENT = st.one_of(
    st.binary(max_size=2000),
    st.integers(1, 700_000).map(lambda size: (size.to_bytes(4, "big") * (size // 4 + 1))[:size]),
)
MODES = st.integers(0, 0o777)
ENTRIES = st.one_of(
    st.tuples(st.just("file"), PATHS, CONTENT, MODES, TIMES, XATTRS),
    st.tuples(
        st.just("sparse"), PATHS, st.tuples(st.integers(0, 600_000), st.binary(max_size=9000)), MODES, TIMES, XATTRS
    ),
    st.tuples(st.just("folder"), PATHS, st.none(), MODES, TIMES, XATTRS),
    st.tuples(st.just("symlink"), PATHS, NAMES, st.just(0), TIMES, st.just({})),
    st.tuples(st.just("hardlink"), PATHS, st.integers(0, 100), st.just(0), TIMES, st.just({})),
)


def make(root: bytes, entries: list[tuple]) -> None:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType]
    """Make what can be made of the entries; later ones that meet earlier ones are left out."""
    files: list[bytes] = []
    attributes: list[tuple[bytes, int, int, dict[bytes, bytes]]] = []
    for kind, parts, what, mode, mtime_ns, xattrs in entries:
        path = os.path.join(root, *parts)  # noqa: PTH118 - names are bytes
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            if os.path.lexists(path):
                continue
            size_bytes = what[0] + len(what[1]) if kind == "sparse" else len(what) if kind == "file" else 0
            if size_bytes > 200_000 and len(parts[-1]) > 238:
                continue  # it would be cut, and its pieces' names be too long: the report of losses names such a file
            if kind == "folder":
                os.mkdir(path)  # noqa: PTH102
            elif kind == "symlink":
                os.symlink(what, path)  # noqa: PTH211
            elif kind == "hardlink":
                if not files:
                    continue
                os.link(files[what % len(files)], path)
            elif kind == "sparse":
                sparse_file(Path(os.fsdecode(path)), what[0] + len(what[1]), (what[0] // 2, what[1]))
                files.append(path)
            else:
                Path(os.fsdecode(path)).write_bytes(what)
                files.append(path)
        except OSError:
            continue  # it meets an earlier one: a file in the way, a link that leads nowhere
        attributes.append((path, mode, mtime_ns, xattrs))
    for path, mode, mtime_ns, xattrs in reversed(attributes):
        if not os.path.islink(path):  # noqa: PTH114
            for name, value in xattrs.items():
                os.setxattr(path, name, value)
            os.chmod(path, mode | (0o700 if os.getuid() else 0))  # noqa: PTH101
        os.utime(path, ns=(0, mtime_ns), follow_symlinks=False)


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(ENTRIES, min_size=1, max_size=14))
def test_a_random_folder_comes_back_equal(entries: list[tuple]) -> None:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType]
    root = Path(tempfile.mkdtemp(prefix="folder-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        (root / "cargo").mkdir()
        make(os.fsencode(root / "cargo"), entries)
        assume(any((root / "cargo").iterdir()))
        packing = make_packing(root, cases=(1, 1), groups=((1, 1),))
        site = borrow_site((packing, packing.write()), root / "site")
        site.load()
        assert_equal(root / "site/store", root / "cargo")
    finally:
        shutil.rmtree(root)
