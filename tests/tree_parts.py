"""A comparer of folders that knows nothing of packtrain, and a folder with everything in it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

ODD_NAMES = (
    b"new\nline",
    b"not utf-8 \xff\xfe",
    b"n" * 255,
    b"-rf",
    b" ",
    b"trailing ",
    b"\xe2\x80\xaertl",
    b"tab\t",
    b"a.000001of000002",
    b"*?[]{}$`'\"\\",
)


@dataclass(frozen=True)
class Found:
    """One thing in a folder, as a comparer sees it."""

    kind: str
    content: bytes
    mode: int
    mtime_ns: int
    xattrs: dict[str, bytes]
    owner: tuple[int, int] | None


def tree(root: Path, *, with_owner: bool = False, with_special_bits: bool = False) -> dict[bytes, Found]:
    """Return everything below a folder by its relative name."""
    found: dict[bytes, Found] = {}
    waiting = [b""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(os.path.join(os.fsencode(root), prefix)) as members:  # noqa: PTH118 - names are bytes
            names = [prefix + member.name for member in members]
        for name in names:
            path = os.path.join(os.fsencode(root), name)  # noqa: PTH118
            status = os.lstat(path)
            kind = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link"}.get(stat.S_IFMT(status.st_mode))
            assert kind is not None, name
            content = b""
            if kind == "file":
                content = Path(os.fsdecode(path)).read_bytes()
            elif kind == "link":
                content = os.readlink(path)  # noqa: PTH115
            else:
                waiting.append(name + b"/")
            found[name] = Found(
                kind,
                content,
                status.st_mode & (0o7777 if with_special_bits else 0o777),
                status.st_mtime_ns,
                {} if kind == "link" else {key: os.getxattr(path, key) for key in os.listxattr(path)},
                (status.st_uid, status.st_gid) if with_owner else None,
            )
    return found


def link_sets(root: Path) -> set[frozenset[bytes]]:
    """Return the sets of names that are one file."""
    sets: dict[int, set[bytes]] = {}
    for name, found in tree(root).items():
        if found.kind == "file":
            status = os.lstat(os.path.join(os.fsencode(root), name))  # noqa: PTH118
            if status.st_nlink > 1:
                sets.setdefault(status.st_ino, set()).add(name)
    return {frozenset(names) for names in sets.values()}


def data_bytes(path: Path) -> list[tuple[int, int]]:
    """Return where a file has data and not holes: (first byte, length), by the file system's own account."""
    size_bytes = path.stat().st_size
    found: list[tuple[int, int]] = []
    with path.open("rb") as stream:
        at = 0
        while at < size_bytes:
            try:
                begin = os.lseek(stream.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(stream.fileno(), begin, os.SEEK_HOLE)
            found.append((begin, at - begin))
    return found


def assert_equal(copy: Path, original: Path, *, with_owner: bool = False, with_special_bits: bool = False) -> None:
    """Assert that two folders are equal in all that is compared here."""
    left = tree(copy, with_owner=with_owner, with_special_bits=with_special_bits)
    right = tree(original, with_owner=with_owner, with_special_bits=with_special_bits)
    assert left.keys() == right.keys()
    for name, found in right.items():
        assert left[name] == found, name
    assert link_sets(copy) == link_sets(original)


def sparse_file(path: Path, size_bytes: int, *data: tuple[int, bytes]) -> None:
    """Write a file with holes around the data."""
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
        for offset, payload in data:
            stream.seek(offset)
            stream.write(payload)


def everything(root: Path) -> Path:
    """Make a folder with every kind of thing that is carried; times are set at the end."""
    folders = ("plain", "plain/deep", "links", "closed", "void", "void/inner", "odd", "sparse", "attributes")
    for name in folders:
        (root / name).mkdir(parents=True)
    (root / "plain/file").write_bytes(b"content")
    (root / "plain/empty").write_bytes(b"")
    (root / "plain/deep/large").write_bytes(bytes(range(256)) * 3000)
    (root / "plain/read only").write_bytes(b"x")
    for number, name in enumerate(ODD_NAMES):
        Path(os.fsdecode(os.fsencode(root / "odd") + b"/" + name)).write_bytes(b"%d" % number)
    for target, name in (
        ("plain/file", "links/a"), ("plain/file", "z"), ("plain/deep/large", "links/of large"),
        ("plain/empty", "links/empty"),
    ):  # fmt: skip
        (root / name).hardlink_to(root / target)
    (root / "links/up").symlink_to("../plain/file")
    (root / "links/dangling").symlink_to("nowhere/at all")
    (root / "links/odd").symlink_to(os.fsdecode(b"caf\xe9"))
    page = b"d" * 4096
    sparse_file(root / "sparse/begin", 1 << 20, ((1 << 20) - 4096, page))
    sparse_file(root / "sparse/middle", 1 << 20, (0, page), ((1 << 20) - 4096, page))
    sparse_file(root / "sparse/end", 1 << 20, (0, page))
    sparse_file(root / "sparse/all", 300_000)
    sparse_file(root / "sparse/uneven", 70_001, (40_000, b"data over no page border"))
    deep = root / "/".join(["deeper"] * 60)
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"bottom")
    for name in ("attributes/file", "plain/deep/large"):
        (root / name).touch()
        os.setxattr(root / name, "user.note", b"\x00\xff\n")
        os.setxattr(root / name, "user.50%=half", b"")
    os.setxattr(root / "attributes", "user.on a folder", b"1")
    os.setxattr(root / "void/inner", "user.on an empty folder", b"1")
    (root / "closed/in").write_bytes(b"in")
    for name, mode in (("plain/read only", 0o400), ("closed", 0o555), ("void", 0o700), ("plain/file", 0o640)):
        (root / name).chmod(mode)
    for number, name in enumerate(sorted(tree(root), reverse=True)):
        path = os.path.join(os.fsencode(root), name)  # noqa: PTH118
        os.utime(path, ns=(0, 10**18 + number * 1_000_000_007), follow_symlinks=False)
    os.utime(root / "plain/empty", ns=(0, -1_500_000_001))
    return root
