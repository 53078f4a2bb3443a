"""Tars that a reader refuses: one thing wrong with each."""

from __future__ import annotations

from cargo_vectors.tar_parts import altered, ended, file, header, pax, record, typed
from packtrain.volume.tar import padding

_NAME = "a name is not 1 to 4096 bytes without NUL, of components of 1 to 255 bytes"
_PLAIN = "none of them `.` or `..`; so it does not begin with a slash"
_NUMBER = "a number in another form (base 256, spaces, a sign)"
_TYPE = "a type is none of `x`, `0`, `1`, `2`, `5`"
_SIZE = "content or a pax header is longer than what follows, is padded with anything but zeros, or is longer than"
_END = "there are not exactly two blocks of zeros at the end, or anything follows them"
_PAX = "a pax header has no member after it, another pax header after it, a record that is malformed, a key that is not"
_PAX_VALUE = (
    "another `hdrcharset` than `BINARY`, a number that is none or has more than 16 digits, or a `uid` or `gid` above"
)
_LINK = (
    "the target of a symbolic link is empty, longer than 4096 bytes, absolute, has NUL, has `..` after another name,"
)
_HARD = (
    "the target of a hard link is not the name of the last member that was a file, with nothing but links to it since"
)
_XATTR = "an extended attribute is of another namespace, has nothing behind `user.`, is spelt otherwise, out of order,"
_CONTENT = "a link or a directory has content"


def rejected() -> dict[str, tuple[str, str, bytes]]:
    """Return name -> what is wrong, the rule, the tar."""
    one = file(b"a")
    plain = header(b"a", "file", 4)
    rest = b"data" + padding(4)

    def forged(*puts: tuple[int, bytes]) -> bytes:
        return ended(altered(plain, *puts) + rest)

    def with_pax(*records: bytes) -> bytes:
        return ended(pax(*records), one)

    def link(name: bytes, target: bytes) -> bytes:
        return ended(header(name, "symlink", target=target))

    def xattr(spelt: bytes, value: bytes = b"v") -> bytes:
        return record(b"SCHILY.xattr." + spelt, value)

    hard = header(b"b", "hardlink", target=b"a")
    note = xattr(b"user.note")
    return {
        # names
        "name-absolute": ("begins with a slash", _PLAIN, forged((0, b"/etc/passwd"))),
        "name-with-dot-dot": ("leads to the parent", _PLAIN, forged((0, b"../a"))),
        "name-with-dot-dot-inside": ("goes up further than it went down", _PLAIN, forged((0, b"a/../../b"))),
        "name-with-dot-dot-at-its-end": ("ends in the parent", _PLAIN, forged((0, b"a/.."))),
        "name-with-dot": ("has a component that means nothing", _PLAIN, forged((0, b"a/./b"))),
        "name-with-empty-component": ("has two slashes on end", _NAME, forged((0, b"a//b"))),
        "name-of-a-file-with-a-slash-at-its-end": ("a file named like a directory", _NAME, forged((0, b"a/"))),
        "name-empty": ("has no name", _NAME, forged((0, b"\0"))),
        "name-with-nul": ("NUL in a pax path", _NAME, with_pax(record(b"path", b"a\0b"))),
        "name-of-4097-bytes": ("one byte too long", _NAME, with_pax(record(b"path", b"a/" * 2048 + b"b"))),
        "name-with-a-component-of-256-bytes": ("one byte too long", _NAME, with_pax(record(b"path", b"x" * 256))),
        "name-with-dot-dot-in-pax": ("leads to the parent", _PLAIN, with_pax(record(b"path", b"../a"))),
        "name-with-dot-dot-in-prefix": ("prefix and name together lead out", _PLAIN, forged((345, b".."))),
        "name-with-bytes-after-its-end": (
            "a second text behind the NUL",
            "bytes other than zeros after the first zero of a text field",
            forged((50, b"hidden")),
        ),
        # header fields
        "magic-of-gnu-tar": ("`ustar`, two spaces", "a header has another magic", forged((257, b"ustar  \0"))),
        "checksum-wrong": (
            "one byte of the name altered",
            "a header has another magic, another checksum",
            ended(b"b" + one[1:]),
        ),
        "size-in-base-256": ("as GNU tar writes 8 GiB and more", _NUMBER, forged((124, b"\x80" + bytes(10) + b"\4"))),
        "size-negative": ("a sign before it", _NUMBER, forged((124, b"-0000000004\0"))),
        "size-filled-up-with-spaces": ("as old tar programs write it", _NUMBER, forged((124, b"         4 \0"))),
        "time-in-base-256": ("in a field that a reader does not need", _NUMBER, forged((136, b"\x80" + bytes(11)))),
        "owner-in-base-256": ("in a field that a reader does not need", _NUMBER, forged((108, b"\x80" + bytes(7)))),
        "size-over-2-to-the-53": ("9007199254740992 bytes", _SIZE, with_pax(record(b"size", b"%d" % 2**53))),
        "size-beyond-the-end": ("8 GiB less one byte", _SIZE, forged((124, b"77777777777\0"))),
        "link-target-on-a-file": (
            "a file with a target",
            "a member that is no link has a link target",
            forged((157, b"b")),
        ),
        "directory-without-a-slash": (
            "a directory named like a file",
            "a directory's name does not end in a slash",
            ended(altered(header(b"d", "directory"), (0, b"d\0"))),
        ),
        "directory-with-content": ("four bytes of it", _CONTENT, ended(altered(plain, (0, b"a/"), (156, b"5")) + rest)),
        # types
        "type-gnu-long-name": ("the next member's name as content", _TYPE, ended(typed(b"L", 4) + rest, one)),
        "type-gnu-long-link": ("the next member's target as content", _TYPE, ended(typed(b"K", 4) + rest, one)),
        "type-gnu-sparse": ("a sparse file of GNU tar", _TYPE, ended(typed(b"S"))),
        "type-pax-global": (
            "a pax header for all members",
            _TYPE,
            ended(typed(b"g", 10) + b"10 path=b\n" + bytes(502)),
        ),
        "type-character-device": ("/dev/null in a tar", _TYPE, ended(typed(b"3"))),
        "type-block-device": ("a disk in a tar", _TYPE, ended(typed(b"4"))),
        "type-fifo": ("a pipe in a tar", _TYPE, ended(typed(b"6"))),
        "type-contiguous": ("a file, to other tar programs", _TYPE, ended(typed(b"7"))),
        "type-nul": ("a file, to other tar programs", _TYPE, ended(typed(b"\0"))),
        # symbolic links
        "symlink-absolute": ("to /etc/passwd", _LINK, link(b"link", b"/etc/passwd")),
        "symlink-out-of-the-tree": ("one level too high", "or leads out of the tree", link(b"d/link", b"../../x")),
        "symlink-with-dot-dot-after-a-name": (
            "`a` may be a link itself, and `..` is then anywhere",
            "has `..` after another name",
            link(b"d/e/link", b"a/../b"),
        ),
        "symlink-to-nothing": ("without a target", _LINK, link(b"link", b"")),
        "symlink-with-nul": (
            "NUL in a pax linkpath",
            _LINK,
            ended(pax(record(b"linkpath", b"a\0b")), header(b"l", "symlink", target=b"a")),
        ),
        "symlink-target-of-4097-bytes": ("one byte too long", _LINK, link(b"link", b"t" * 4097)),
        "symlink-with-content": ("four bytes of it", _CONTENT, ended(altered(plain, (156, b"2"), (157, b"t")) + rest)),
        # hard links
        "hard-link-out-of-the-tree": ("to ../a", _HARD, ended(one, header(b"b", "hardlink", target=b"../a"))),
        "hard-link-absolute": ("to /etc/passwd", _HARD, ended(one, header(b"b", "hardlink", target=b"/etc/passwd"))),
        "hard-link-forward": ("before its file", _HARD, ended(hard, one)),
        "hard-link-to-itself": ("its own name", _HARD, ended(one, header(b"b", "hardlink", target=b"b"))),
        "hard-link-to-a-symbolic-link": (
            "the symbolic link before it",
            _HARD,
            ended(header(b"a", "symlink", target=b"x"), hard),
        ),
        "hard-link-to-a-directory": ("the directory before it", _HARD, ended(header(b"a", "directory"), hard)),
        "hard-link-to-a-hard-link": (
            "the link before it, not its file",
            _HARD,
            ended(one, hard, header(b"c", "hardlink", target=b"b")),
        ),
        "hard-link-after-another-file": ("another file in between", _HARD, ended(one, file(b"c"), hard)),
        "hard-link-with-content": (
            "four bytes of it",
            _CONTENT,
            ended(one, altered(hard, (124, b"00000000004\0")) + rest),
        ),
        # pax headers
        "pax-key-unknown": ("`comment`", _PAX, with_pax(record(b"comment", b"hello"))),
        "pax-key-of-gnu-sparse": ("`GNU.sparse.name`", _PAX, with_pax(record(b"GNU.sparse.name", b"b"))),
        "pax-key-twice": ("`path`, and `path` again", "a key twice", with_pax(record(b"path", b"b") * 2)),
        "pax-length-too-short": ("the length ends inside of the value", _PAX, with_pax(b"9 path=bb\n")),
        "pax-length-too-long": ("the length ends behind the header", _PAX, with_pax(b"99 path=b\n")),
        "pax-length-zero": ("a record of no byte", _PAX, with_pax(b"0 path=b\n")),
        "pax-length-no-number": ("a letter", _PAX, with_pax(b"x path=b\n")),
        "pax-record-without-newline": ("the last byte is another", _PAX, with_pax(b"9 path=bbb")),
        "pax-record-without-equals": ("a key alone", _PAX, with_pax(b"8 pathb\n")),
        "pax-without-records": ("a pax header of no byte", _PAX, with_pax()),
        "pax-without-a-member": ("the end follows", _PAX, ended(pax(record(b"path", b"b")))),
        "pax-twice": (
            "two headers for one member",
            _PAX,
            ended(pax(record(b"path", b"b")), pax(record(b"path", b"c")), one),
        ),
        "pax-of-more-than-80-kib": (
            "a length that is to be refused before it is read",
            _SIZE,
            ended(pax(size=80 * 1024 + 1)),
        ),
        "pax-padding-not-zero": ("a byte behind the records", _SIZE, ended(pax(b"10 path=b\n")[:-1] + b"x", one)),
        "pax-charset-utf-8": (
            "what names are anyway",
            _PAX_VALUE,
            with_pax(record(b"hdrcharset", b"ISO-IR 10646 2000 UTF-8")),
        ),
        "pax-size-negative": ("a sign before it", _PAX_VALUE, with_pax(record(b"size", b"-1"))),
        "pax-size-of-17-digits": ("more than any file has", _PAX_VALUE, with_pax(record(b"size", b"9" * 17))),
        "pax-time-with-a-fraction": ("as other tar programs write it", _PAX_VALUE, with_pax(record(b"mtime", b"1.5"))),
        "pax-owner-no-number": ("a name", _PAX_VALUE, with_pax(record(b"uid", b"root"))),
        "pax-owner-too-large": (
            "the number that means none",
            _PAX_VALUE,
            with_pax(record(b"gid", b"%d" % (2**32 - 1))),
        ),
        "pax-link-path-on-a-file": (
            "a file with a target",
            "a member that is no link has a link target",
            with_pax(record(b"linkpath", b"b")),
        ),
        # extended attributes
        "attribute-trusted": ("a namespace that is not carried", _XATTR, with_pax(xattr(b"trusted.overlay"))),
        "attribute-selinux": ("a name that is not carried", _XATTR, with_pax(xattr(b"security.selinux"))),
        "attribute-without-a-name": ("`user.` and nothing more", _XATTR, with_pax(xattr(b"user."))),
        "attribute-with-nul": ("NUL in its name", _XATTR, with_pax(xattr(b"user.a\0b"))),
        "attribute-name-of-256-bytes": (
            "one byte too long",
            "names have at most 255 bytes",
            with_pax(xattr(b"user." + b"n" * 251)),
        ),
        "attribute-spelt-oddly": ("a percent sign as it is", _XATTR, with_pax(xattr(b"user.50%"))),
        "attribute-in-lower-case-hex": ("`%3d` in the place of `%3D`", _XATTR, with_pax(xattr(b"user.a%3db"))),
        "attributes-out-of-order": ("the second name first", _XATTR, with_pax(xattr(b"user.z"), note)),
        "attribute-twice": ("the same name again", "a key twice", with_pax(note, note)),
        "attribute-on-a-symbolic-link": (
            "links have none",
            "or on a link",
            ended(pax(note), header(b"l", "symlink", target=b"a")),
        ),
        "attribute-on-a-hard-link": ("links have none", "or on a link", ended(one, pax(note), hard)),
        "attributes-of-more-than-64-kib": (
            "two of 33 KiB",
            "or those of one entry are too long",
            with_pax(xattr(b"user.a", b"v" * 33_000), xattr(b"user.b", b"v" * 33_000)),
        ),
        # ends
        "padding-not-zero": ("a byte behind the content", _SIZE, ended(plain + b"data" + b"x" + bytes(507))),
        "end-missing": ("cut behind the last member", _END, one),
        "end-of-one-block": ("cut in the middle of its end", _END, one + bytes(512)),
        "end-of-one-block-then-a-member": (
            "a block of zeros between members",
            _END,
            one + bytes(512) + ended(file(b"b")),
        ),
        "end-then-a-member": ("a member behind the end", _END, ended(one) + ended(file(b"b"))),
        "end-then-zeros": (
            "filled up to 20 blocks, as other tar programs do",
            _END,
            (ended(one) + bytes(10240))[:10240],
        ),
        "end-then-a-byte": ("one byte", _END, ended(one) + b"x"),
        "cut-in-a-header": ("half a header", _SIZE, one + header(b"b", "file", 4)[:256]),
        "cut-in-content": ("two bytes of four", _SIZE, plain + b"da"),
        "cut-in-padding": ("the padding is not whole", _SIZE, plain + b"data" + bytes(100)),
        "cut-in-a-pax-header": ("no record", _SIZE, pax(record(b"path", b"b"))[:512]),
    }
