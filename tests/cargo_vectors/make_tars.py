"""The tars of `tests/vectors/cargo/tar`: plaintext of one volume each."""

from __future__ import annotations

import json

from cargo_vectors.cases import ROOT, Case, shown, write_cases
from cargo_vectors.tar_parts import SECTION, ended, file, header
from cargo_vectors.tar_rejects import rejected
from packtrain.volume.tar import Xattrs, padding

Member = tuple[bytes, str, bytes, bytes, Xattrs]
LONG = b"d" * 60 + b"/" + b"n" * 90
VERY_LONG = b"d" * 200 + b"/" + b"n" * 200
ODD: Xattrs = ((b"user.=%", b"\0\n=\xff"), (b"user.note", b"a note"))


def accepted() -> dict[str, tuple[str, str, bytes, list[Member]]]:
    """Return name -> what is unusual, what allows it, the tar, its members (name, kind, data, target, attributes)."""

    def plain(name: bytes, data: bytes = b"data") -> Member:
        return name, "file", data, b"", ()

    block = bytes(range(256)) * 2
    return {
        "no-member": ("a volume without a member", "two blocks of zeros at the end", ended(), []),
        "files": (
            "files of no byte, a few, one block, and one more",
            "content padded with zeros to a multiple of 512",
            ended(file(b"empty", b""), file(b"few"), file(b"block", block), file(b"dir/more", block + b"x")),
            [plain(b"empty", b""), plain(b"few"), plain(b"block", block), plain(b"dir/more", block + b"x")],
        ),
        "name-in-prefix-and-name": (
            "a name of 151 bytes, split at its slash",
            "A name longer than 100 bytes is split at a slash into prefix (at most 155) and name (at most 100)",
            ended(file(b"n" * 100), file(LONG)),
            [plain(b"n" * 100), plain(LONG)],
        ),
        "names-in-pax": (
            "names that are too long for a header, not ASCII, and no text in any encoding",
            "`path`: the name is longer than USTAR has room for, or not ASCII",
            ended(file(VERY_LONG), file("é".encode()), file(b"caf\xe9")),
            [plain(VERY_LONG), plain("é".encode()), plain(b"caf\xe9")],
        ),
        "longest-name": (
            "a name of 4096 bytes with components of 255",
            "a name is not 1 to 4096 bytes without NUL, of components of 1 to 255 bytes",
            ended(file(b"/".join([b"x" * 255] * 16))),
            [plain(b"/".join([b"x" * 255] * 16))],
        ),
        "symbolic-links": (
            "links beside, up inside of the tree, to a folder with a slash, and with a target in a pax header",
            "it has at most as many `..` as the link's own name has slashes",
            ended(
                header(b"a/link", "symlink", target=b"beside"),
                header(b"a/b/up", "symlink", target=b"../.."),
                header(b"folder", "symlink", target=b"./a/b/"),
                header(b"a/long", "symlink", target=b"../" + b"t" * 150),
            ),
            [
                (b"a/link", "symlink", b"", b"beside", ()),
                (b"a/b/up", "symlink", b"", b"../..", ()),
                (b"folder", "symlink", b"", b"./a/b/", ()),
                (b"a/long", "symlink", b"", b"../" + b"t" * 150, ()),
            ],
        ),
        "hard-links": (
            "two links to the file before them, then another file",
            "the target of a hard link is not the name of the last member that was a file, with nothing but",
            ended(
                file(b"first"),
                header(b"second", "hardlink", target=b"first"),
                header(b"d/third", "hardlink", target=b"first"),
                file(b"other"),
            ),
            [
                plain(b"first"),
                (b"second", "hardlink", b"", b"first", ()),
                (b"d/third", "hardlink", b"", b"first", ()),
                plain(b"other"),
            ],
        ),
        "empty-directories": (
            "directories, one of them with a name in a pax header",
            "`5` directory (its name ends in a slash)",
            ended(header(b"d/empty", "directory"), header("é".encode(), "directory")),
            [(b"d/empty", "directory", b"", b"", ()), ("é".encode(), "directory", b"", b"", ())],
        ),
        "extended-attributes": (
            "attributes of a file and of a directory, one with an equals sign and a percent sign in its name",
            "In NAME `%` is written `%25`, then `=` is written `%3D`",
            ended(
                header(b"file", "file", 4, xattrs=ODD) + b"data" + padding(4),
                header(b"dir", "directory", xattrs=((b"system.posix_acl_default", b"\2\0\0\0"),)),
            ),
            [
                (b"file", "file", b"data", b"", ODD),
                (b"dir", "directory", b"", b"", ((b"system.posix_acl_default", b"\2\0\0\0"),)),
            ],
        ),
        "numbers-in-pax": (
            "a time before 1970, one after 2242, and an owner that has no room in a header",
            "`mtime`: before 1970 or after 2242; `uid`, `gid`: more than seven octal digits",
            ended(file(b"old", mtime=-5), file(b"late", mtime=2**34), file(b"owned", uid=2**32 - 2)),
            [plain(b"old"), plain(b"late"), plain(b"owned")],
        ),
        "all-mode-bits": (
            "a file with set-user-id, set-group-id and sticky bits: a reader takes the mode from the catalog",
            "mode has the twelve permission bits",
            ended(file(b"tool", mode=0o7777)),
            [plain(b"tool")],
        ),
        "looks-like-a-piece": (
            "a file that is called like a piece of a cut one: the catalog says what is a piece",
            "are members named `NAME.000001of000007`",
            ended(file(b"x.000001of000002")),
            [plain(b"x.000001of000002")],
        ),
    }


def make() -> None:
    """Write all tars and their index."""
    cases: list[Case] = []
    for folder in ("accept", "reject"):
        (ROOT / "tar" / folder).mkdir(parents=True, exist_ok=True)
        for old in (ROOT / "tar" / folder).iterdir():
            old.unlink()
    for name, (about, rule, payload, members) in accepted().items():
        (ROOT / "tar" / "accept" / f"{name}.tar").write_bytes(payload)
        described = [
            {
                "name": shown(path),
                "kind": kind,
                "data": shown(data) if len(data) < 600 else f"{len(data)} bytes",
                "target": shown(target),
                "attributes": {shown(key): value.hex() for key, value in xattrs},
            }
            for path, kind, data, target, xattrs in members
        ]
        (ROOT / "tar" / "accept" / f"{name}.json").write_text(json.dumps(described, indent=1) + "\n")
        cases.append(Case(f"tar/accept/{name}", about, "accept", SECTION, rule))
    for name, (about, rule, payload) in rejected().items():
        (ROOT / "tar" / "reject" / f"{name}.tar").write_bytes(payload)
        cases.append(Case(f"tar/reject/{name}", about, "refuse", SECTION, rule, "HostileArchive"))
    write_cases("tar", cases)
